"""Which face of a photo is meant. Pure; faces are counted from the left, beginning with 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ligan.problem import Problem
from ligan.wire.image import Box

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from backend_container.models.engine import FaceBox

BACKGROUND = 1 / 6
"""A face of less than this share of the largest one's area is a passer-by or a poster, not a second subject."""


def foreground(faces: Iterable[FaceBox]) -> list[FaceBox]:
    """The faces that may be meant, from left to right."""
    found = sorted(faces, key=lambda face: (face.left, face.top))
    largest = max((face.area for face in found), default=0)
    return [face for face in found if face.area >= BACKGROUND * largest]


def box(face: FaceBox) -> Box:
    """The same face as a message."""
    return Box(left=face.left, top=face.top, right=face.right, bottom=face.bottom, score=face.score)


def choose(faces: Sequence[FaceBox], wanted: int | None) -> FaceBox:
    """The face `wanted` (1 is the leftmost), or the only one.

    Raises Problem: no-face; several-faces (its extension `faces` lists the boxes from left to right) when none is
    chosen; invalid-parameters when there is no face of that number.
    """
    if not faces:
        raise Problem(
            "no-face", "No face was found on this photo. Send one that shows a face from the front, in good light."
        )
    if wanted is None and len(faces) > 1:
        raise _several(faces)
    if wanted is not None and wanted > len(faces):
        raise Problem(
            "invalid-parameters", f"There is no face {wanted}. Send `face` from 1 to {len(faces)}, from the left."
        )
    return faces[(wanted or 1) - 1]


def _several(faces: Sequence[FaceBox]) -> Problem:
    return Problem(
        "several-faces",
        f"{len(faces)} faces were found. Crop the photo to one face, or send it again with `face` 1 to {len(faces)}, "
        "counted from the left.",
        faces=[box(face).model_dump() for face in faces],
    )
