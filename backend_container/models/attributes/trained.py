"""Attribute predictors of weights of our own training, and the style embedding that they make together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_container.models.attributes.layout import Head
from backend_container.models.attributes.network import pool
from backend_container.models.attributes.predictor import Attribute, Predictions
from backend_container.models.attributes.weights import AttributeWeights, load
from backend_container.models.engine import Photos

BATCH = 16


class TrainedPredictor:
    """An `AttributePredictor`; from one thread at a time."""

    def __init__(self, weights: AttributeWeights, device: str = "cpu") -> None:
        self.name = weights.name
        self.config = weights.config
        self._backbone, self._heads = weights.backbone.eval().to(device), weights.heads.eval().to(device)
        self._device = device

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Self:
        """Of a folder of weights. Raises ModelError as `weights.load`."""
        return cls(load(folder), device)

    @cached_property
    def attributes(self) -> Sequence[Attribute]:
        return [attribute for head in self.config.heads for attribute in head.attributes()]

    @torch.inference_mode()
    def predict(self, photos: Photos) -> Predictions:
        """Probabilities, calibrated on faces that the training left out."""
        logits = [self._heads(pooled) for pooled in self._pooled(photos)]
        return as_predictions(self.config.heads, {name: _rows(part[name] for part in logits) for name in logits[0]})

    @torch.inference_mode()
    def style(self, photos: Photos) -> NDArray[np.float32]:
        """Outputs of the last layer before the heads, shape (n, their width) (thesis, section 3.3.4)."""
        return _rows(self._heads.style(pooled) for pooled in self._pooled(photos))

    def _pooled(self, photos: Photos) -> Iterator[Tensor]:
        """At least one batch, if an empty one, so that shapes are known."""
        for begin in range(0, max(len(photos), 1), BATCH):
            images = to_images(photos[begin : begin + BATCH], self.config.side).to(self._device)
            yield pool(self._backbone(images), self.config.pooling)


@dataclass(frozen=True)
class StyleEmbedding:
    """Styles of several networks, one after the other: 2560 numbers of a CelebA model and 2048 of a FairFace model
    are the 4608 of the thesis (section 3.3.4).
    """

    parts: Sequence[TrainedPredictor]

    def embed(self, photos: Photos) -> NDArray[np.float32]:
        """Of aligned faces, shape (n, dimension)."""
        return np.concatenate([part.style(photos) for part in self.parts], axis=1)


def to_images(photos: Photos, side: int) -> Tensor:
    """Photos (n, h, h, 3) as images (n, 3, side, side), 0 to 1."""
    if photos.shape[1:3] != (side, side):
        resized = [cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA) for photo in photos]
        photos = np.stack(resized) if resized else np.empty((0, side, side, 3), np.uint8)
    # Permuted, not copied: channels stay last in memory, which depthwise convolutions like by a fifth
    return torch.from_numpy(np.ascontiguousarray(photos)).permute(0, 3, 1, 2).float() / 255


def as_predictions(heads: Sequence[Head], logits: Mapping[str, NDArray[np.float32]]) -> Predictions:
    """Probabilities by attribute of logits by head, each of shape (n, outputs)."""
    predictions: dict[str, NDArray[np.float32]] = {}
    for head in heads:
        if head.kind == "classes":
            predictions[head.name] = _softmax(logits[head.name])
        else:
            columns = zip(head.outputs, logits[head.name].T, strict=True)
            predictions |= {name: _softmax(np.stack([0 * column, column], axis=1)) for name, column in columns}
    return predictions


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def _rows(parts: Iterator[Tensor]) -> NDArray[np.float32]:
    return np.asarray(torch.cat(list(parts)).cpu().numpy(), np.float32)
