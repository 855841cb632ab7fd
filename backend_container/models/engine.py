"""The one interface between tasks and face models: every engine makes latents of photos and photos of latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend_container.models.looks import Looks
from backend_container.models.sampling import Page

Photo = NDArray[np.uint8]
"""RGB image, uint8, shape (height, width, 3), values 0 to 255."""
Photos = NDArray[np.uint8]
"""RGB images of one size, uint8, shape (n, height, width, 3)."""
Latents = NDArray[np.float32]
"""n latents of an engine, float32, shape (n, *latent_shape)."""


@dataclass(frozen=True)
class FaceBox:
    """A detected face in pixels of its photo: left and top included, right and bottom excluded, inside the photo."""

    left: int
    top: int
    right: int
    bottom: int
    score: float
    """Detector's confidence, 0 to 1."""

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def area(self) -> int:
        return self.width * self.height


class Space(Protocol):
    """The linear subspace of an engine's latents that its faces lie in (thesis, section 3.4.5)."""

    @property
    def dimension(self) -> int: ...

    def project(self, latents: Latents) -> NDArray[np.float32]:
        """Coordinates in units of the population's standard deviation, shape (n, dimension)."""
        ...

    def lift(self, coordinates: NDArray[np.float32]) -> Latents:
        """Latents of coordinates; `lift(project(x))` is x without what the subspace leaves out."""
        ...


class Engine(Protocol):
    """A face model. Implementations: `appearance` and `stylegan2`. Nothing else of an engine is used by tasks."""

    @property
    def name(self) -> str:
        """`appearance` or `stylegan2`."""
        ...

    @property
    def resolution(self) -> int:
        """Height and width of what it renders, in pixels."""
        ...

    @property
    def latent_shape(self) -> tuple[int, ...]: ...

    @property
    def mean(self) -> NDArray[np.float32]:
        """The average face's latent, shape latent_shape."""
        ...

    @property
    def space(self) -> Space: ...

    def sample(self, seed: int, count: int) -> Latents:
        """`count` random faces. The nth depends on seed and n alone, whatever `count` is."""
        ...

    def neighbours(self, latent: NDArray[np.float32], page: Page, suspect: Looks | None = None) -> Latents:
        """A page of faces like that of a latent (shape latent_shape). The nth of it depends on the latent, the suspect
        and the page's (seed, number, n) alone, to the byte.

        `suspect` is what networks see of the one face that the latent is of: an engine that can foresee what they would
        see of its own faces chooses those that are as far in identity as the page shall be, and of such age and gender.

        Raises ValueError when number or count is below 1, or the seed negative.
        """
        ...

    def frame(self, photo: Photo, face: FaceBox) -> Photo:
        """One face of a photo as the engine sees it, shape (resolution, resolution, 3): what a perfect reconstruction
        would equal. Raises ModelError as `encode`."""
        ...

    def encode(self, photo: Photo, face: FaceBox) -> NDArray[np.float32]:
        """The latent of one face of a photo, shape latent_shape.

        Raises ModelError with slug `face-not-readable` when the face cannot be landmarked (profile, covered, tiny).
        """
        ...

    def synthesize(self, latents: Latents) -> Photos:
        """Photos of latents, shape (n, resolution, resolution, 3); same latents, same device, same bytes."""
        ...


class ModelError(Exception):
    """A model cannot do what it was asked for.

    `slug` names the kind (it becomes the problem type), `detail` says in one sentence what is wrong and what to do.
    """

    def __init__(self, slug: str, detail: str) -> None:
        super().__init__(f"{slug}: {detail}")
        self.slug = slug
        self.detail = detail
