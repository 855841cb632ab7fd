"""Cutting a face out of a photo with room for hair, ears and neck (thesis, section 3.1.1). Pure."""

from __future__ import annotations

from backend_container.models.engine import FaceBox

GOAL = 2
"""Side of the wished-for crop, in units of the face's longer side."""


def face_crop(width: int, height: int, face: FaceBox) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the crop around a face of a photo of that size; right and bottom excluded.

    Each axis is extended towards goalsize = 2 max(W_face, H_face), by the same amount at both ends so that the face
    stays in the middle, and never beyond the photo.
    """
    goal = GOAL * max(face.width, face.height)
    horizontal = _padding(goal, face.left, face.right, width)
    vertical = _padding(goal, face.top, face.bottom, height)
    return face.left - horizontal, face.top - vertical, face.right + horizontal, face.bottom + vertical


def _padding(goal: int, start: int, end: int, size: int) -> int:
    before = (goal - (end - start)) // 2
    after = goal - (end - start) - before
    return min(before, after, start, size - end)
