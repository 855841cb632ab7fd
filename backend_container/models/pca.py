"""The subspace of a latent space in which neighbours are drawn: principal components of the latents of many faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import Latents

COMPONENTS = 256
"""Dimension that the thesis settled on (section 3.4.5)."""
LEAST_BATCH = 512
"""Latents that are taken together, at least, when they come in batches."""
SMALLEST_DEVIATION = 1e-5
"""A component's least standard deviation, relative to the first one's: below it, it is rounding and not variation."""


@dataclass(frozen=True, eq=False)
class LatentPCA:
    """Principal components of latents; a `Space` of coordinates in standard deviations.

    Raises ValueError when the shapes do not fit together, a number is not finite or a deviation is not above zero.
    """

    mean: NDArray[np.float32]
    """The average latent, shape latent_shape."""
    components: NDArray[np.float32]
    """Orthonormal directions, shape (dimension, *latent_shape)."""
    deviations: NDArray[np.float32]
    """Standard deviation of the population along each component, falling, shape (dimension,)."""

    def __post_init__(self) -> None:
        shapes = {"components": self.components.shape, "deviations": self.deviations.shape}
        fitting = {"components": (self.dimension, *self.mean.shape), "deviations": (self.dimension,)}
        if shapes != fitting:
            raise ValueError(f"a subspace of latents of shape {self.mean.shape} needs {fitting}, not {shapes}")
        if not all(np.isfinite(tensor).all() for tensor in self.tensors().values()) or self.deviations.min() <= 0:
            raise ValueError("a subspace holds finite numbers only, and deviations above zero")

    @classmethod
    def fit(cls, latents: Latents, dimension: int = COMPONENTS, seed: int = 0) -> Self:
        """The subspace of a sample of latents, shape (n, *latent_shape); the thesis takes 10 000 (section 3.4.5).

        Raises ValueError when the latents are too few, or lie in fewer dimensions than are asked for.
        """
        if len(latents) <= dimension:
            raise ValueError(f"{dimension} components need more than {dimension} latents, not {len(latents)}")
        from sklearn.decomposition import PCA  # a second of import that only fitting needs

        pca = PCA(n_components=dimension, random_state=seed).fit(latents.reshape(len(latents), -1))
        return cls._checked(pca.mean_, pca.components_, np.sqrt(pca.explained_variance_), latents.shape[1:])

    @classmethod
    def fit_batches(cls, batches: Iterable[Latents], dimension: int = COMPONENTS) -> Self:
        """The same of latents that come in batches, of any size, in the memory of a few hundred of them.

        Incremental: what the components so far leave out of a batch is forgotten (Ross et al., "Incremental Learning
        for Robust Visual Tracking", IJCV 77, 2008), so weak components come out a little weaker than `fit` finds them.
        Raises ValueError as `fit` does.
        """
        from sklearn.decomposition import IncrementalPCA  # a second of import that only fitting needs

        pca, shape = IncrementalPCA(n_components=dimension), (0,)
        for batch in _at_least(batches, max(2 * dimension, LEAST_BATCH)):
            shape = batch.shape[1:]
            if len(batch) <= dimension:
                raise ValueError(f"{dimension} components need more than {dimension} latents, not {len(batch)}")
            pca.partial_fit(batch.reshape(len(batch), -1))
        if not np.prod(shape):
            raise ValueError(f"{dimension} components need more than {dimension} latents, not 0")
        return cls._checked(pca.mean_, pca.components_, np.sqrt(pca.explained_variance_), shape)

    @classmethod
    def _checked(
        cls,
        mean: NDArray[np.floating],
        components: NDArray[np.floating],
        deviations: NDArray[np.floating],
        shape: tuple[int, ...],
    ) -> Self:
        if deviations[-1] <= SMALLEST_DEVIATION * deviations[0]:
            raise ValueError(f"the latents vary in fewer than {len(deviations)} dimensions; ask for fewer components")
        return cls(*map(_float32, (mean.reshape(shape), components.reshape(-1, *shape), deviations)))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.floating]]) -> Self:
        """The inverse of `tensors`. Raises KeyError naming a tensor that is missing, ValueError on wrong shapes."""
        return cls(*(_float32(tensors[name]) for name in ("mean", "components", "deviations")))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """What a safetensors file of it holds."""
        return {"mean": self.mean, "components": self.components, "deviations": self.deviations}

    @property
    def dimension(self) -> int:
        return len(self.components)

    def project(self, latents: Latents) -> NDArray[np.float32]:
        """Coordinates in standard deviations, shape (n, dimension)."""
        centred = (latents - self.mean).reshape(len(latents), -1)
        return _float32(centred @ self._directions.T / self.deviations)

    def lift(self, coordinates: NDArray[np.float32]) -> Latents:
        """Latents of coordinates, shape (n, *latent_shape)."""
        offsets = coordinates * self.deviations @ self._directions
        return _float32(offsets.reshape(-1, *self.mean.shape) + self.mean)

    @property
    def _directions(self) -> NDArray[np.float32]:
        return self.components.reshape(self.dimension, -1)


def _at_least(batches: Iterable[Latents], least: int) -> Iterator[Latents]:
    """The same latents in batches of `least` or more; what is left at the end goes with the last of them."""
    held: list[Latents] = []
    ready: Latents | None = None
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) < least:
            continue
        if ready is not None:
            yield ready
        ready, held = np.concatenate(held), []
    rest = [*([ready] if ready is not None else []), *held]
    if rest:
        yield np.concatenate(rest)


def _float32(tensor: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor, dtype=np.float32)
