"""Pooled features of a frozen backbone, each computed once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CHUNK = 16
"""Faces that are computed together, always the same ones, so that a resumed run finds the same bits."""


class PooledFeatures:
    """Of `count` faces, upright and mirrored. Computed when first asked for, kept as 16 bit floats."""

    def __init__(self, count: int, width: int, compute: Callable[[NDArray[np.int64], bool], Tensor]) -> None:
        """`compute` gives the features, shape (n, width), of faces by number, mirrored or not."""
        self._compute = compute
        self._count = count
        self._kept = np.empty((2, count, width), np.float16)
        self._there = np.zeros((2, -(-count // CHUNK)), bool)

    def rows(self, faces: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> Tensor:
        """Features of faces, shape (n, width), float32; `mirrored` says of each whether it is."""
        sides = mirrored.astype(np.intp)
        for side, chunk in sorted({*zip(sides.tolist(), (faces // CHUNK).tolist(), strict=True)}):
            if not self._there[side, chunk]:
                self._fill(side, chunk)
        return torch.from_numpy(self._kept[sides, faces].astype(np.float32))

    def _fill(self, side: int, chunk: int) -> None:
        faces = np.arange(chunk * CHUNK, min((chunk + 1) * CHUNK, self._count))
        self._kept[side, faces] = self._compute(faces, bool(side)).cpu().numpy()
        self._there[side, chunk] = True
