"""Cutting a head out of a plain background (Rother, Kolmogorov and Blake, "GrabCut", SIGGRAPH 2004)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance import mesh
from backend_container.models.engine import Photo
from backend_container.models.landmarks import Points

ROUNDS = 4
LIKE = 22.0
"""Distance in CIELAB below which a pixel may be of the background's colour."""
BACKGROUND_LOST = 0.2
"""Share of the head's surroundings that was cut off though unlike the background: above it, hair was taken for wall."""
CORNERS = 0.35
"""Share of the upper corners that hair may fill: above it, the wall was taken for the person."""
HOLE = 150
"""Pixels of the largest hole that is filled: a gap between strands or in an ear-ring."""
WIDE, AROUND = 1.35, 1.9
"""Scale of the oval that is probably the person, and of the surroundings where hair may be."""


def matte(frame: Photo, points: Points) -> tuple[NDArray[np.float32], float]:
    """Opacity of the person, 0 to 1, shape (size, size), and the share that was lost (`BACKGROUND_LOST`)."""
    size = len(frame)
    oval = np.asarray(cv2.convexHull(points[list(mesh.OVAL)])[:, 0], np.float32)
    colours = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB).astype(np.float32)
    off = np.linalg.norm(colours - np.median(_corners(colours), axis=0), axis=2)
    guess = _guess(oval, points, off < LIKE)
    try:
        inks = np.zeros((1, 65)), np.zeros((1, 65))  # the colours of both, which it finds
        cv2.grabCut(np.ascontiguousarray(frame[..., ::-1]), guess, (0, 0, 0, 0), *inks, ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # nothing looks like a background
        return np.ones((size, size), np.float32), 1.0
    person = _one_piece(np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)), oval.mean(0))
    if _corners(person[..., None].astype(np.float32)).mean() > CORNERS:
        return np.ones((size, size), np.float32), 1.0
    around = _scaled(oval, AROUND, size) & ~person
    around[int(points[152, 1]) :] = False  # below the chin: clothes
    lost = float((around & (off > LIKE)).sum() / _scaled(oval, 1.0, size).sum())
    return np.asarray(cv2.GaussianBlur(person.astype(np.float32), (0, 0), 1.0), np.float32), lost


def cut_out(frame: Photo, alpha: NDArray[np.float32], level: float) -> Photo:
    """The person before an even grey, 0 to 255."""
    return np.asarray(alpha[..., None] * frame + (1 - alpha[..., None]) * level + 0.5, np.uint8)


def _corners(image: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = len(image) * 3 // 16, len(image) * 5 // 32
    return np.concatenate([image[:height, :width].reshape(-1, 3), image[:height, -width:].reshape(-1, 3)])


def _guess(oval: Points, points: Points, like: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """What GrabCut starts from: the face is the person, the rim of the background's colour is not."""
    size = len(like)
    guess = np.full((size, size), cv2.GC_PR_BGD, np.uint8)
    guess[_scaled(oval, WIDE, size) | (_scaled(oval, AROUND, size) & ~like)] = cv2.GC_PR_FGD
    neck = min(int(points[152, 1]), size - 8)
    guess[neck:, size // 4 : -size // 4] = cv2.GC_PR_FGD
    guess[-10:][~like[-10:]] = cv2.GC_PR_FGD
    rim = np.zeros_like(like)
    rim[:3], rim[: size // 2, :3], rim[: size // 2, -3:] = True, True, True
    guess[rim & like] = cv2.GC_BGD
    guess[_scaled(oval, 1.0, size)] = cv2.GC_FGD
    return guess


def _scaled(oval: Points, scale: float, size: int) -> NDArray[np.bool_]:
    centre = oval.mean(0)
    filled = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(filled, np.rint((oval - centre) * scale + centre).astype(np.int32), 1)
    return filled > 0


def _one_piece(person: NDArray[np.bool_], centre: Points) -> NDArray[np.bool_]:
    """The piece that holds the face's centre, without small holes."""
    _, pieces = cv2.connectedComponents(person.astype(np.uint8))
    piece = pieces == pieces[int(centre[1]), int(centre[0])]
    _, holes, sizes, _ = cv2.connectedComponentsWithStats((~piece).astype(np.uint8), connectivity=4)
    small = [number for number in range(1, len(sizes)) if sizes[number, cv2.CC_STAT_AREA] < HOLE]
    return np.asarray(piece | np.isin(holes, small))
