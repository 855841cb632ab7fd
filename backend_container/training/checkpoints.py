"""Checkpoints of a training run: a folder of safetensors parts, each set named by a JSON file that comes last.

`00000120.json` holds the state's tree, the configuration and the SHA-256 of each `00000120-N.safetensors`. It is
written after its parts are durable: a write that is cut off at any moment leaves the checkpoint
before it. No part has 16 MiB or more, but for a single tensor that has.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as format_tensors
from torch import Tensor

from backend_container.training.error import TrainingError
from backend_container.training.state_tree import State, StateError, flatten, rebuild
from ligan import durable

PART_BYTES = 15 << 20
log = logging.getLogger(__name__)


class Manifest(BaseModel):
    """A checkpoint's JSON file."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    step: int
    config: dict[str, Any]
    tree: Any
    parts: dict[str, str]
    """SHA-256 in hexadecimal of each part, by file name, in order."""


@dataclass(frozen=True)
class Checkpoint:
    step: int
    config: dict[str, Any]
    state: State


class Checkpoints:
    """Those of one run, in `folder`. One process writes."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self._folder, self._keep = folder, keep

    def save(self, step: int, config: Mapping[str, Any], state: State) -> None:
        """Durable when this returns. Raises StateError for what cannot be stored, and OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        tree, tensors = flatten(state)
        parts = {f"{step:08}-{number}.safetensors": part for number, part in enumerate(_parts(tensors))}
        sums = {name: _write(self._folder / name, format_tensors(dict(part))) for name, part in parts.items()}
        manifest = Manifest(step=step, config=dict(config), tree=tree, parts=sums)
        durable.write(self._folder / f"{step:08}.json", manifest.model_dump_json().encode())
        self._prune()

    def newest(self) -> Checkpoint | None:
        """The newest whole one, None where there is none at all; those that are torn are passed over with a warning.

        Raises TrainingError where there are some and none is whole.
        """
        found = self._manifests()
        for path in found:
            try:
                return _read(path)
            except (OSError, ValidationError, SafetensorError, StateError, ValueError) as error:
                reason = str(error).splitlines()[0]
                log.warning("%s is damaged and passed over: %s", path.name, reason)
        if found:
            raise TrainingError(
                f"None of the {len(found)} checkpoints in {self._folder} can be read: put back a copy, or start anew "
                "with another --out."
            )
        return None

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(path.stat().st_size for path in self._folder.glob("*")) if self._folder.is_dir() else 0

    def _manifests(self) -> Sequence[Path]:
        return sorted((path for path in self._folder.glob("*.json") if path.stem.isdecimal()), reverse=True)

    def _prune(self) -> None:
        """All but the newest go, their manifests first; so do parts of writes that were cut off."""
        found = self._manifests()
        for path in found[self._keep :]:
            path.unlink()
        kept = {path.stem for path in found[: self._keep]}
        for path in (*self._folder.glob("*.safetensors"), *self._folder.glob("*.part")):
            if path.name.split("-")[0] not in kept or path.suffix == ".part":
                path.unlink()


def _parts(tensors: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    part: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        if part and size + tensor.nbytes > PART_BYTES:
            yield part
            part, size = {}, 0
        part[name] = tensor
        size += tensor.nbytes
    if part:
        yield part


def _write(path: Path, data: bytes) -> str:
    """SHA-256 in hexadecimal of what is durable then."""
    durable.write(path, data)
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> Checkpoint:
    manifest = Manifest.model_validate_json(path.read_bytes())
    tensors: dict[str, Tensor] = {}
    for name, wanted in manifest.parts.items():
        data = (path.parent / Path(name).name).read_bytes()
        if hashlib.sha256(data).hexdigest() != wanted:
            raise ValueError(f"the bytes of {name} are not those that were written")
        tensors |= parse_tensors(data)
    return Checkpoint(manifest.step, manifest.config, rebuild(manifest.tree, tensors))
