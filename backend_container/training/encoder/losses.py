"""What an encoder lowers: L = pixels + features (thesis, section 3.4.3) + identity + latents."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from backend_container.models.face_chip import of_frame
from backend_container.models.features.network import FeatureNetwork, load_features
from backend_container.models.identity.dlib_resnet import PADDING, DlibResNet
from backend_container.models.identity.loader import load_identity
from backend_container.models.identity.resnet import SIZE as CHIP
from backend_container.training.encoder.config import Config


class Losses:
    """Networks that judge are loaded only where they have a weight.

    Raises ModelError with slug `model-part-missing` when one is not installed.
    """

    def __init__(self, config: Config, spread: Tensor, device: str) -> None:
        """`spread`, shape (): the standard deviation of the generator's w."""
        self._config, self._spread = config, spread
        self._features: FeatureNetwork | None = load_features("lite0", None, device) if config.features else None
        self._identity = _identity(device) if config.identity else None

    def __call__(self, images: Tensor, wanted: Tensor, latents: Tensor, known: Tensor) -> dict[str, Tensor]:
        """By name, unweighted. Images (n, 3, R, R), -1 to 1; the first rows of latents have `known` w+."""
        found = {"pixels": F.mse_loss(images, wanted) / 4}
        if self._features is not None:
            found["features"] = self._features.perceptual(images, wanted).mean()
        if self._identity is not None:
            apart = self._identity.differentiable(_chips(images)) - self._identity.differentiable(_chips(wanted))
            found["identity"] = apart.square().sum(1).mean()
        if len(known):
            found["latents"] = ((latents[: len(known)] - known) / self._spread).square().mean()
        return found

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """Weighted and added."""
        weights = self._config.model_dump(include=set(losses))
        return sum((weights[name] * loss for name, loss in losses.items()), self._spread.new_zeros(()))


def _identity(device: str) -> DlibResNet:
    embedding = load_identity(device)
    assert isinstance(embedding, DlibResNet)  # noqa: S101 (the one that there is; gradients are not in the protocol)
    return embedding


def _chips(images: Tensor) -> Tensor:
    """What `face_chips` cuts out of aligned faces, differentiable."""
    side = images.shape[-1]
    back = np.linalg.inv(np.vstack([of_frame(side, CHIP, PADDING), [0, 0, 1]]))
    plane = _to_unit(side) @ back @ np.linalg.inv(_to_unit(CHIP))
    places = torch.from_numpy(plane[:2]).to(images).expand(len(images), 2, 3)
    grid = F.affine_grid(places, [len(images), 3, CHIP, CHIP], align_corners=False)
    return (F.grid_sample(images, grid, padding_mode="border", align_corners=False) + 1) * 127.5


def _to_unit(side: int) -> NDArray[np.float64]:
    """From pixels to `grid_sample`'s coordinates, in which an image reaches from -1 to 1."""
    return np.array([[2 / side, 0, 1 / side - 1], [0, 2 / side, 1 / side - 1], [0, 0, 1]])
