"""Small generators in the layouts of the published files, and their images by the papers' equations."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

RESOLUTIONS = (4, 8, 16, 32, 64)
CHANNELS = {4: 6, 8: 6, 16: 6, 32: 6, 64: 3}
LATENT, DENSE = 10, 2
TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0])
FILTER = TAPS.outer(TAPS) / 64


def random_tensors(seed=0):
    """A generator by the names of stylegan2-ada-pytorch; nothing is left at zero, so that nothing can be lost."""
    torch.manual_seed(seed)
    tensors = {"mapping.w_avg": torch.randn(LATENT), "synthesis.b4.const": torch.randn(CHANNELS[4], 4, 4)}
    for layer in range(DENSE):
        tensors[f"mapping.fc{layer}.weight"] = torch.randn(LATENT, LATENT) * 100
        tensors[f"mapping.fc{layer}.bias"] = torch.randn(LATENT) * 10
    for resolution in RESOLUTIONS:
        inputs, outputs = CHANNELS[max(resolution // 2, 4)], CHANNELS[resolution]
        block = f"synthesis.b{resolution}"
        sizes = {"conv0": (inputs, outputs, 3)} if resolution > 4 else {}
        sizes |= {"conv1": (outputs, outputs, 3), "torgb": (outputs, 3, 1)}
        for name, (before, after, side) in sizes.items():
            layer = f"{block}.{name}"
            tensors[f"{layer}.weight"] = torch.randn(after, before, side, side)
            tensors[f"{layer}.bias"] = torch.randn(after)
            tensors[f"{layer}.affine.weight"] = torch.randn(before, LATENT)
            tensors[f"{layer}.affine.bias"] = torch.randn(before) + 1
            if name != "torgb":
                tensors[f"{layer}.noise_const"] = torch.randn(resolution, resolution)
                tensors[f"{layer}.noise_strength"] = torch.randn(())
                tensors[f"{layer}.resample_filter"] = FILTER.clone()
        if resolution > 4:
            tensors[f"{block}.resample_filter"] = FILTER.clone()
    return tensors


# Images by the equations, as the published code computes them: one weight for each image, zeros inserted, padded.


def mapped(tensors, z):
    x = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for layer in range(DENSE):
        weight, bias = tensors[f"mapping.fc{layer}.weight"], tensors[f"mapping.fc{layer}.bias"]
        x = F.leaky_relu(x @ weight.T * 0.01 / LATENT**0.5 + bias * 0.01, 0.2) * 2**0.5
    return x


def styled(tensors, layer, x, w, *, up=False, demodulate=True):
    """One image: (1, channels, h, w)."""
    style = tensors[f"{layer}.affine.weight"] @ w / LATENT**0.5 + tensors[f"{layer}.affine.bias"]
    weight = tensors[f"{layer}.weight"] * style[None, :, None, None]
    if demodulate:
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
    else:
        weight = weight / (weight.shape[1] * weight.shape[2] * weight.shape[3]) ** 0.5
    if not up:
        return F.conv2d(x, weight, padding=weight.shape[2] // 2)
    # "conv0" is a true convolution of the image with zeros inserted: the kernel is turned.
    spread = zeros_inserted(x)
    full = F.conv2d(F.pad(spread, (2, 1, 2, 1)), weight.flip(2, 3))
    return filtered(F.pad(full, (1, 1, 1, 1))) * 4


def zeros_inserted(x):
    spread = torch.zeros(*x.shape[:2], x.shape[2] * 2, x.shape[3] * 2)
    spread[..., ::2, ::2] = x
    return spread


def filtered(x):
    return F.conv2d(x, FILTER.expand(x.shape[1], 1, 4, 4), groups=x.shape[1])


def image(tensors, w):
    """Of one w, (3, 64, 64)."""
    x, rgb = tensors["synthesis.b4.const"][None], None
    for resolution in RESOLUTIONS:
        block = f"synthesis.b{resolution}"
        for name in ("conv0", "conv1") if resolution > 4 else ("conv1",):
            layer = f"{block}.{name}"
            x = styled(tensors, layer, x, w, up=name == "conv0")
            x = x + tensors[f"{layer}.noise_const"] * tensors[f"{layer}.noise_strength"]
            x = F.leaky_relu(x + tensors[f"{layer}.bias"][:, None, None], 0.2) * 2**0.5
        new = styled(tensors, f"{block}.torgb", x, w, demodulate=False) + tensors[f"{block}.torgb.bias"][:, None, None]
        rgb = new if rgb is None else new + filtered(F.pad(zeros_inserted(rgb), (2, 1, 2, 1))) * 4
    return rgb[0]


# NVIDIA's layout


class Persistent:
    """Pickles as their `torch_utils.persistence` makes a module pickle."""

    def __init__(self, name, state):
        self.meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": name, "state": state}

    def __reduce__(self):
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,), None


SOURCE = "raise SystemExit('the source text in the pickle was run')"


class EasyDict(dict):
    pass


EasyDict.__module__, EasyDict.__qualname__ = "dnnlib.util", "EasyDict"


def with_their_modules(monkeypatch):
    """Modules of these names, so that pickle.dump finds what it writes the names of; they raise when called."""

    def called(meta):
        raise AssertionError("the pickle was executed")

    called.__module__, called.__qualname__ = "torch_utils.persistence", "_reconstruct_persistent_obj"
    for name, members in {
        "torch_utils": {},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": called},
        "dnnlib": {},
        "dnnlib.util": {"EasyDict": EasyDict},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)


def module(name, tensors, prefix="", **attributes):
    """The nested modules of tensors below a prefix."""
    mine = {key[len(prefix) :]: tensor for key, tensor in tensors.items() if key.startswith(prefix)}
    own = {key: tensor for key, tensor in mine.items() if "." not in key}
    buffers = {"w_avg", "noise_const", "resample_filter"}
    children = dict.fromkeys(key.split(".")[0] for key in mine if "." in key)
    state = {
        "training": False,
        "_parameters": OrderedDict((k, torch.nn.Parameter(v)) for k, v in own.items() if k not in buffers),
        "_buffers": OrderedDict((k, v) for k, v in own.items() if k in buffers),
        "_backward_hooks": OrderedDict(),
        "_modules": OrderedDict((c, module("Block", tensors, f"{prefix}{c}.")) for c in children),
        "_init_kwargs": EasyDict(epsilon=1e-8, f=[1, 3, 3, 1], activations={"lrelu"}),
        **attributes,
    }
    return Persistent(name, state)


def nvidia_pickle(path: Path, tensors, monkeypatch, **attributes) -> Path:
    """A file as `pickle.dump(dict(G=..., D=..., G_ema=...), f)` of their training script writes it."""
    with_their_modules(monkeypatch)
    about = {"z_dim": LATENT, "w_dim": LATENT, "c_dim": 0, "img_resolution": 64, "img_channels": 3} | attributes
    other = {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
    snapshot = {
        "G": module("Generator", other, **about),
        "D": None,
        "G_ema": module("Generator", tensors, **about),
        "training_set_kwargs": EasyDict(path="set.zip", use_labels=False),
        "augment_pipe": None,
    }
    path.write_bytes(pickle.dumps(snapshot))
    return path


# rosinality's layout


def rosinality_state(tensors):
    """The state of their `Generator`, kernels and noises included."""
    state = {"input.input": tensors["synthesis.b4.const"][None]}
    for layer in range(DENSE):
        state[f"style.{layer + 1}.weight"] = tensors[f"mapping.fc{layer}.weight"]
        state[f"style.{layer + 1}.bias"] = tensors[f"mapping.fc{layer}.bias"]
    convolutions = [f"b{r}.conv{n}" for r in RESOLUTIONS for n in ((0, 1) if r > 4 else (1,))]
    for number, name in enumerate(convolutions):
        theirs, ours = "conv1" if number == 0 else f"convs.{number - 1}", f"synthesis.{name}"
        state |= modulated(theirs, tensors, ours)
        state[f"{theirs}.noise.weight"] = tensors[f"{ours}.noise_strength"].reshape(1)
        state[f"{theirs}.activate.bias"] = tensors[f"{ours}.bias"]
        state[f"noises.noise_{number}"] = tensors[f"{ours}.noise_const"][None, None]
        if name.endswith("conv0"):
            state[f"{theirs}.conv.blur.kernel"] = FILTER * 4
    for number, resolution in enumerate(RESOLUTIONS):
        theirs, ours = "to_rgb1" if number == 0 else f"to_rgbs.{number - 1}", f"synthesis.b{resolution}.torgb"
        state |= modulated(theirs, tensors, ours)
        state[f"{theirs}.bias"] = tensors[f"{ours}.bias"].view(1, 3, 1, 1)
        if number:
            state[f"{theirs}.upsample.kernel"] = FILTER * 4
    return state


def modulated(theirs, tensors, ours):
    return {
        f"{theirs}.conv.weight": tensors[f"{ours}.weight"][None],
        f"{theirs}.conv.modulation.weight": tensors[f"{ours}.affine.weight"],
        f"{theirs}.conv.modulation.bias": tensors[f"{ours}.affine.bias"],
    }


def rosinality_file(path: Path, tensors, *, average=True, older=False) -> Path:
    stored = {"g_ema": rosinality_state(tensors)}
    if average:
        stored["latent_avg"] = tensors["mapping.w_avg"]
    torch.save(stored, path, _use_new_zipfile_serialization=not older)
    return path


def numbers(tensor):
    return np.asarray(tensor.detach().numpy())
