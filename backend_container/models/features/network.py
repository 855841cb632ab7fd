"""The one interface of feature networks, and those that can be named."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from backend_container.models.engine import ModelError, Photos

Features = NDArray[np.float32]
"""One row for each photo, float32, shape (n, dimension)."""

NETWORKS = {
    "inception": ("backend_container.models.features.inception", "Inception"),
    "lite0": ("backend_container.models.features.lite0", "Lite0"),
}
"""Name of a feature network: its module and its class."""


class FeatureNetwork(Protocol):
    """A network that was trained on other pictures and is never trained here."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int:
        """Length of a photo's features."""
        ...

    def features(self, photos: Photos) -> Features:
        """Features of photos of any size, shape (n, dimension); each photo's are its own, whatever its company."""
        ...

    def perceptual(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances, shape (n,), of images (n, 3, R, R) in -1 to 1; gradients reach both.

        Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (LPIPS), CVPR 2018,
        equation 1 without its learnt weights (all are 1), so its numbers are not those of the published metric.
        """
        ...


class NetworkClass(Protocol):
    """What the table's classes offer beside `FeatureNetwork` itself."""

    def load(self, weights: Path | None, device: str) -> FeatureNetwork:
        """Raises ModelError."""
        ...


def load_features(name: str = "lite0", weights: Path | None = None, device: str = "cpu") -> FeatureNetwork:
    """The network `name` on a torch device; `weights` is the user's own file, where the network needs one.

    Raises ModelError with slug `engine-unknown` (no such network), or as its `load` does.
    """
    if name not in NETWORKS:
        detail = f"There is no feature network {name!r}; choose one of: {', '.join(sorted(NETWORKS))}."
        raise ModelError("engine-unknown", detail)
    module, attribute = NETWORKS[name]
    return cast(NetworkClass, getattr(import_module(module), attribute)).load(weights, device)
