"""What a refinement leaves: one latent and how far the generator's weights moved. Bytes of it are an artifact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as format_tensors

from backend_container.models.engine import Engine, ModelError
from ligan.intervals import MAX_CHECKPOINT

MAX_BYTES = MAX_CHECKPOINT
LATENT, DELTA, HEADER = "latent", "delta.", "ligan"
"""Names in the file: the latent, what a moved tensor's name begins with, and the metadata's key."""


class Story(BaseModel):
    """What the file says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["ligan-refined-1"] = "ligan-refined-1"
    engine: str
    weights: str | None = None
    """Fingerprint of the engine's weights, if it is known: the delta means nothing to others."""
    method: str
    began_at: float = Field(ge=0, allow_inf_nan=False)
    """Error of the photo (`Target.error`) before."""
    loss: float = Field(ge=0, allow_inf_nan=False)
    """And after."""
    spent: float = Field(default=0, ge=0, allow_inf_nan=False)
    """Seconds of refining so far, earlier attempts included."""


@dataclass(frozen=True, eq=False)
class RefinedWeights:
    story: Story
    latent: NDArray[np.float32]
    """The photo's face, shape latent_shape."""
    delta: Mapping[str, NDArray[np.float16]]
    """Only the tensors that moved; empty when the latent alone did."""

    def encode(self) -> bytes:
        """A safetensors file; same content, same bytes. Raises ValueError above MAX_BYTES or on numbers not finite."""
        named = {LATENT: self.latent, **{DELTA + name: change for name, change in self.delta.items()}}
        # Not ascontiguousarray, which makes a number a vector; and safetensors writes memory as it lies there.
        tensors: dict[str, NDArray[np.generic]] = {name: np.asarray(one, order="C") for name, one in named.items()}
        if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            raise ValueError("refined weights hold numbers that are not finite")
        data: bytes = format_tensors(tensors, metadata={HEADER: self.story.model_dump_json()})
        if len(data) > MAX_BYTES:
            raise ValueError(f"refined weights may have {MAX_BYTES} bytes; these have {len(data)}")
        return data

    @classmethod
    def decode(cls, data: bytes) -> RefinedWeights:
        """The inverse of `encode`; nothing in the file is executed.

        Raises ModelError with slug `weights-damaged` or, for another format, `weights-mismatch`.
        """
        if len(data) > MAX_BYTES:
            raise _damaged(f"they have {len(data)} bytes, more than {MAX_BYTES}")
        try:
            tensors = parse_tensors(data)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise _damaged(f"they cannot be read as safetensors ({error})") from error
        if not all(_fits(name, tensor) for name, tensor in tensors.items()) or LATENT not in tensors:
            raise _damaged("they hold something else than a latent and 16 bit floats, all finite")
        delta = {name.removeprefix(DELTA): tensor for name, tensor in tensors.items() if name != LATENT}
        return cls(_story(data), tensors[LATENT], delta)

    def check(self, engine: Engine, fingerprint: str | None) -> None:
        """Raises ModelError (`weights-mismatch`) unless they were made with this engine and these weights."""
        own = (engine.name, fingerprint, engine.latent_shape)
        made = (self.story.engine, self.story.weights, self.latent.shape)
        if own != made:
            detail = "These refined weights belong to another engine, or to other weights of it. Refine the photo anew."
            raise ModelError("weights-mismatch", detail)

    def fingerprint(self) -> str:
        """sha256 of latent and delta: takes the place of the engine's in the provenance of what they render."""
        digest = hashlib.sha256((self.story.weights or "").encode())
        for name, tensor in sorted({LATENT: self.latent, **self.delta}.items()):
            digest.update(name.encode() + b"\0" + np.ascontiguousarray(tensor).tobytes())
        return digest.hexdigest()


def _fits(name: str, tensor: NDArray[np.generic]) -> bool:
    expected = np.float32 if name == LATENT else np.float16
    known = name == LATENT or name.startswith(DELTA)
    return known and tensor.dtype == expected and bool(np.isfinite(tensor).all())


def _story(data: bytes) -> Story:
    """From the header of a safetensors file: its length, 8 bytes, and JSON (safetensors, "Format")."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    try:
        return Story.model_validate_json((header.get("__metadata__") or {}).get(HEADER, ""))
    except ValidationError as error:
        detail = "These refined weights are not of a format that this version reads. Refine the photo anew."
        raise ModelError("weights-mismatch", detail) from error


def _damaged(reason: str) -> ModelError:
    return ModelError("weights-damaged", f"The refined weights are damaged: {reason}. Refine the photo anew.")
