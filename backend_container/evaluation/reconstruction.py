"""How near a reconstruction comes to its photo. Pure NumPy but for the perceptual distance."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_container.models.engine import Photos
from backend_container.models.features.network import FeatureNetwork

Array = NDArray[np.float64]


def squared_errors(frames: Photos, made: Photos) -> Array:
    """Mean squared error of each photo, pixels 0 to 1, shape (n,)."""
    off = (frames.astype(np.float64) - made) / 255
    return cast(Array, np.square(off).mean((1, 2, 3)))


def signal_to_noise(errors: Array) -> Array:
    """PSNR in dB of mean squared errors of pixels 0 to 1, shape (n,); no more than 100 (an error of nothing)."""
    return cast(Array, -10 * np.log10(np.maximum(errors, 1e-10)))


@torch.inference_mode()
def perceptual_distances(network: FeatureNetwork, frames: Photos, made: Photos) -> Array:
    """`FeatureNetwork.perceptual` of each pair, shape (n,)."""
    pairs = zip(frames, made, strict=True)
    return np.array([network.perceptual(_image(a), _image(b)).item() for a, b in pairs], np.float64)


def _image(photo: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1)[None].float() / 127.5 - 1
