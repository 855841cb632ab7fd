"""The generator in a pickle of NVIDIA's stylegan2-ada-pytorch: its tensors by the authors' names. Pure.

Their modules are pickled as calls of `torch_utils.persistence._reconstruct_persistent_obj` with the module's state and
the source text of its class, which their own loader would run. Here both call and text are data; the text is passed
over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from backend_container.models.stylegan2.published.inert_pickle import Object, PickleRefusedError
from backend_container.models.stylegan2.published.named import Named
from backend_container.models.stylegan2.published.pickled_arrays import array_of

_PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_DEEPEST = 16
"""Levels of modules in modules; theirs are five."""


def generator_tensors(pickled: object) -> Named:
    """The averaged generator's tensors, float32. Raises PickleRefusedError when there is none."""
    found = pickled.get("G_ema") if isinstance(pickled, dict) else None
    state = _state(found)
    _check(state)
    return {name: tensor.astype(np.float32) for name, tensor in _tensors(state, "", _DEEPEST)}


def _state(module: object) -> Mapping[object, object]:
    """What would become the attributes of a module."""
    if isinstance(module, Object) and module.made_by(_PERSISTENT) and module.arguments:
        meta = _entries(module.arguments[0])
        if isinstance(state := meta.get("state"), dict):
            return state
    raise PickleRefusedError("It holds no generator `G_ema` as stylegan2-ada-pytorch stores one.")


def _check(state: Mapping[object, object]) -> None:
    if state.get("c_dim", 0) != 0:
        raise PickleRefusedError("Its generator wants a class beside z; only those without classes can be used.")
    if state.get("z_dim") != state.get("w_dim"):
        raise PickleRefusedError(f"z has {state.get('z_dim')} numbers and w {state.get('w_dim')}; they must be equal.")
    if state.get("img_channels", 3) != 3:
        raise PickleRefusedError("Its images are not RGB.")


def _tensors(state: Mapping[object, object], prefix: str, deepest: int) -> Iterator[tuple[str, np.ndarray]]:
    if not deepest:
        raise PickleRefusedError("Its modules lie in each other deeper than any network's.")
    for kind in ("_parameters", "_buffers"):
        for name, node in _entries(state.get(kind)).items():
            array = array_of(node)
            if array is not None:
                yield f"{prefix}{name}", array
    for name, module in _entries(state.get("_modules")).items():
        yield from _tensors(_state(module), f"{prefix}{name}.", deepest - 1)


def _entries(node: object) -> Mapping[object, object]:
    """Of a dictionary, or of an object of a class of dictionaries."""
    found = node.entries if isinstance(node, Object) else node
    return found if isinstance(found, dict) else {}
