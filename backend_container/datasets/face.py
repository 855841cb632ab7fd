"""What passes through a pipeline: a face with what is known of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend_container.models.engine import Photo
from backend_container.models.landmarks import Points


class RejectedError(Exception):
    """Raised by a step: this image is not wanted, for that reason."""


@dataclass(frozen=True, eq=False)
class Face:
    """A photo of one face, or one in which a step will look for it."""

    name: str
    """Its file within the source; not a path to open."""
    photo: Photo
    labels: Mapping[str, Any] = field(default_factory=dict)
    points: Points | None = None
    """FaceMesh landmarks in pixels of `photo`, shape (468, 2)."""
    embeddings: Mapping[str, Any] = field(default_factory=dict)
    """By the name of an embedding: the vector of this face, float32, shape (d,)."""


@dataclass(frozen=True)
class Dropped:
    """A step did not want the image."""

    name: str
    step: str
    reason: str = ""


@dataclass(frozen=True)
class Broken:
    """The file could not be read."""

    name: str
    reason: str


Outcome = Face | Dropped | Broken
