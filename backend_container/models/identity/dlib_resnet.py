"""The embedding of dlib (King, "High Quality Face Recognition with Deep Metric Learning", blog.dlib.net, 2017).

Its weights are public domain (CC0). On photos of the London set all pairs of one person lie below its threshold, and
0.7 % of the pairs of two people do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from backend_container.models.engine import Photos
from backend_container.models.face_chip import face_chips
from backend_container.models.identity.dlib_file import Parameters, read_parameters
from backend_container.models.identity.embedding import Embeddings
from backend_container.models.identity.resnet import DIMENSION, SIZE, network

MEAN_RGB = (122.782, 117.001, 104.298)
"""Mean colour that the network's training subtracted."""
PADDING = 0.25
"""Margin of its chips around the mean face, in units of its size."""
BATCH = 16


class DlibResNet:
    """An `IdentityEmbedding`; from one thread at a time."""

    name = "dlib-resnet-v1"
    dimension = DIMENSION
    same_person_below = 0.6

    def __init__(self, parameters: Parameters, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._network = network(parameters).to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._mean = torch.tensor(MEAN_RGB, device=self._device).view(3, 1, 1)

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Of dlib's own file. Raises ModelError with slug `model-part-missing` when it is another or damaged."""
        return cls(read_parameters(path), device)

    def embed(self, photos: Photos) -> Embeddings:
        """Vectors of aligned faces (n, side, side, 3), shape (n, 128)."""
        vectors = [self._forward(photos[begin : begin + BATCH]) for begin in range(0, len(photos), BATCH)]
        return np.concatenate(vectors) if vectors else np.empty((0, DIMENSION), np.float32)

    def differentiable(self, chips: Tensor) -> Tensor:
        """Vectors (n, 128) of chips, RGB 0 to 255, shape (n, 3, 150, 150); gradients pass, for losses of a training."""
        vectors: Tensor = self._network((chips - self._mean) / 256)
        return vectors

    def _forward(self, photos: Photos) -> Embeddings:
        with torch.inference_mode():
            planes = torch.from_numpy(face_chips(photos, SIZE, PADDING)).to(self._device).permute(0, 3, 1, 2).float()
            return np.asarray(self.differentiable(planes).cpu().numpy(), np.float32)
