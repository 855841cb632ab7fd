"""What a folder of weights says of itself, whatever its engine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from backend_container.loading import fingerprint
from backend_container.models.engine import ModelError
from backend_container.models.loader import WEIGHTS
from backend_container.models.weight_files import CONFIG, sha256
from ligan.output import plain
from ligan.wire.base import Message

CARD = "MODEL_CARD.md"
TERMS = re.compile(r"^- \*\*Terms\*\*: (.+?)\.?$", re.MULTILINE)
"""The line of a model card that says in a few words who may use the weights for what."""
ATTRIBUTES = "attributes"


class WeightFile(Message):
    """One file."""

    name: str
    bytes: int
    sha256: str
    sound: bool = Field(description="whether it is the file that config.json names")


class WeightFolder(Message):
    """Weights of an engine, or of what judges faces."""

    folder: str
    use: str = Field(description="appearance or stylegan2: an engine; attributes: judges faces; empty where unknown")
    engine: str = Field(description="the same where that is an engine; else empty")
    resolution: int | None = Field(description="pixels of the sides of the images that it makes or judges")
    bytes: int
    fingerprint: str = Field(description="sha256 over all tensors' files")
    files: list[WeightFile]
    encoder_trained: bool = Field(description="whether an engine with it can read photos")
    terms: str | None = Field(None, description="who may use it for what, as its model card says")
    card: str | None = Field(description="its model card (Markdown)")
    trouble: str | None = Field(None, description="why nothing more is known of it")


def imported_folder() -> Path:
    """Where imports go unless another place is named."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "ligan" / "weights"


def known_folders() -> Iterator[Path]:
    """Folders of the package and of imports that hold weights."""
    for place in (WEIGHTS, WEIGHTS / ATTRIBUTES, imported_folder()):
        if place.is_dir():
            yield from sorted(path.parent for path in place.glob(f"*/{CONFIG}"))


def described(folder: Path) -> WeightFolder:
    """Raises ModelError (`weights-missing`, `weights-mismatch`) when there is no config.json, or none that is one."""
    config = _config(folder)
    files = [_file(folder, name, wanted) for name, wanted in sorted(config["files"].items())]
    card = _card(folder)
    return WeightFolder(
        folder=plain(str(folder)),
        use=_use(config),
        engine=_engine(config),
        resolution=_resolution(config),
        bytes=sum(file.bytes for file in files),
        fingerprint=fingerprint(folder),
        files=files,
        encoder_trained=bool(config.get("encoder_trained", _engine(config))),
        terms=_terms(card),
        card=card,
    )


def listed(folder: Path) -> WeightFolder:
    """As `described`, but a folder that is damaged beyond that is told of in `trouble`."""
    try:
        return described(folder)
    except ModelError as error:
        return WeightFolder(
            folder=plain(str(folder)),
            use="",
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


def _card(folder: Path) -> str | None:
    card = folder / CARD
    return card.read_text(errors="replace") if card.is_file() else None


def _terms(card: str | None) -> str | None:
    match = TERMS.search(card or "")
    return match[1] if match else None


def _use(config: dict[str, Any]) -> str:
    return ATTRIBUTES if str(config.get("format", "")).startswith("ligan-attributes") else _engine(config)


def _engine(config: dict[str, Any]) -> str:
    if str(config.get("format", "")).startswith("ligan-appearance"):
        return "appearance"
    return "stylegan2" if isinstance(config.get("network"), dict) and "encoder" in config else ""


def _resolution(config: dict[str, Any]) -> int | None:
    network = config.get("network")
    found = network.get("resolution", network.get("side")) if isinstance(network, dict) else config.get("resolution")
    return found if isinstance(found, int) else None
