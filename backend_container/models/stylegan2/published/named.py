"""From the names of stylegan2-ada-pytorch to ours. Pure.

Their networks and ours compute the same: convolutions and dense layers are stored unscaled, doubling convolutions as
`conv_transpose2d` takes them, a noise pattern and its strength for each layer (StyleGAN2, section 2 and figure 7).
What has no counterpart, and how it is told, stands in `_check`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.models.stylegan2.layers import FILTER
from backend_container.models.stylegan2.published.inert_pickle import PickleRefusedError

Named = dict[str, NDArray[np.float32]]
"""Tensors by name."""

_LAYER = re.compile(r"synthesis\.b(\d+)\.(conv0|conv1|torgb)\.(.+)")
_DENSE = re.compile(r"mapping\.fc(\d+)\.(weight|bias)")
_STYLED = {
    "weight": "conv.weight",
    "affine.weight": "conv.affine.weight",
    "affine.bias": "conv.affine.bias",
    "bias": "bias",
    "noise_strength": "noise_strength",
    "noise_const": "constant_noise",
}
_FILTER = "resample_filter"


def network_of(tensors: Mapping[str, NDArray[np.float32]]) -> NetworkConfig:
    """The sizes that tensors of these names have. Raises PickleRefusedError when they are not of a StyleGAN2."""
    try:
        layers = [found for name in tensors if (found := _LAYER.fullmatch(name))]
        resolutions = sorted({int(found[1]) for found in layers if found[2] == "conv1"})
        sizes = {resolution: len(tensors[f"synthesis.b{resolution}.conv1.bias"]) for resolution in resolutions}
        last = max(sizes)
        config = NetworkConfig(
            resolution=last,
            latent=len(tensors["mapping.w_avg"]),
            channel_max=max(sizes.values()),
            channel_base=sizes[last] * last,
            mapping_layers=len({found[1] for name in tensors if (found := _DENSE.fullmatch(name))}),
        )
    except ValidationError as error:
        raise PickleRefusedError(f"Its sizes cannot be built here: {error.errors()[0]['msg']}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise PickleRefusedError("It is no generator of the StyleGAN2 family.") from error
    wrong = {r: size for r, size in sizes.items() if size != config.channels(r)}
    if wrong or list(config.resolutions) != resolutions:
        raise PickleRefusedError(f"Its feature maps, {sizes}, do not follow StyleGAN2's rule.")
    return config


def ours(tensors: Mapping[str, NDArray[np.float32]]) -> Named:
    """The same tensors by the names of `Generator`. Raises PickleRefusedError as `_check` says."""
    _check(tensors)
    renamed = {_renamed(name): tensor for name, tensor in tensors.items() if not name.endswith(_FILTER)}
    return {name: np.ascontiguousarray(tensor, np.float32).reshape(tensor.shape) for name, tensor in renamed.items()}


def _check(tensors: Mapping[str, NDArray[np.float32]]) -> None:
    taps = np.outer(FILTER, FILTER) / np.sum(FILTER) ** 2
    filters = [tensor for name, tensor in tensors.items() if name.endswith(_FILTER)]
    if not all(tensor.shape == taps.shape and np.allclose(tensor, taps, atol=1e-6) for tensor in filters):
        raise PickleRefusedError(f"It resamples by another filter than {FILTER}, StyleGAN2's own.")
    if any(".skip." in name or ".fromrgb." in name for name in tensors):
        raise PickleRefusedError("Its generator is residual (architecture resnet); only skip, the default, is read.")


def _renamed(name: str) -> str:
    if dense := _DENSE.fullmatch(name):
        return f"mapping.layers.{dense[1]}.{dense[2]}"
    if layer := _LAYER.fullmatch(name):
        return _layer(int(layer[1]), layer[2], layer[3], name)
    known = {"mapping.w_avg": "mapping.average", "synthesis.b4.const": "synthesis.start"}
    if name not in known:
        raise PickleRefusedError(f"It holds a tensor {name}, which a StyleGAN2 generator has not.")
    return known[name]


def _layer(resolution: int, kind: str, part: str, name: str) -> str:
    block = f"synthesis.blocks.{resolution.bit_length() - 3}"
    if part not in _STYLED:
        raise PickleRefusedError(f"It holds a tensor {name}, which a StyleGAN2 generator has not.")
    place = "to_rgb" if kind == "torgb" else f"convs.{int(kind == 'conv1' and resolution > 4)}"
    return f"{block}.{place}.{_STYLED[part]}"
