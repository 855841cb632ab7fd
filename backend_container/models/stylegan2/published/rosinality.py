"""The generator of rosinality's stylegan2-pytorch, by the names of stylegan2-ada-pytorch. Pure but for the mean w.

Layers without a resolution in their names are counted: `conv1` is that of 4 pixels, `convs.2i` and `convs.2i+1` those
of 8 · 2^i, `noises.noise_k` the patterns in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from backend_container.models.stylegan2.published.inert_pickle import PickleRefusedError
from backend_container.models.stylegan2.published.named import Named

_PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
}
_FILTERS = re.compile(r"(convs|to_rgbs)\.\d+\.(conv\.blur|upsample)\.kernel")
_STYLE = re.compile(r"style\.(\d+)\.(weight|bias)")
_FIRST = re.compile(r"(conv1|to_rgb1)\.(.+)")
_LATER = re.compile(r"(convs|to_rgbs)\.(\d{1,2})\.(.+)")
_NOISE = re.compile(r"noises\.noise_(\d{1,2})")


def is_rosinality(state: Mapping[str, object]) -> bool:
    return "input.input" in state and "conv1.conv.weight" in state


def generator_tensors(state: Mapping[str, NDArray[np.float32]], average: NDArray[np.float32] | None) -> Named:
    """`average` is the mean w, `latent_avg` of their file; zeros take its place where there is none.

    Raises PickleRefusedError when a name or a shape is not one of theirs, or the mapping network is not there.
    """
    named = {_renamed(name): _shaped(name, tensor) for name, tensor in state.items() if not _FILTERS.fullmatch(name)}
    filters = {f"{name}.resample_filter": tensor for name, tensor in state.items() if _FILTERS.fullmatch(name)}
    if "mapping.fc0.weight" not in named:
        raise PickleRefusedError("Its generator has no mapping network.")
    latent = named["mapping.fc0.weight"].shape[-1]
    mean = np.zeros(latent, np.float32) if average is None else average.reshape(-1)
    # Theirs hold the gain of a doubling, 4, already.
    return named | {name: tensor / tensor.sum() for name, tensor in filters.items()} | {"mapping.w_avg": mean}


def _renamed(name: str) -> str:
    if style := _STYLE.fullmatch(name):
        return f"mapping.fc{int(style[1]) - 1}.{style[2]}"  # the 0th is the normalisation of z
    if name == "input.input":
        return "synthesis.b4.const"
    if noise := _NOISE.fullmatch(name):
        return f"{_layer(int(noise[1]))}.noise_const"
    if first := _FIRST.fullmatch(name):
        return f"synthesis.b4.{'torgb' if first[1] == 'to_rgb1' else 'conv1'}.{_part(name, first[2])}"
    if later := _LATER.fullmatch(name):
        number = int(later[2])
        place = f"synthesis.b{8 << number}.torgb" if later[1] == "to_rgbs" else _layer(number + 1)
        return f"{place}.{_part(name, later[3])}"
    raise PickleRefusedError(f"It holds a tensor {name}, which rosinality's generator has not.")


def _layer(number: int) -> str:
    """The convolution of a number: 0 is that of 4 pixels, then two for each resolution."""
    return f"synthesis.b{4 << (number + 1) // 2}.conv{(number + 1) % 2}" if number else "synthesis.b4.conv1"


def _part(name: str, part: str) -> str:
    if part not in _PARTS:
        raise PickleRefusedError(f"It holds a tensor {name}, which rosinality's generator has not.")
    return _PARTS[part]


def _shaped(name: str, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        return _squeezed(name, tensor)
    except ValueError as error:
        raise PickleRefusedError(f"Its {name} is of the shape {tensor.shape}, which theirs never is.") from error


def _squeezed(name: str, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the axes of length 1 that theirs have for broadcasting."""
    if name == "input.input" or name.endswith("conv.weight"):
        return tensor.reshape(tensor.shape[1:])
    if name.startswith("noises."):
        return tensor.reshape(tensor.shape[2:])
    if name.endswith("noise.weight"):
        return tensor.reshape(())
    return tensor.reshape(-1) if name.endswith(".bias") else tensor
