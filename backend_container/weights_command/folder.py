"""What a folder of weights says of itself, whatever its engine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from backend_container.loading import fingerprint
from backend_container.models.engine import ModelError
from backend_container.models.loader import WEIGHTS
from backend_container.models.weight_files import CONFIG, sha256
from ligan.wire.base import Message

CARD = "MODEL_CARD.md"


class WeightFile(Message):
    """One file."""

    name: str
    bytes: int
    sha256: str
    sound: bool = Field(description="whether it is the file that config.json names")


class WeightFolder(Message):
    """Weights that an engine can use."""

    folder: str
    engine: str = Field(description="appearance or stylegan2; empty where its format is unknown")
    resolution: int | None = Field(description="pixels of its images' sides")
    bytes: int
    fingerprint: str = Field(description="sha256 over all tensors' files")
    files: list[WeightFile]
    encoder_trained: bool = Field(description="whether it can read photos")
    card: str | None = Field(description="its model card (Markdown)")
    trouble: str | None = Field(None, description="why nothing more is known of it")


def imported_folder() -> Path:
    """Where imports go unless another place is named."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "ligan" / "weights"


def known_folders() -> Iterator[Path]:
    """Folders of the package and of imports that hold weights."""
    for place in (WEIGHTS, imported_folder()):
        if place.is_dir():
            yield from sorted(path.parent for path in place.glob(f"*/{CONFIG}"))


def described(folder: Path) -> WeightFolder:
    """Raises ModelError (`weights-missing`, `weights-mismatch`) when there is no config.json, or none that is one."""
    config = _config(folder)
    files = [_file(folder, name, wanted) for name, wanted in sorted(config["files"].items())]
    card = folder / CARD
    return WeightFolder(
        folder=str(folder),
        engine=_engine(config),
        resolution=_resolution(config),
        bytes=sum(file.bytes for file in files),
        fingerprint=fingerprint(folder),
        files=files,
        encoder_trained=bool(config.get("encoder_trained", _engine(config))),
        card=card.read_text(errors="replace") if card.is_file() else None,
    )


def listed(folder: Path) -> WeightFolder:
    """As `described`, but a folder that is damaged beyond that is told of in `trouble`."""
    try:
        return described(folder)
    except ModelError as error:
        return WeightFolder(
            folder=str(folder),
            engine="",
            resolution=None,
            bytes=0,
            fingerprint="",
            files=[],
            encoder_trained=False,
            card=None,
            trouble=error.detail,
        )


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_bytes())
    except OSError as error:
        detail = f"{folder} holds no weights: {CONFIG} cannot be read ({error.strerror}). Name a folder that does."
        raise ModelError("weights-missing", detail) from error
    except ValueError as error:
        raise ModelError(
            "weights-mismatch", f"{folder / CONFIG} is not JSON. Train or import the weights anew."
        ) from error
    if not isinstance(config, dict) or not _plain_names(config.get("files")):
        detail = f"{folder / CONFIG} names no files of weights. Train or import the weights anew."
        raise ModelError("weights-mismatch", detail)
    return config


def _plain_names(files: object) -> bool:
    """Whether they are names of files in that very folder, each with a text."""
    return isinstance(files, dict) and all(
        Path(name).name == name and isinstance(wanted, str) for name, wanted in files.items()
    )


def _file(folder: Path, name: str, wanted: str) -> WeightFile:
    try:
        blob = (folder / name).read_bytes()
    except OSError as error:
        raise ModelError("weights-missing", f"{folder / name} cannot be read: {error.strerror}.") from error
    found = sha256(blob)
    return WeightFile(name=name, bytes=len(blob), sha256=found, sound=found == wanted)


def _engine(config: dict[str, Any]) -> str:
    if str(config.get("format", "")).startswith("ligan-appearance"):
        return "appearance"
    return "stylegan2" if isinstance(config.get("network"), dict) and "encoder" in config else ""


def _resolution(config: dict[str, Any]) -> int | None:
    network = config.get("network")
    found = network.get("resolution") if isinstance(network, dict) else config.get("resolution")
    return found if isinstance(found, int) else None
