"""Large tensors as int8 with one float32 scale per row, "NAME.scale": a component or an output channel. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from backend_container.models.weight_files import Storage, Tensors

SCALE = ".scale"
LARGE = 4096
"""A floating tensor of two or more axes and at least this many numbers is stored as int8."""


def int8(exact: Collection[str] = ()) -> Storage:
    """The storage that makes large tensors int8, but for those named `exact`; small ones stay what they are."""

    def store(tensors: Mapping[str, NDArray[np.generic]]) -> Tensors:
        packed: Tensors = {}
        for name, tensor in tensors.items():
            large = tensor.dtype.kind == "f" and tensor.ndim >= 2 and tensor.size >= LARGE and name not in exact
            packed |= _quantised(name, tensor.astype(np.float32)) if large else {name: np.asarray(tensor, order="C")}
        return packed

    return store


def unpacked(packed: Mapping[str, NDArray[np.generic]]) -> Tensors:
    """What `int8` stored, as floats of 32 bits where it was quantised; all else as it is.

    Raises ValueError naming an int8 tensor without a scale for each of its rows.
    """
    return {name: _floats(packed, name) for name in packed if not name.endswith(SCALE)}


def _quantised(name: str, tensor: NDArray[np.float32]) -> Tensors:
    rows = tensor.reshape(len(tensor), -1)
    scale = np.maximum(np.abs(rows).max(axis=1) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    return {name: np.rint(rows / scale[:, None]).astype(np.int8).reshape(tensor.shape), name + SCALE: scale}


def _floats(packed: Mapping[str, NDArray[np.generic]], name: str) -> NDArray[np.generic]:
    tensor = packed[name]
    if tensor.dtype != np.int8:
        return tensor
    scale = packed.get(name + SCALE)
    if scale is None or scale.shape != tensor.shape[:1]:
        raise ValueError(f"{name} is int8 without a scale per row")
    rows = scale.astype(np.float32).reshape(-1, *[1] * (tensor.ndim - 1))
    floats: NDArray[np.float32] = tensor.astype(np.float32) * rows
    return floats
