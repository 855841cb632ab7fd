"""The `appearance` engine: runs anywhere, on weights that ship with the project."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE, align, whiten
from backend_container.models.appearance.backdrop import even
from backend_container.models.appearance.fillers import Fillers
from backend_container.models.appearance.finisher import fixed_noise
from backend_container.models.appearance.foresight import numbers
from backend_container.models.appearance.frozen_finisher import FrozenFinisher
from backend_container.models.appearance.grain import nobody
from backend_container.models.appearance.warp import Image, moved
from backend_container.models.appearance.weights import Weights
from backend_container.models.appearance.weights import load as load_weights
from backend_container.models.device import checked
from backend_container.models.engine import FaceBox, Latents, ModelError, Photo, Photos
from backend_container.models.landmarks import FaceMesh
from backend_container.models.looks import Looks
from backend_container.models.sampling import Page, neighbours

REACH = 4.0
"""Root mean square of a latent beyond which a render is no face any more; portraits from the front stay below 2."""

OWN = 1.4
"""Factor of what is the person's own in the latent of a photo: the fit holds it near 0, where people are on average,
and the finisher softens it. Everyday photos of unseen people come out with less error then, too (100 of UTKFace)."""


class StandardSpace:
    """The latents' first numbers, which are coordinates already, in standard deviations of the people fitted.

    The others are fine detail: the person's own, and lent grain.
    """

    def __init__(self, dimension: int, latent: int) -> None:
        self.dimension = dimension
        self._finer = latent - dimension

    def project(self, latents: Latents) -> NDArray[np.float32]:
        return latents[:, : self.dimension].copy()

    def lift(self, coordinates: NDArray[np.float32]) -> Latents:
        return np.pad(coordinates, ((0, 0), (0, self._finer)))


class AppearanceEngine:
    """An active appearance model with a finisher; an `Engine`.

    Latents have the shape (D + K + M,): those of `model`, and how much of each of M people's grain is worn (`grain`).
    """

    name = "appearance"
    resolution = SIZE

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        """Raises ModelError: `model-part-missing` without FaceMesh, `device-missing` when torch has no such device."""
        self.weights = weights
        self._model = weights.model
        self._mesh = FaceMesh()
        self._device = checked(device)
        self._finisher = FrozenFinisher(weights.finisher.to(self._device), SIZE)
        self._noise = fixed_noise(SIZE, SIZE).to(device=self._device, memory_format=torch.channels_last)
        self._population = weights.population
        self.space = StandardSpace(self._model.components, self._model.dimension + weights.grain.count)

    @classmethod
    def load(cls, weights: Path, device: str = "cpu") -> Self:
        """The engine of a weights directory. Raises ModelError as `weights.load` and the engine itself do."""
        return cls(load_weights(weights), device)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self._model.dimension + self.weights.grain.count,)

    @property
    def mean(self) -> NDArray[np.float32]:
        return np.zeros(self.latent_shape, np.float32)

    def sample(self, seed: int, count: int) -> Latents:
        """`count` random faces, float32, shape (count, D + K + M); the nth depends on seed and n alone."""
        drawn = self._population.draw(seed, count)
        return self._wearing(drawn, self._population.lenders(seed, count)) if self._lending else self.space.lift(drawn)

    def neighbours(self, latent: NDArray[np.float32], page: Page, suspect: Looks | None = None) -> Latents:
        """Among the engine's people (`fillers`); in the thesis's ball, `sampling.neighbours`, where it has none.

        Those who make the page are chosen by what networks will see of them, where the weights foresee it; of a suspect
        at whom none looked, that is foreseen, too.

        What is the person's own is no neighbour's: it would give every filler the suspect's peculiarities.
        """
        if self._fillers is None:
            return neighbours(self.space, latent, page)
        seen = None if suspect is None else numbers(suspect)[0]
        return self._wearing(*self._fillers.draw(latent[: self.space.dimension], page, seen))

    def frame(self, photo: Photo, face: FaceBox) -> Photo:
        """The face aligned and in neutral light, uint8, (SIZE, SIZE, 3). Raises ModelError (face-not-readable)."""
        frame, _ = align(photo, self._mesh.points(photo, face))
        return whiten(frame)

    def encode(self, photo: Photo, face: FaceBox) -> NDArray[np.float32]:
        """The latent of a face, float32, shape (D + K + M,). Raises ModelError with slug `face-not-readable`."""
        frame, points = align(photo, self._mesh.points(photo, face))
        image = np.asarray(whiten(frame) / np.float32(255), np.float32)
        latent = self._model.encode(image, mesh.vertices(points))
        latent[self._model.components :] *= OWN
        return _within_reach(np.pad(latent, (0, self.weights.grain.count)), self._model.components)

    def synthesize(self, latents: Latents) -> Photos:
        """Photos, uint8, shape (n, SIZE, SIZE, 3). One by one, so that no photo depends on its company."""
        photos = [self._photo(latent) for latent in latents]
        return np.stack(photos) if photos else np.empty((0, SIZE, SIZE, 3), np.uint8)

    @cached_property
    def _fillers(self) -> Fillers | None:
        """A quarter of a second of work, which engines that only render refined photos are spared."""
        return Fillers.of(self._model, self._population, self.weights.foresight)

    @property
    def _lending(self) -> bool:
        return 0 < self.weights.grain.count == len(self._population.faces)

    def _wearing(self, components: NDArray[np.float32], lenders: NDArray[np.intp]) -> Latents:
        latents = self.space.lift(components)
        if self._lending:
            latents[np.arange(len(lenders)), self._model.dimension + lenders] = 1
        return latents

    def _photo(self, latent: NDArray[np.float32]) -> Photo:
        places = self._model.places(latent)
        finished = self._finished(np.clip(moved(self._model.texture(latent), places), 0, 1))
        worn = latent[self._model.dimension :]
        grained = self.weights.grain.on(finished, worn, places)
        return np.asarray(np.rint(even(grained, nobody(worn)) * 255), np.uint8)

    def _finished(self, render: Image) -> Image:
        with torch.inference_mode():
            planes = torch.from_numpy(render).to(self._device).permute(2, 0, 1)[None]
            return np.asarray(self._finisher(planes, self._noise)[0].permute(1, 2, 0).cpu().numpy(), np.float32)


def _within_reach(latent: NDArray[np.float32], components: int) -> NDArray[np.float32]:
    if np.sqrt(np.square(latent[:components]).mean()) > REACH:
        detail = (
            "The face cannot be read: it is turned, hidden or lit as no face that the appearance model knows. "
            "Send a photo from the front, in even light."
        )
        raise ModelError("face-not-readable", detail)
    return latent
