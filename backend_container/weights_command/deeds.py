"""What `ligan weights` does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from backend_container.models.engine import ModelError
from backend_container.weights_command.folder import (
    WeightFolder,
    described,
    imported_folder,
    known_folders,
    listed,
)
from ligan.output import say
from ligan.wire.base import Message


class WeightList(Message):
    """The answer to `ligan weights list --json`."""

    weights: list[WeightFolder]


def show_list(arguments: argparse.Namespace) -> int:
    """All weights, sound or not."""
    found = [*map(listed, known_folders()), *map(described, arguments.folders)]
    say(WeightList(weights=found).model_dump_json(indent=2) if arguments.json else _table(found))
    return 0


def show_info(arguments: argparse.Namespace) -> int:
    """One folder; 1 when a file is not the one that config.json names."""
    found = described(arguments.folder)
    say(found.model_dump_json(indent=2) if arguments.json else _text(found))
    return 0 if all(file.sound for file in found.files) else 1


def import_file(arguments: argparse.Namespace) -> int:
    """A published file, as weights."""
    from backend_container.weights_command.importing import import_published  # torch

    if not 0 <= arguments.truncation <= 1:
        raise ModelError("weights-mismatch", f"--truncation is 0 to 1, not {arguments.truncation}.")
    folder = arguments.out or imported_folder() / arguments.file.stem
    import_published(arguments.file, folder, arguments.truncation, half=arguments.half)
    found = described(folder)
    say(found.model_dump_json(indent=2) if arguments.json else f"{_text(found)}\n\n{_setting(found)}")
    return 0


DEEDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": show_list,
    "info": show_info,
    "import": import_file,
}


def _table(found: list[WeightFolder]) -> str:
    rows = [("FOR", "PIXELS", "MB", "PHOTOS", "TERMS", "SHA256", "FOLDER"), *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(one: WeightFolder) -> tuple[str, ...]:
    sound = one.trouble is None and all(file.sound for file in one.files)
    photos = ("yes" if one.encoder_trained else "no encoder") if one.engine else "–"
    return (
        one.use or "unknown",
        str(one.resolution or "–"),
        f"{one.bytes / 1e6:.1f}",
        photos,
        one.terms or "–",
        one.fingerprint[:12] if sound else "DAMAGED",
        one.folder,
    )


def _text(one: WeightFolder) -> str:
    files = [
        f"  {file.name}  {file.bytes} bytes  {file.sha256}{'' if file.sound else '  DAMAGED'}" for file in one.files
    ]
    card = f"\n\n{one.card.rstrip()}" if one.card else ""
    return "\n".join([_table([one]), *files]) + card


def _setting(one: WeightFolder) -> str:
    return f'[backend]\nengine = "{one.engine}"\nweights = "{Path(one.folder).resolve()}"'
