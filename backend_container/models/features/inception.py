"""Inception-v3 of the published FID figures (Heusel et al. 2017), with the user's own copy of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from backend_container.models.engine import ModelError, Photos
from backend_container.models.features.inception_network import DIMENSION, InceptionV3
from backend_container.models.features.network import Features
from backend_container.models.features.perceptual import lpips
from backend_container.models.features.state_file import load_state

FILE = "pt_inception-2015-12-05-6726825d.pth"
KIND = f"Inception-v3 of FID, {FILE}"
SIDE = 299
"""Height and width, in pixels, that images are resized to, without a filter against aliasing: as pytorch-fid does."""
CLASSES = 1008
UNUSED = {"fc.weight": (CLASSES, DIMENSION), "fc.bias": (CLASSES,)}
"""The classifier: it tells this network from the one of torchvision, which has 1000 classes and other figures."""


class Inception:
    """A `FeatureNetwork`. Its features are the 2048 maps of the last block, averaged over the picture."""

    name = "inception"
    dimension = DIMENSION

    def __init__(self, network: InceptionV3, device: str = "cpu") -> None:
        self._network = network.eval().requires_grad_(False).to(device)
        self._device = device

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "cpu") -> Self:
        """The network on a torch device, of a .pth or .safetensors file.

        Raises ModelError: `weights-missing` without a file, else as `state_file.load_state`.
        """
        if weights is None:
            detail = (
                "The feature network inception needs weights that no package carries: download "
                f"{FILE} (94 MB) from https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights "
                "and name it: --feature-weights FILE."
            )
            raise ModelError("weights-missing", detail)
        with torch.device("meta"):
            network = InceptionV3()
        load_state(network, weights, KIND, UNUSED)
        return cls(network, device)

    @torch.inference_mode()
    def features(self, photos: Photos) -> Features:
        """Shape (n, 2048). One by one, so that no photo's features depend on its company."""
        rows = [self._pooled(photo) for photo in photos]
        return np.stack(rows) if rows else np.empty((0, self.dimension), np.float32)

    def _pooled(self, photo: np.ndarray[Any, Any]) -> Features:
        image = torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1)[None].float()
        pooled: Features = self.maps(image / 127.5 - 1)[-1].mean((2, 3))[0].cpu().numpy()
        return pooled

    def maps(self, images: Tensor) -> list[Tensor]:
        """64, 192, 768 and 2048 feature maps of images (n, 3, h, w) in -1 to 1, resized; differentiable."""
        resized = F.interpolate(images.to(self._device), (SIDE, SIDE), mode="bilinear", align_corners=False)
        found: list[Tensor] = self._network(resized)
        return found

    def perceptual(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances, shape (n,): see `FeatureNetwork.perceptual`."""
        return lpips(self.maps(a), self.maps(b))
