"""The `stylegan2` engine: what tasks use of the networks, with NumPy arrays at its edge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_container.models.appearance.align import align
from backend_container.models.device import checked
from backend_container.models.engine import FaceBox, Latents, ModelError, Photo, Photos
from backend_container.models.landmarks import FaceMesh
from backend_container.models.looks import Looks
from backend_container.models.pca import LatentPCA
from backend_container.models.sampling import Page, neighbours, normal
from backend_container.models.stylegan2 import weights as files
from backend_container.models.stylegan2.frozen import FrozenSynthesis
from backend_container.models.stylegan2.weights import Weights

NO_ENCODER = (
    "These stylegan2 weights hold a generator only, so no photo can be read. Train its encoder with "
    "`ligan train encoder`; random faces can be had without."
)


class StyleGAN2Engine:
    """A generator, its encoder into W+ and the subspace for neighbours; an `Engine`.

    Latents are w+. Every image and latent is computed alone and with the noise pattern of the weights: the same latent
    on the same device gives the same bytes, whatever else is asked for in the same call.
    """

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        """Raises ModelError: `model-part-missing` without FaceMesh, `device-missing` when torch has no such device."""
        self.weights = weights
        self._mesh = FaceMesh()
        self._device = checked(device)
        self._generator = weights.generator.to(self._device).eval().requires_grad_(False)
        self._synthesis = FrozenSynthesis(self._generator.synthesis)
        self._encoder = weights.encoder.to(self._device).eval().requires_grad_(False)
        self._network = weights.network
        self._truncation = weights.truncation
        self._pca = weights.pca

    @classmethod
    def load(cls, weights: Path, device: str) -> Self:
        """The engine of a weights directory. Raises ModelError as `weights.load` does, and `device-missing`."""
        return cls(files.load(weights), device)

    @property
    def name(self) -> str:
        return "stylegan2"

    @property
    def resolution(self) -> int:
        return self._network.resolution

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return self._network.latent_shape

    @property
    def mean(self) -> NDArray[np.float32]:
        """The mapping network's mean w, for each layer."""
        return self._numpy(self._generator.broadcast(self._generator.mapping.average[None])[0])

    @property
    def space(self) -> LatentPCA:
        return self._pca

    def sample(self, seed: int, count: int) -> Latents:
        """`count` random faces, truncated as config.json says. The nth depends on seed and n alone.

        Raises ValueError when count or seed is negative.
        """
        z = self._tensor(normal(seed, count=count, dimension=self._network.latent))
        latents = np.empty((count, *self.latent_shape), np.float32)
        with torch.inference_mode():
            for latent, row in zip(latents, z, strict=True):
                latent[:] = self._numpy(self._generator.latents(row[None], self._truncation)[0])
        return latents

    def neighbours(self, latent: NDArray[np.float32], page: Page, suspect: Looks | None = None) -> Latents:
        """In the thesis's ball, `sampling.neighbours`, whatever the suspect looks like."""
        return neighbours(self.space, latent, page)

    def frame(self, photo: Photo, face: FaceBox) -> Photo:
        """The face as in the photos that it was trained on (`ligan dataset build --cut aligned`): aligned, uint8,
        (resolution, resolution, 3). Raises ModelError (face-not-readable)."""
        return align(photo, self._mesh.points(photo, face), self.resolution)[0]

    def encode(self, photo: Photo, face: FaceBox) -> NDArray[np.float32]:
        """The w+ of a face, shape latent_shape.

        Raises ModelError: `face-not-readable` as `frame`, `weights-missing` when the encoder has not been trained.
        """
        if not self.weights.encoder_trained:
            raise ModelError("weights-missing", NO_ENCODER)
        pixels = self._tensor(self.frame(photo, face).astype(np.float32) / 127.5 - 1)
        with torch.inference_mode(), _reproducible():
            return self._numpy(self._encoder(pixels.permute(2, 0, 1)[None])[0])

    def synthesize(self, latents: Latents) -> Photos:
        """Photos of w+ (n, *latent_shape), shape (n, resolution, resolution, 3).

        Raises ValueError when the latents are of another shape or not finite.
        """
        if not np.isfinite(latents).all():
            raise ValueError("latents must be finite numbers")
        images = np.empty((len(latents), self.resolution, self.resolution, 3), np.uint8)
        with torch.inference_mode(), _reproducible():
            for image, latent in zip(images, self._tensor(latents), strict=True):
                image[:] = self._render(latent)
        return images

    def _render(self, latent: Tensor) -> NDArray[np.uint8]:
        pixels = (self._synthesis(latent) * 127.5 + 127.5).round().clamp(0, 255)
        image: NDArray[np.uint8] = pixels.permute(1, 2, 0).to(torch.uint8).cpu().numpy()
        return image

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(self._device)

    def _numpy(self, tensor: Tensor) -> NDArray[np.float32]:
        array: NDArray[np.float32] = tensor.detach().cpu().numpy()
        return array


@contextmanager
def _reproducible() -> Iterator[None]:
    """cuDNN's fixed algorithms at full precision: the fastest ones may add up in another order each time."""
    exact = {"enabled": True, "benchmark": False, "deterministic": True, "allow_tf32": False}
    with torch.backends.cudnn.flags(**exact):
        yield
