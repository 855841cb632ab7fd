"""An appearance weights directory: `config.json` and two safetensors files, checked before anything is built of them.

Large tensors are stored as int8 with one float32 scale per row ("NAME.scale"): a component or an output channel. A file
holds no code. config.json names the format, the sizes, and the sha256 of each file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as format_tensors

from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.finisher import Finisher
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.engine import ModelError

CONFIG = "config.json"
MODEL, FINISHER = "model.safetensors", "finisher.safetensors"
SCALE = ".scale"
LARGE = 4096
"""A floating tensor of two or more axes and at least this many numbers is stored as int8."""

Tensors = dict[str, NDArray[np.generic]]


class Config(BaseModel):
    """What config.json holds."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["ligan-appearance-1"] = "ligan-appearance-1"
    resolution: Literal[128] = 128
    vertices: int = Field(ge=3)
    shape_components: int = Field(ge=1)
    texture_components: int = Field(ge=1)
    noise: float = Field(gt=0, allow_inf_nan=False)
    finisher_widths: tuple[int, ...] = Field(min_length=2)
    files: dict[str, str]
    """sha256 of each file, in hexadecimal."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Both parts of the engine, on the CPU, as floats."""

    model: AppearanceModel
    finisher: Finisher
    widths: tuple[int, ...]


def save(directory: Path, weights: Weights) -> None:
    """Write a directory that `load` reads. config.json comes last and whole: a write cut off shows as damage."""
    state = {name: tensor.detach().cpu().numpy() for name, tensor in weights.finisher.state_dict().items()}
    blobs = {MODEL: format_tensors(_packed(_model_tensors(weights.model))), FINISHER: format_tensors(_packed(state))}
    config = Config(
        vertices=len(weights.model.mean_shape),
        shape_components=len(weights.model.shape_basis),
        texture_components=len(weights.model.texture_basis),
        noise=weights.model.noise,
        finisher_widths=weights.widths,
        files={name: hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()},
    )
    directory.mkdir(parents=True, exist_ok=True)
    for name, blob in blobs.items():
        (directory / name).write_bytes(blob)
    draft = directory / f"{CONFIG}.draft"
    draft.write_text(config.model_dump_json(indent=2) + "\n")
    draft.replace(directory / CONFIG)


def load(directory: Path) -> Weights:
    """Read a directory that `save` wrote.

    Raises ModelError with slug `weights-missing` (no such file), `weights-damaged` (a file is not the one that
    config.json names, or holds numbers that are not finite) or `weights-mismatch` (another format, other shapes).
    """
    config = _config(directory)
    model = _read(directory, MODEL, config, _model_shapes(config))
    finisher = Finisher(config.finisher_widths)
    shapes = {name: tuple(tensor.shape) for name, tensor in finisher.state_dict().items()}
    state = _read(directory, FINISHER, config, shapes)
    finisher.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in state.items()})
    return Weights(_model(model, config), finisher.eval(), config.finisher_widths)


def _config(directory: Path) -> Config:
    try:
        return Config.model_validate_json((directory / CONFIG).read_bytes())
    except FileNotFoundError:
        raise _missing(directory / CONFIG) from None
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise _mismatch(CONFIG, reasons) from error


