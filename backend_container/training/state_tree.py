"""A training state, a tree of dicts, lists, numbers and tensors, as plain JSON and named tensors, and back again.

Reading executes nothing: what is not one of these kinds is refused when it is written and when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

State = dict[str, Any]
"""Values: None, bool, int, float, str, torch tensors, NumPy arrays, and lists, tuples and dicts (keys str or int) of
these."""
_PLAIN = (bool, int, float, str, type(None))


class StateError(ValueError):
    """A tree holds something that cannot be stored, or JSON that is no tree."""


def flatten(state: object) -> tuple[Any, dict[str, Tensor]]:
    """(JSON value, tensors by name); tensors are copies on the CPU. Raises StateError naming what cannot be stored."""
    tensors: dict[str, Tensor] = {}
    return _flat(state, "", tensors), tensors


def _flat(value: object, path: str, tensors: dict[str, Tensor]) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Tensor | np.ndarray):
        return _named(value, path or "tensor", tensors)
    if isinstance(value, Mapping):
        return {"dict": [[_key(key, path), _flat(one, f"{path}/{key}", tensors)] for key, one in value.items()]}
    if isinstance(value, list | tuple):
        items = [_flat(one, f"{path}/{number}", tensors) for number, one in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    raise StateError(f"{path or 'the state'} is a {type(value).__name__}, which a checkpoint does not hold")


def _named(value: Tensor | np.ndarray[Any, Any], path: str, tensors: dict[str, Tensor]) -> dict[str, str]:
    array = isinstance(value, np.ndarray)
    source = torch.from_numpy(value) if isinstance(value, np.ndarray) else value.detach()
    name = f"{len(tensors)}:{path.lstrip('/')}"
    tensors[name] = source.to("cpu", copy=True).contiguous()
    return {"array" if array else "tensor": name}


def _key(key: object, path: str) -> str | int:
    if isinstance(key, str) or (isinstance(key, int) and not isinstance(key, bool)):
        return key
    raise StateError(f"{path} has the key {key!r}; keys are strings or whole numbers")


def light(state: object) -> object:
    """The state to begin anew from, at a fraction of its size: 16 bit floats, and nothing named `optimiser`."""
    if isinstance(state, Tensor):
        return state.half() if state.is_floating_point() else state
    if isinstance(state, Mapping):
        return {key: light(value) for key, value in state.items() if key != "optimiser"}
    if isinstance(state, list | tuple):
        return type(state)(map(light, state))
    return state


def rebuild(value: Any, tensors: Mapping[str, Tensor]) -> Any:  # noqa: ANN401 (a tree's value)
    """The tree of `flatten`. Raises StateError for what is none."""
    if isinstance(value, _PLAIN):
        return value
    if not isinstance(value, dict) or len(value) != 1:
        raise StateError(f"{str(value)[:80]!r} is no part of a state")
    kind, content = next(iter(value.items()))
    try:
        return _BUILDERS[kind](content, tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(f"a {kind!r} of the state cannot be read: {error}") from error


_BUILDERS: Mapping[str, Any] = {
    "dict": lambda content, tensors: {key: rebuild(one, tensors) for key, one in content},
    "list": lambda content, tensors: [rebuild(one, tensors) for one in content],
    "tuple": lambda content, tensors: tuple(rebuild(one, tensors) for one in content),
    "tensor": lambda content, tensors: tensors[content],
    "array": lambda content, tensors: tensors[content].numpy(),
}
