"""Arrays out of inert pickles: NumPy's and PyTorch's, whose bytes are all that is taken. Pure."""

from __future__ import annotations

import io
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend_container.models.stylegan2.published.inert_pickle import (
    Global,
    Object,
    Persistent,
    PickleRefusedError,
    read_pickle,
)

Array = NDArray[np.generic]

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""Of torch.save's older format (torch/serialization.py)."""
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_PARAMETER = "torch._utils._rebuild_parameter"
_LOADED = "torch.storage._load_from_bytes"
_NDARRAYS = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_MOST_AXES = 8


def array_of(node: object) -> Array | None:
    """The array that an object of the pickle stands for; None for another object. Raises PickleRefusedError."""
    if isinstance(node, Object) and node.made_by(_PARAMETER):
        return array_of(node.arguments[0]) if node.arguments else None
    if isinstance(node, Object) and node.made_by(*_TENSORS):
        return _tensor(*node.arguments)
    if isinstance(node, Object) and node.made_by(*_NDARRAYS):
        return _ndarray(node.state)
    return None


def _tensor(storage: object = None, offset: object = 0, shape: object = (), strides: object = (), *_: object) -> Array:
    if not isinstance(storage, Object) or not storage.made_by(_LOADED) or not storage.arguments:
        raise PickleRefusedError("A tensor has no bytes of its own.")
    flat = _storage(_bytes(storage.arguments[0]))
    sizes, steps, begin = _numbers(shape), _numbers(strides), _numbers((offset,))[0]
    reach = begin + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if len(sizes) > _MOST_AXES or (0 not in sizes and reach >= flat.size):
        raise PickleRefusedError(f"A tensor of the shape {sizes} reaches beyond its {flat.size} numbers.")
    if math.prod(sizes) > flat.size:
        raise PickleRefusedError(f"A tensor of the shape {sizes} repeats its {flat.size} numbers.")
    width = flat.dtype.itemsize
    view = np.lib.stride_tricks.as_strided(flat[begin:], sizes, [step * width for step in steps], writeable=False)
    return np.array(view)


def _storage(data: bytes) -> Array:
    """The numbers of a storage that torch.save wrote: four pickles, then for each key a count and the numbers."""
    file = io.BytesIO(data)
    magic, protocol, system = (read_pickle(file) for _ in range(3))
    if magic != _MAGIC or protocol != _PROTOCOL or not isinstance(system, dict) or not system.get("little_endian"):
        raise PickleRefusedError("The numbers of a tensor are not in torch.save's format (little-endian).")
    described, keys = read_pickle(file), read_pickle(file)
    dtype, count, key = _description(described)
    if keys != [key]:
        raise PickleRefusedError("A tensor's numbers are in more than one place.")
    head = file.read(8)
    if len(head) < 8 or struct.unpack("<q", head)[0] != count:
        raise PickleRefusedError("A tensor is cut off.")
    return _flat(file.read(count * dtype.itemsize), dtype, count)


def _description(node: object) -> tuple[np.dtype[Any], int, object]:
    """Kind, count and key of ("storage", kind, key, device, count, view)."""
    known = node.key if isinstance(node, Persistent) else None
    if not isinstance(known, tuple) or len(known) < 5 or known[0] != "storage" or any(known[5:]):
        raise PickleRefusedError("A tensor's numbers are described in an unknown way.")
    kind = known[1].name if isinstance(known[1], Global) else ""
    if kind not in _STORAGES:
        raise PickleRefusedError(f"A tensor holds {kind or 'unknown'} numbers. Convert the network to float32.")
    return np.dtype(_STORAGES[kind]), _numbers((known[4],))[0], known[2]


def _ndarray(state: object) -> Array:
    """Of (version, shape, dtype, Fortran order, bytes)."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise PickleRefusedError("An array of NumPy is in an unknown form.")
    _, shape, kind, fortran, data = state
    dtype, sizes = _dtype(kind), _numbers(shape)
    flat = _flat(_bytes(data), dtype, math.prod(sizes))
    return np.array(flat.reshape(sizes, order="F" if fortran else "C"))


def _dtype(node: object) -> np.dtype[Any]:
    """Of numpy.dtype(word, ...) with a state whose second part is the order of bytes. Numbers only."""
    word = node.arguments[0] if isinstance(node, Object) and node.made_by("numpy.dtype") and node.arguments else None
    order = node.state[1] if isinstance(node, Object) and isinstance(node.state, tuple) and len(node.state) > 1 else "="
    if word not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1") or order not in ("<", ">", "=", "|"):
        raise PickleRefusedError(f"An array of NumPy holds {word!r}, not plain numbers.")
    return np.dtype(f"{order}{word}")


def _bytes(node: object) -> bytes:
    """Bytes, also as older pickles write them: a text in Latin-1."""
    if isinstance(node, Object) and node.made_by("_codecs.encode") and node.arguments:
        node = node.arguments[0]
    if isinstance(node, str):
        return node.encode("latin-1")
    if not isinstance(node, bytes):
        raise PickleRefusedError("An array has no bytes.")
    return node


def _flat(data: bytes, dtype: np.dtype[Any], count: int) -> Array:
    if len(data) != count * dtype.itemsize:
        raise PickleRefusedError(f"An array of {count} numbers has {len(data)} bytes: it is cut off.")
    return np.frombuffer(data, dtype)


def _numbers(node: object) -> list[int]:
    if not isinstance(node, tuple) or not all(type(number) is int and number >= 0 for number in node):
        raise PickleRefusedError("A tensor's shape is not made of whole numbers.")
    return list(node)
