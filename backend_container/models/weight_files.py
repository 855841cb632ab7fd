"""A folder of weights: `config.json` and safetensors files, checked before anything is built of them.

config.json holds the format, the sizes of the networks and the sha256 of each file. No file holds code, and none is
executed. Large tensors may be stored as 16 bit floats, or as int8 with a float32 scale for each row ("NAME.scale").
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as format_tensors
from torch import nn

from backend_container.models.engine import ModelError

CONFIG = "config.json"

Tensors = dict[str, NDArray[np.generic]]
"""Arrays by name, as a file holds them."""
Storage = Callable[[Mapping[str, NDArray[np.generic]]], Tensors]
"""How arrays are stored: `float32`, `float16`, or what `weight_storage` offers besides."""


class Manifest(BaseModel):
    """What every config.json holds; a kind of weights adds its own sizes and narrows the format to a Literal."""

    model_config = ConfigDict(extra="forbid")

    format: int | str
    files: dict[str, str] = {}
    """sha256 of each file, in hexadecimal; `WeightFiles.write` fills it in."""


M = TypeVar("M", bound=Manifest)


@dataclass(frozen=True)
class WeightFiles:
    """A folder of weights of one kind. All refusals are ModelErrors that name the file and say what to do."""

    folder: Path
    kind: str
    """In sentences: "the stylegan2 weights"."""
    remedy: str
    """What to do where there are none: "Train or import them"."""

    def manifest(self, model: type[M]) -> M:
        """config.json. Raises ModelError: `weights-missing`, or `weights-mismatch` when it is of another format."""
        try:
            return model.model_validate_json((self.folder / CONFIG).read_bytes())
        except OSError as error:
            raise self._missing(CONFIG, error) from None
        except ValidationError as error:
            reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise self.mismatch(CONFIG, reasons) from error

    def tensors(self, name: str, manifest: Manifest) -> Tensors:
        """A file's arrays as stored. The bytes that were checked are the ones that are used.

        Raises ModelError: `weights-missing`, or `weights-damaged` when the file is not the one that config.json names,
        cannot be parsed, or holds numbers that are not finite.
        """
        try:
            blob = (self.folder / name).read_bytes()
        except OSError as error:
            raise self._missing(name, error) from None
        if hashlib.sha256(blob).hexdigest() != manifest.files.get(name):
            raise self.damaged(name, f"its {len(blob)} bytes are not those that {CONFIG} names")
        try:
            tensors: Tensors = parse_tensors(blob)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise self.damaged(name, f"it cannot be read as safetensors ({error})") from error
        if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            raise self.damaged(name, "it holds numbers that are not finite floats")
        return tensors

    def fill(self, module: nn.Module, name: str, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        """Load a file's tensors into a network, as 32 bit floats.

        Raises ModelError: `weights-mismatch` unless they are exactly its tensors by name and shape;
        `weights-damaged` when they are not floats.
        """
        if not all(tensor.dtype.kind == "f" for tensor in tensors.values()):
            raise self.damaged(name, "it holds numbers that are not finite floats")
        expected = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
        self.check_shapes(name, tensors, expected)
        module.load_state_dict({key: torch.from_numpy(tensor.astype(np.float32)) for key, tensor in tensors.items()})

    def check_shapes(
        self, name: str, tensors: Mapping[str, NDArray[np.generic]], expected: Mapping[str, tuple[int, ...]]
    ) -> None:
        """Raises ModelError (`weights-mismatch`) unless a file's tensors are exactly those expected."""
        found = {key: tensor.shape for key, tensor in tensors.items()}
        wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        if wrong:
            first = f"{wrong[0]}: {found.get(wrong[0], 'absent')} in place of {expected.get(wrong[0], 'none')}"
            reason = f"it does not fit the sizes in {CONFIG}: {len(wrong)} tensors differ, the first {first}"
            raise self.mismatch(name, reason)

    def write(
        self, manifest: Manifest, parts: Mapping[str, Mapping[str, NDArray[np.generic]]], storage: Storage
    ) -> None:
        """Write files by name, and config.json last and whole: a write that was cut off shows as damage.

        Raises ValueError when a number is not finite, or would not be as it is stored; nothing is written then.
        """
        blobs = {name: _serialised(name, storage(tensors)) for name, tensors in parts.items()}
        named = manifest.model_copy(update={"files": {name: sha256(blob) for name, blob in blobs.items()}})
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, blob in blobs.items():
            (self.folder / name).write_bytes(blob)
        draft = self.folder / f"{CONFIG}.draft"
        draft.write_text(named.model_dump_json(indent=2) + "\n")
        draft.replace(self.folder / CONFIG)

    def _missing(self, name: str, error: OSError) -> ModelError:
        there = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        detail = f"There are no {self.kind}: {self.folder / name} {there}. {self.remedy}"
        return ModelError("weights-missing", detail)

    def damaged(self, name: str, reason: str) -> ModelError:
        detail = f"{name} of the {self.kind} is damaged: {reason}. Copy the directory again."
        return ModelError("weights-damaged", detail)

    def mismatch(self, name: str, reason: str) -> ModelError:
        detail = f"{name} of the {self.kind} is not one that this version reads ({reason}). Train or import them anew."
        return ModelError("weights-mismatch", detail)


def module_tensors(module: nn.Module) -> Tensors:
    """A network's state as arrays."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in module.state_dict().items()}


def float32(tensors: Mapping[str, NDArray[np.generic]]) -> Tensors:
    """Floats of 32 bits."""
    return {name: np.asarray(tensor, np.float32, order="C") for name, tensor in tensors.items()}


def float16(tensors: Mapping[str, NDArray[np.generic]]) -> Tensors:
    """Floats of 16 bits, at half the size. What overflows is refused by `WeightFiles.write`."""
    with np.errstate(over="ignore"):
        return {name: np.asarray(tensor, np.float16, order="C") for name, tensor in tensors.items()}


def sha256(blob: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(blob).hexdigest()


def _serialised(name: str, stored: Tensors) -> bytes:
    unfit = [key for key, tensor in stored.items() if not np.isfinite(tensor).all()]
    if unfit:
        bits = 8 * stored[unfit[0]].dtype.itemsize
        raise ValueError(f"{name}: not finite as {bits} bit floats: {', '.join(unfit)}")
    return bytes(format_tensors(stored))
