"""Bringing a face to the engine's frame: upright, centred, of one size, before a white background. Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import Photo
from backend_container.models.landmarks import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE, Points

SIZE = 128
"""Height and width of the frame, in pixels."""
WHITE = 222.0
"""Level, 0 to 255, to which a plain background is brought."""
PLAIN = 14.0
"""Largest median deviation of a background, in levels, that counts as plain."""
DARKEST, STRONGEST = 110.0, 1.6
"""A plain background darker than this is not a white one in poor light; no channel is amplified more than this."""


def alignment(points: Points, size: int = SIZE) -> NDArray[np.float64]:
    """The map of photo to frame pixels, shape (2, 3), of Karras et al. (FFHQ, "A Style-Based Generator", appendix A).

    With eyes and mouth corners at their usual places, the frame's centre is a tenth of the way from the eyes to the
    mouth, and half its side is max(2.0 x eye distance, 1.8 x eyes to mouth).
    """
    left, right = points[list(LEFT_EYE)].mean(0), points[list(RIGHT_EYE)].mean(0)
    eyes, mouth = (left + right) / 2, points[list(MOUTH_CORNERS)].mean(0)
    across, down = right - left, mouth - eyes
    axis = across + np.array([down[1], -down[0]])
    half = max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down))
    x, y = axis / np.hypot(*axis) * (size / 2 / half)
    turn = np.array([[x, y], [-y, x]])
    return np.column_stack([turn, size / 2 - turn @ (eyes + 0.1 * down)])


def align(photo: Photo, points: Points, size: int = SIZE) -> tuple[Photo, Points]:
    """The face in its frame, uint8, shape (size, size, 3), and its landmarks there."""
    to_frame = alignment(points, size)
    step = 1 / float(np.hypot(*to_frame[:, 0]))
    soft = photo if step < 1.5 else cv2.GaussianBlur(photo, (0, 0), 0.4 * step)
    frame = cv2.warpAffine(soft, to_frame, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = points @ to_frame[:, :2].T + to_frame[:, 2]
    return np.asarray(frame, np.uint8), moved.astype(np.float32)


def whiten(frame: Photo) -> Photo:
    """The frame in the light that makes its background neutral and equally bright; unchanged before a busy one.

    Otherwise the colour of a studio's lamps would be a property of the person.
    """
    height, width = frame.shape[:2]
    rows, columns = height * 5 // 16, width * 3 // 16
    corners = (
        np.concatenate([frame[:rows, :columns], frame[:rows, -columns:]], axis=1).reshape(-1, 3).astype(np.float32)
    )
    light = corners[corners.mean(1) >= np.quantile(corners.mean(1), 0.6)]  # hair, if any, is the darker part
    colour = np.median(light, axis=0)
    if colour.min() < DARKEST or np.abs(light - colour).mean() > PLAIN:
        return frame
    gain = np.minimum(WHITE / colour, STRONGEST)
    return np.asarray(np.clip(frame * gain + 0.5, 0, 255), np.uint8)
