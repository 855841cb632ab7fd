"""Fine grain that people lend: what is left of their photos' brightness when the finisher is done. Pure.

Components make an average of strands, lashes and pores, and a finisher cannot know them. The finest part of each of the
engine's people is kept, all side by side in the mean shape, as one grey JPEG; a latent says whose is worn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.warp import Image, moved

Array = NDArray[np.float32]
ACROSS = 30
"""People in a row of the picture."""
MIDDLE, STEP = 128, np.float32(0.5 / 127)
"""Grey of no difference in brightness, and the difference, 0 to 1, of one level of grey."""
QUALITY = 60
"""Of the JPEG, 1 to 100."""
AROUND = 5
"""Side, in pixels, of the square whose brightest pixel tells what is a highlight and what a seam."""
HIGHLIGHT, PALE = 0.2, 0.7
"""How much brighter than all around it grain may make a pixel, and how bright: where one person's outline lies beside
another's, it would draw a white seam."""


@dataclass(frozen=True, eq=False)
class Grain:
    """Of `count` people."""

    count: int = 0
    picture: bytes = b""
    """The JPEG; empty without people."""

    @classmethod
    def of(cls, luma: Array, quality: int = QUALITY) -> Self:
        """Of differences in brightness, shape (count, SIZE, SIZE), one or more."""
        grey = np.clip(np.rint(luma / STEP) + MIDDLE, 0, 255).astype(np.uint8)
        rows = _rows(len(grey))
        full = np.pad(grey, ((0, rows * ACROSS - len(grey)), (0, 0), (0, 0)), constant_values=MIDDLE)
        picture = full.reshape(rows, ACROSS, SIZE, SIZE).transpose(0, 2, 1, 3).reshape(rows * SIZE, ACROSS * SIZE)
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        return cls(len(grey), cv2.imencode(".jpg", picture, options)[1].tobytes())

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Shape (count, SIZE, SIZE). Raises ValueError when the picture is not one of so many people."""
        if not self.count:
            return np.empty((0, SIZE, SIZE), np.uint8)
        picture = cv2.imdecode(np.frombuffer(self.picture, np.uint8), cv2.IMREAD_GRAYSCALE)
        rows = _rows(self.count)
        if picture is None or picture.shape != (rows * SIZE, ACROSS * SIZE):
            raise ValueError(f"its grain is no JPEG of {self.count} people")
        tiles = picture.reshape(rows, SIZE, ACROSS, SIZE).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(tiles.reshape(-1, SIZE, SIZE)[: self.count])

    def luma(self, worn: Array) -> Array:
        """Brightness, shape (SIZE, SIZE), of how much of each one's grain is worn, shape (count,)."""
        whose = np.flatnonzero(worn)
        lent = self.grey[whose].astype(np.float32) - MIDDLE
        return np.asarray(np.tensordot(worn[whose] * STEP, lent, axes=1), np.float32)

    def on(self, photo: Image, worn: Array, places: NDArray[np.float32]) -> Image:
        """The finished photo with the grain that is worn; `places`: `warp.source_pixels` of its face."""
        if not worn.any():
            return photo
        around = cv2.dilate(photo, np.ones((AROUND, AROUND), np.uint8))
        brightest = np.maximum(around, np.minimum(around + HIGHLIGHT, PALE))
        grained = photo + moved(self.luma(worn), places)[..., np.newaxis]
        return np.asarray(np.clip(np.minimum(grained, brightest), 0, 1), np.float32)


def nobody(worn: Array) -> float:
    """How much a face is made of people's grain, 0 to 1: 0 of a photo, 1 of a filler or a random face."""
    return float(np.clip(worn.sum(), 0, 1))


def _rows(count: int) -> int:
    return -(-count // ACROSS)
