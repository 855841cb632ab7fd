"""`ligan dataset build`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from backend_container.dataset_command.progress import ProgressLine
from backend_container.datasets.dataset import Dataset
from backend_container.datasets.recipe import Cut, Recipe, applied
from backend_container.datasets.report import Report
from backend_container.datasets.report_page import PAGE
from backend_container.datasets.shard_index import LARGEST, DatasetError
from backend_container.datasets.sources import check_sources
from ligan.output import plain, say
from ligan.wire.base import Message

STOPPED = 130
_AS_IS: dict[str, Any] = {"cut": Cut.WHOLE, "min_size": 0, "grey": True, "quality": False, "similar": 0.0}
"""What the filters are where faces are cut out already."""
_CUT = "--min-face and --confidence let smaller and less certain faces in, --as-is takes faces that are cut out already"
_REMEDIES = {
    "size_filter": "--min-size lets smaller photos in",
    "color_filter": "--keep-grey keeps photos without colours",
    "extract_face": _CUT,
    "align_face": _CUT,
    "quality_filter": "--no-quality keeps bright and dark faces",
}
"""What keeps faces that a step drops, where none is left."""


class Built(Message):
    """The answer of `ligan dataset build --json`."""

    folder: str
    resolution: int
    read: int
    kept: int
    dropped: dict[str, int]
    """Images by the step that dropped them."""
    broken: int
    images_per_second: float | None
    """None when it was finished before."""


def build(arguments: argparse.Namespace) -> int:
    """Exit status: 0 built, 1 not, 130 stopped."""
    progress = ProgressLine(time.monotonic)
    try:
        recipe = recipe_of(arguments)
        with _ending_like_interrupts():
            report = _create(arguments, recipe, progress)
    except KeyboardInterrupt:
        progress.end()
        print("ligan dataset: stopped. The same command goes on from here.", file=sys.stderr)
        return STOPPED
    except DatasetError as error:
        return _failed(progress, str(error))
    except OSError as error:
        why = f"{error.filename or arguments.out}: {error.strerror or error}"
        return _failed(progress, f"{why}. When that is put right, the same command goes on.")
    progress.end()
    built = _built(arguments.out, recipe.size, report, progress.speed(report.read))
    say(built.model_dump_json(indent=2) if arguments.json else show(built))
    return 0 if built.kept else _failed(progress, emptied(built))


def _failed(progress: ProgressLine, sentence: str) -> int:
    progress.end()
    print(f"ligan dataset: {sentence}", file=sys.stderr)
    return 1


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """The steps that were asked for. Raises DatasetError when a number is out of its range."""
    given = {
        "cut": None if arguments.cut is None else Cut(arguments.cut),
        "min_size": arguments.min_size,
        "grey": arguments.keep_grey,
        "min_face": arguments.min_face,
        "confidence": arguments.confidence,
        "quality": arguments.quality,
        "similar": arguments.similar,
    }
    named = {key: value for key, value in given.items() if value is not None}
    recipe = Recipe(**{**(_AS_IS if arguments.as_is else {}), **named}, size=arguments.size, points=arguments.points)
    _check(recipe, arguments.workers)
    return recipe


def show(built: Built) -> str:
    """The answer as text."""
    rows = [*built.dropped.items(), ("broken files", built.broken)]
    lost = "\n".join(f"  {count:>8}  {step}" for step, count in rows if count)
    speed = "" if built.images_per_second is None else f", {built.images_per_second:g} images/s"
    told = f"\nnot in it:\n{lost}" if lost else ""
    return (
        f"{built.folder}: {built.kept} faces of {built.resolution} × {built.resolution} pixels, "
        f"of {built.read} images{speed}{told}\nreport: {Path(built.folder) / PAGE}"
    )


def emptied(built: Built) -> str:
    """What to do where no face is left, by the step that dropped most."""
    most = max(built.dropped, key=built.dropped.__getitem__, default="")
    remedy = _REMEDIES.get(most, "The report says why")
    return f"No face is left. {remedy}."


def _create(arguments: argparse.Namespace, recipe: Recipe, progress: ProgressLine) -> Report:
    photos = Dataset.load(*arguments.sources, labels=arguments.labels)
    check_sources(photos.sources, arguments.labels)
    return applied(recipe, photos).create(
        arguments.out, size=recipe.size, workers=arguments.workers, on_progress=progress
    )


def _check(recipe: Recipe, workers: int) -> None:
    ranges = {
        "--size": (recipe.size, 16, LARGEST),
        "--min-size": (recipe.min_size, 0, 100_000),
        "--min-face": (recipe.min_face, 1, 100_000),
        "--confidence": (recipe.confidence, 0, 1),
        "--similar": (recipe.similar, 0, 10),
        "--workers": (workers, 0, 256),
    }
    for option, (value, least, most) in ranges.items():
        if not least <= value <= most:
            raise DatasetError(f"{option} is {least} to {most}, not {value}.")


def _built(folder: Path, size: int, report: Report, speed: float | None) -> Built:
    return Built(
        folder=plain(str(folder)),
        resolution=size,
        read=report.read,
        kept=report.kept,
        dropped={step.step: step.dropped for step in report.steps},
        broken=len(report.broken),
        images_per_second=None if speed is None else round(speed, 1),
    )


@contextmanager
def _ending_like_interrupts() -> Iterator[None]:
    """SIGTERM, of a scheduler whose time is up, stops a build as Ctrl-C does."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