def _read(directory: Path, name: str, config: Config, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """The file's tensors, int8 unpacked. Read once: what was checked is what is used."""
    try:
        blob = (directory / name).read_bytes()
    except FileNotFoundError:
        raise _missing(directory / name) from None
    if hashlib.sha256(blob).hexdigest() != config.files.get(name):
        raise _damaged(name, f"its {len(blob)} bytes are not those that {CONFIG} names")
    try:
        packed = parse_tensors(blob)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _damaged(name, f"it cannot be read as safetensors ({error})") from error
    return _checked(name, packed, shapes)


def _checked(file: str, packed: Tensors, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    found = {name: tensor.shape for name, tensor in packed.items() if not name.endswith(SCALE)}
    wrong = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
    if wrong:
        raise _mismatch(file, f"{wrong[0]} is {found.get(wrong[0], 'absent')}, not {shapes.get(wrong[0], 'expected')}")
    unscaled = [name for name in shapes if packed[name].dtype == np.int8 and _scale_shape(packed, name) is None]
    if unscaled:
        raise _mismatch(file, f"{unscaled[0]} is int8 without a scale per row")
    tensors = {name: _unpack(packed, name) for name in shapes}
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise _damaged(file, "it holds numbers that are not finite")
    return tensors


def _scale_shape(packed: Tensors, name: str) -> tuple[int, ...] | None:
    scale = packed.get(name + SCALE)
    return scale.shape if scale is not None and scale.shape == packed[name].shape[:1] else None


def _packed(tensors: Mapping[str, NDArray[np.generic]]) -> Tensors:
    packed: Tensors = {}
    for name, tensor in tensors.items():
        large = tensor.dtype.kind == "f" and tensor.ndim >= 2 and tensor.size >= LARGE and name != "loadings"
        packed |= _quantised(name, tensor.astype(np.float32)) if large else {name: np.ascontiguousarray(tensor)}
    return packed


def _quantised(name: str, tensor: NDArray[np.float32]) -> Tensors:
    rows = tensor.reshape(len(tensor), -1)
    scale = np.maximum(np.abs(rows).max(axis=1) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    return {name: np.rint(rows / scale[:, None]).astype(np.int8).reshape(tensor.shape), name + SCALE: scale}


def _unpack(packed: Tensors, name: str) -> NDArray[np.generic]:
    tensor = packed[name]
    if tensor.dtype != np.int8:
        return tensor
    scale = packed[name + SCALE].astype(np.float32).reshape(-1, *[1] * (tensor.ndim - 1))
    floats: NDArray[np.float32] = tensor.astype(np.float32) * scale
    return floats


def _model_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    dimension = config.shape_components + config.texture_components
    triangles = 2 * config.vertices - 2 - len(mesh.border())  # Euler's formula for a mesh that fills the frame
    return {
        "mean_shape": (config.vertices, 2),
        "triangles": (triangles, 3),
        "shape_basis": (config.shape_components, 2 * config.vertices),
        "mean_texture": (SIZE, SIZE, 3),
        "texture_basis": (config.texture_components, 3 * SIZE * SIZE),
        "loadings": (dimension, dimension),
    }


def _model_tensors(model: AppearanceModel) -> Tensors:
    return {
        "mean_shape": model.mean_shape,
        "triangles": model.triangles,
        "shape_basis": model.shape_basis,
        "mean_texture": model.mean_texture.astype(np.float16),
        "texture_basis": model.texture_basis,
        "loadings": model.loadings,
    }


def _model(tensors: Tensors, config: Config) -> AppearanceModel:
    triangles = tensors.pop("triangles")
    if triangles.dtype.kind != "i" or triangles.min() < 0 or triangles.max() >= config.vertices:
        raise _mismatch(MODEL, f"its triangles are not numbers of its {config.vertices} vertices")
    floats = {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()}
    return AppearanceModel(triangles=triangles.astype(np.int32), noise=config.noise, **floats)


def _missing(path: Path) -> ModelError:
    detail = (
        f"The appearance engine has no weights: {path} is not there. Install the project's own, or fit them with "
        "`python -m backend_container.training.appearance`."
    )
    return ModelError("weights-missing", detail)


def _damaged(file: str, reason: str) -> ModelError:
    return ModelError(
        "weights-damaged", f"{file} of the appearance weights is damaged: {reason}. Copy the directory again."
    )


def _mismatch(file: str, reason: str) -> ModelError:
    detail = f"{file} of the appearance weights is not one that this version reads ({reason}). Fit them anew."
    return ModelError("weights-mismatch", detail)
