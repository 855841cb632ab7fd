"""An engine and a detector without networks: quick, deterministic, NumPy alone; for tests and to try a cluster out.

Its latent is a colour. A photo's latent is the face's mean colour, and a latent's photo is an ellipse of that colour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import FaceBox, Latents, ModelError, Photo, Photos
from backend_container.models.looks import Looks
from backend_container.models.sampling import Page, neighbours

RESOLUTION = 32
_MIDDLE, _SPREAD = 128.0, 32.0  # a standard deviation of latents, in units of colour
_RED = (255, 0, 0)


class FakeSpace:
    """All of the latents' space; its axes are the colour's."""

    dimension = 3

    def project(self, latents: Latents) -> NDArray[np.float32]:
        return latents

    def lift(self, coordinates: NDArray[np.float32]) -> Latents:
        return coordinates


@dataclass
class FakeEngine:
    """`before_synthesis` is called before each image; with it a test stops, slows or breaks a task."""

    before_synthesis: Callable[[], None] = lambda: None
    name: str = "fake"
    resolution: int = RESOLUTION
    latent_shape: tuple[int, ...] = (3,)
    encoded: int = 0
    """How often `encode` was called."""

    @property
    def mean(self) -> NDArray[np.float32]:
        return np.zeros(self.latent_shape, np.float32)

    @property
    def space(self) -> FakeSpace:
        return FakeSpace()

    def sample(self, seed: int, count: int) -> Latents:
        return np.stack([np.random.default_rng((seed, n)).standard_normal(3, np.float32) for n in range(count)])

    def neighbours(self, latent: NDArray[np.float32], page: Page, suspect: Looks | None = None) -> Latents:
        """In the thesis's ball, `sampling.neighbours`, whatever the suspect looks like."""
        return neighbours(self.space, latent, page)

    def frame(self, photo: Photo, face: FaceBox) -> Photo:
        """An ellipse of the face's mean colour."""
        return self._paint(self.encode(photo, face))

    def encode(self, photo: Photo, face: FaceBox) -> NDArray[np.float32]:
        """Raises ModelError (face-not-readable) when the face is smaller than 8 pixels."""
        self.encoded += 1
        if min(face.width, face.height) < 8:
            raise ModelError("face-not-readable", "The face is smaller than 8 pixels; send a larger photo.")
        colour = photo[face.top : face.bottom, face.left : face.right].mean(axis=(0, 1))
        return np.asarray((colour - _MIDDLE) / _SPREAD, np.float32)

    def synthesize(self, latents: Latents) -> Photos:
        return np.stack([self._paint(latent) for latent in latents])

    def _paint(self, latent: NDArray[np.float32]) -> Photo:
        self.before_synthesis()
        rows, columns = np.mgrid[-1 : 1 : 1j * self.resolution, -1 : 1 : 1j * self.resolution]
        inside = (columns / 0.7) ** 2 + rows**2 <= 1
        colour = np.clip(_MIDDLE + _SPREAD * latent, 0, 255).round()
        return np.where(inside[..., np.newaxis], colour, 230).astype(np.uint8)


class FakeDetector:
    """Each run of columns that hold pure red is a face; without any red, the whole photo is one, unless it is plain."""

    def find(self, photo: Photo) -> list[FaceBox]:
        red = (photo == _RED).all(axis=2)
        if red.any():
            return [_box(red, columns) for columns in _runs(np.flatnonzero(red.any(axis=0)))]
        height, width = photo.shape[:2]
        return [] if (photo == photo[0, 0]).all() else [FaceBox(0, 0, width, height, 1.0)]


def _runs(numbers: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    return np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)


def _box(red: NDArray[np.bool_], columns: NDArray[np.intp]) -> FaceBox:
    left, right = int(columns[0]), int(columns[-1]) + 1
    rows = np.flatnonzero(red[:, left:right].any(axis=1))
    return FaceBox(left, int(rows[0]), right, int(rows[-1]) + 1, 1.0)
