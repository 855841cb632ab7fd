"""Maps of the identity embedding's network: features that know faces, where ImageNet's know objects."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_container.models.face_chip import FRAME, USUAL, to_chip
from backend_container.models.identity.dlib_file import read_parameters
from backend_container.models.identity.dlib_resnet import MEAN_RGB, PADDING
from backend_container.models.identity.loader import FILE, PACKAGE
from backend_container.models.identity.resnet import LEVELS, SIZE, network
from backend_container.models.package_files import package_file


class IdentityMaps(nn.Module):
    """Aligned faces (n, 3, side, side), 0 to 1, to maps (n, dimension, 2, 2), the last before the embedding."""

    dimension = LEVELS[-1][0]
    mean: Tensor
    grid: Tensor

    def __init__(self) -> None:
        """Raises ModelError (model-part-missing) when the network's carrier is not installed."""
        super().__init__()
        self.network = network(read_parameters(package_file(PACKAGE, FILE)))
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(3, 1, 1), persistent=False)
        self.register_buffer("grid", _grid(), persistent=False)

    def forward(self, faces: Tensor) -> Tensor:
        maps: Tensor = self.network.maps((255 * self._chips(faces) - self.mean) / 256)
        return maps

    def _chips(self, faces: Tensor) -> Tensor:
        """What `face_chips` cuts out, with gradients."""
        if faces.shape[-1] > FRAME:  # a chip of a larger frame would be sampled too coarsely
            faces = F.interpolate(faces, (FRAME, FRAME), mode="bilinear", antialias=True)
        grid = self.grid.expand(len(faces), -1, -1, -1)
        return F.grid_sample(faces, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _grid() -> Tensor:
    """Where each pixel of a chip lies in the frame, -1 to 1, shape (1, SIZE, SIZE, 2)."""
    turn = to_chip(USUAL, SIZE, PADDING)
    back = np.linalg.inv(turn[:, :2])
    rows, columns = np.mgrid[:SIZE, :SIZE]
    places = (np.stack([columns, rows], -1) - turn[:, 2]) @ back.T
    return torch.from_numpy((2 * places + 1) / FRAME - 1).float()[None]
