"""Reads the convolutions of dlib's face recognition model out of its serialised form; nothing in it is executed.

The form (dlib/serialize.h, dlib/cuda/tensor.h, dlib/dnn/layers.h): an integer is a byte with the count of the bytes
that follow, little-endian; a string is its length and its bytes; a tensor is its version (2), four sizes, and float32
values. Layers follow each other from the input to the output, each with its class's name before its parameters.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_container.models.engine import ModelError

SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
"""Of the one file that is known to be laid out like this: dlib_face_recognition_resnet_model_v1.dat of 2017."""
TENSOR_VERSION = 2
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Parameters:
    """In the order of the network's layers."""

    convolutions: list[Array]
    """Filters, then biases, flat."""
    scales: list[Array]
    """Of each channel after that convolution its factor, then its offset, flat: dlib's affine layer."""
    projection: Array
    """Of the last layer, flat: shape (256, 128)."""


def read_parameters(path: Path) -> Parameters:
    """Parameters of the model file. Raises ModelError (model-part-missing) when it is another file or damaged."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        detail = f"{path.name} is damaged or of another model. Install its package anew: `make setup`."
        raise ModelError("model-part-missing", detail)
    (projection,) = _tensors(data, "fc_2", skip=2)
    return Parameters(_tensors(data, "con_4"), _tensors(data, "affine_"), projection)


def _tensors(data: bytes, layer: str, skip: int = 0) -> list[Array]:
    """The parameter tensor of each layer of a class, `skip` integers after its name."""
    name = re.escape(_string(layer))
    return [_tensor(data, _skip(data, match.end(), skip)) for match in re.finditer(name, data)]


def _string(text: str) -> bytes:
    return bytes([1, len(text)]) + text.encode()


def _skip(data: bytes, place: int, count: int) -> int:
    for _ in range(count):
        _, place = _integer(data, place)
    return place


def _tensor(data: bytes, place: int) -> Array:
    sizes = []
    for _ in range(5):
        size, place = _integer(data, place)
        sizes.append(size)
    if sizes[0] != TENSOR_VERSION:
        raise ValueError(f"a tensor of version {sizes[0]} instead of {TENSOR_VERSION}")
    return np.frombuffer(data, "<f4", int(np.prod(sizes[1:])), place).astype(np.float32)


def _integer(data: bytes, place: int) -> tuple[int, int]:
    """A number and the place after it. Those of tensor sizes are never negative."""
    end = place + 1 + data[place]
    return int.from_bytes(data[place + 1 : end], "little"), end
