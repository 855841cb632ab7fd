"""The one place where images become PNG files and files become images again."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from pydantic import JsonValue

from backend_container.models.engine import Engine, Photo
from ligan.problem import Problem
from ligan.wire.base import Message

CHUNK = "ligan"
"""Keyword of the tEXt chunk (PNG, third edition, section 11.3.3.2) that says how an image was made."""
_FLOAT32 = np.dtype("<f4")


@dataclass(frozen=True, eq=False)
class Provenance:
    """How an image was made: enough to make its neighbours without looking at it again."""

    engine: str
    weights: str | None
    """Fingerprint of the engine's weights, if it is known."""
    kind: str
    params: Mapping[str, JsonValue]
    """The task's parameters but for its images, whose names are the session's own business."""
    latent: NDArray[np.float32]

    def fits(self, engine: Engine, weights: str | None) -> bool:
        """Whether the latent means the same face to this engine."""
        same = (self.engine, self.weights) == (engine.name, weights)
        return same and self.latent.shape == engine.latent_shape


class _Chunk(Message):
    engine: str
    weights: str | None
    kind: str
    params: dict[str, JsonValue]
    shape: list[int]
    latent: str


def encode(image: Photo, made: Provenance) -> bytes:
    """An 8-bit RGB PNG that carries its provenance; same image and provenance, same bytes.

    Raises ValueError when the image is not uint8 of shape (height, width, 3).
    """
    info = PngInfo()
    info.add_text(CHUNK, _chunk(made).model_dump_json())
    return _saved(image, info)


def plain(image: Photo) -> bytes:
    """The same without provenance."""
    return _saved(image, None)


def _saved(image: Photo, info: PngInfo | None) -> bytes:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an RGB image is uint8 of shape (height, width, 3), not {image.dtype} of {image.shape}")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", pnginfo=info, compress_level=6)
    return buffer.getvalue()


def decode(data: bytes) -> Photo:
    """The photo of a file's bytes, as RGB, turned upright as its EXIF says.

    Raises Problem: not-an-image, image-too-large.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:  # Pillow calls a broken PNG a SyntaxError
        raise Problem(
            "not-an-image", "The photo cannot be read; save it again as JPEG or PNG and send that."
        ) from error
    except Image.DecompressionBombError as error:
        raise Problem("image-too-large", "The photo has too many pixels; scale it down and send it again.") from error


def provenance(data: bytes) -> Provenance | None:
    """What a PNG of ours says of itself; None when it says nothing that can be understood."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _provenance(_Chunk.model_validate_json(image.info.get(CHUNK, "")))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return None


def sha256(data: bytes) -> str:
    """The name of an artifact."""
    return hashlib.sha256(data).hexdigest()


def _chunk(made: Provenance) -> _Chunk:
    body = base64.b64encode(made.latent.astype(_FLOAT32).tobytes()).decode()
    return _Chunk(
        engine=made.engine,
        weights=made.weights,
        kind=made.kind,
        params=dict(sorted(made.params.items())),
        shape=list(made.latent.shape),
        latent=body,
    )


def _provenance(chunk: _Chunk) -> Provenance:
    """Raises ValueError when the latent is not one."""
    latent = np.frombuffer(base64.b64decode(chunk.latent, validate=True), _FLOAT32).astype(np.float32)
    if not np.isfinite(latent).all():
        raise ValueError("the latent holds values that are not finite")
    return Provenance(chunk.engine, chunk.weights, chunk.kind, chunk.params, latent.reshape(chunk.shape))
