"""`ligan dataset info`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from backend_container.datasets.chart import bars
from backend_container.datasets.label_counts import histogram, keys
from backend_container.datasets.shards import DatasetError, FaceShards
from ligan.output import plain, say
from ligan.wire.base import Message

SHOWN = 8
"""Values of a label that are told in a line."""


class Info(Message):
    """The answer of `ligan dataset info --json`."""

    folder: str
    count: int
    resolution: int
    points: bool
    bytes: int
    shards: int
    labels: dict[str, dict[str, int]]
    """By label and value: how many faces."""
    made_by: dict[str, Any]


def info(arguments: argparse.Namespace) -> int:
    """Exit status: 0 told, 1 there is no such data set."""
    try:
        shards = FaceShards.open(arguments.folder, verify=arguments.check)
        text = _answer(shards, arguments)
    except DatasetError as error:
        print(f"ligan dataset: {error}", file=sys.stderr)
        return 1
    say(text)
    return 0


def info_of(shards: FaceShards) -> Info:
    """What a data set holds."""
    return Info(
        folder=plain(str(shards.folder)),
        count=len(shards),
        resolution=shards.resolution,
        points=shards.index.points,
        bytes=sum(file.bytes for shard in shards.index.shards for file in shard.files),
        shards=len(shards.index.shards),
        labels={key: dict(histogram(shards.labels, key)) for key in keys(shards.labels)},
        made_by=shards.index.made_by,
    )


def show(told: Info) -> str:
    """The answer as text."""
    points = "with landmarks" if told.points else "without landmarks"
    head = (
        f"{told.folder}: {told.count} faces of {told.resolution} × {told.resolution} pixels, {points}, "
        f"{told.bytes / 2**20:.1f} MiB in {told.shards} shards"
    )
    labels = [f"  {key}: {_values(counts)}" for key, counts in told.labels.items()]
    sources = [f"  {source}" for source in told.made_by.get("sources", ())]
    steps = [f"  {step}" for step in told.made_by.get("steps", ())]
    parts = (("labels:", labels), ("sources:", sources), ("steps:", steps))
    return "\n".join([head, *(row for title, rows in parts if rows for row in (title, *rows))])


def _answer(shards: FaceShards, arguments: argparse.Namespace) -> str:
    if arguments.histogram is None:
        told = info_of(shards)
        return told.model_dump_json(indent=2) if arguments.json else show(told)
    known = keys(shards.labels)
    if arguments.histogram not in known:
        raise DatasetError(f"{shards.folder} has no label {arguments.histogram}. It has: {', '.join(known) or 'none'}.")
    return bars(f"{arguments.histogram} of {len(shards)} faces", histogram(shards.labels, arguments.histogram)).rstrip()


def _values(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{value} {count}" for value, count in list(counts.items())[:SHOWN])
    return f"{shown}, … ({len(counts)} values)" if len(counts) > SHOWN else shown
