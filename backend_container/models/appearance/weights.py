"""An appearance weights directory: `config.json` and two safetensors files (`models.weight_files`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from backend_container.models.appearance import mesh, planes
from backend_container.models.appearance.detail import Detail
from backend_container.models.appearance.finisher import Finisher
from backend_container.models.appearance.foresight import OTHERS, Foresight
from backend_container.models.appearance.grain import Grain
from backend_container.models.appearance.model import AppearanceModel
from backend_container.models.appearance.population import Population
from backend_container.models.weight_files import CONFIG as CONFIG
from backend_container.models.weight_files import Manifest, Tensors, WeightFiles, module_tensors
from backend_container.models.weight_storage import int8, unpacked

MODEL, FINISHER = "model.safetensors", "finisher.safetensors"
GRAIN, FORESIGHT = "grain", "foresight"
EXACT = ("loadings", FORESIGHT)


class Config(Manifest):
    """What config.json holds."""

    format: Literal["ligan-appearance-2"] = "ligan-appearance-2"
    resolution: Literal[128] = 128
    vertices: int = Field(ge=3)
    shape_components: int = Field(ge=1)
    texture_components: int = Field(ge=1)
    details: int = Field(ge=0)
    people: int = Field(ge=0)
    grain: int = Field(0, ge=0)
    """Bytes of the picture of the people's grain; 0: they lend none."""
    foresight: int = Field(0, ge=0)
    """How many numbers of identity are foreseen; 0: none."""
    noise: float = Field(gt=0, allow_inf_nan=False)
    finisher_widths: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(min_length=2)


@dataclass(frozen=True, eq=False)
class Weights:
    """All parts of the engine, on the CPU, as floats."""

    model: AppearanceModel
    population: Population
    finisher: Finisher
    widths: tuple[int, ...]
    grain: Grain = field(default_factory=Grain)
    foresight: Foresight | None = None


def save(directory: Path, weights: Weights) -> None:
    """Write a directory that `load` reads. config.json comes last and whole: a write cut off shows as damage."""
    model = weights.model
    config = Config(
        vertices=len(model.mean_shape),
        shape_components=len(model.shape_basis),
        texture_components=len(model.texture_basis),
        details=len(model.detail.deviations),
        people=len(weights.population.faces),
        grain=len(weights.grain.picture),
        foresight=0 if weights.foresight is None else weights.foresight.identities,
        noise=model.noise,
        finisher_widths=weights.widths,
    )
    tensors = _model_tensors(model, weights.population) | _optional_tensors(weights)
    parts = {MODEL: tensors, FINISHER: module_tensors(weights.finisher)}
    _files(directory).write(config, parts, int8(exact=EXACT))


def load(directory: Path) -> Weights:
    """Read a directory that `save` wrote.

    Raises ModelError with slug `weights-missing` (no such file), `weights-damaged` (a file is not the one that
    config.json names, or holds numbers that are not finite) or `weights-mismatch` (another format, other shapes).
    """
    files = _files(directory)
    config = files.manifest(Config)
    tensors = _read(files, MODEL, config)
    files.check_shapes(MODEL, tensors, _shapes(config))
    finisher = Finisher(config.finisher_widths)
    files.fill(finisher, FINISHER, _read(files, FINISHER, config))
    parts = _model(files, tensors, config), _population(files, tensors), finisher.eval(), config.finisher_widths
    return Weights(*parts, _grain(files, tensors, config), _foresight(tensors))


def _files(directory: Path) -> WeightFiles:
    remedy = "Install the project's own, or fit them with `python -m backend_container.training.appearance`."
    return WeightFiles(directory, "appearance weights", remedy)


def _read(files: WeightFiles, name: str, config: Config) -> Tensors:
    try:
        return unpacked(files.tensors(name, config))
    except ValueError as error:
        raise files.mismatch(name, str(error)) from error


def _shapes(config: Config) -> dict[str, tuple[int, ...]]:
    dimension = config.shape_components + config.texture_components
    optional: dict[str, tuple[int, ...]] = {GRAIN: (config.grain,)} if config.grain else {}
    optional |= {FORESIGHT: (dimension + 1, config.foresight + OTHERS)} if config.foresight else {}
    triangles = 2 * config.vertices - 2 - len(mesh.border())  # Euler's formula for a mesh that fills the frame
    return optional | {
        "mean_shape": (config.vertices, 2),
        "triangles": (triangles, 3),
        "shape_basis": (config.shape_components, 2 * config.vertices),
        "mean_texture": (planes.COUNT,),
        "texture_basis": (config.texture_components, planes.COUNT),
        "loadings": (dimension, dimension),
        "frequencies": (config.details, 2),
        "deviations": (config.details,),
        "faces": (config.people, dimension),
        "hair": (config.people, dimension),
        "groups": (config.people,),
    }


def _model_tensors(model: AppearanceModel, population: Population) -> Tensors:
    return {
        "mean_shape": model.mean_shape,
        "triangles": model.triangles,
        "shape_basis": model.shape_basis,
        "mean_texture": model.mean_texture.astype(np.float16),
        "texture_basis": model.texture_basis,
        "loadings": model.loadings,
        "frequencies": model.detail.frequencies,
        "deviations": model.detail.deviations,
        "faces": population.faces,
        "hair": population.hair,
        "groups": population.groups,
    }


def _optional_tensors(weights: Weights) -> Tensors:
    lent: Tensors = {GRAIN: np.frombuffer(weights.grain.picture, np.uint8)} if weights.grain.count else {}
    return lent if weights.foresight is None else lent | {FORESIGHT: weights.foresight.table.astype(np.float16)}


def _model(files: WeightFiles, tensors: Tensors, config: Config) -> AppearanceModel:
    triangles, frequencies, deviations = tensors["triangles"], tensors["frequencies"], tensors["deviations"]
    if triangles.dtype.kind != "i" or triangles.min() < 0 or triangles.max() >= config.vertices:
        raise files.mismatch(MODEL, f"its triangles are not numbers of its {config.vertices} vertices")
    if frequencies.dtype.kind != "i" or frequencies.min(initial=0) < 0 or not (deviations.astype(np.float32) > 0).all():
        raise files.mismatch(MODEL, "its details are not frequencies of 0 or more with deviations above zero")
    names = ("mean_shape", "shape_basis", "mean_texture", "texture_basis", "loadings")
    floats = {name: np.ascontiguousarray(tensors[name], dtype=np.float32) for name in names}
    detail = Detail(floats["mean_shape"], frequencies.astype(np.int32), deviations.astype(np.float32))
    return AppearanceModel(triangles=triangles.astype(np.int32), noise=config.noise, detail=detail, **floats)


def _population(files: WeightFiles, tensors: Tensors) -> Population:
    groups = tensors["groups"]
    sizes = np.unique(groups, return_counts=True) if groups.dtype.kind == "i" else (np.array([-1]), np.array([0]))
    if not np.array_equal(sizes[0], np.arange(len(sizes[0]))) or (sizes[1] < 2).any():
        raise files.mismatch(MODEL, "its people are not of groups 0, 1, ... of two or more")
    return Population(tensors["faces"].astype(np.float32), tensors["hair"].astype(np.float32), groups.astype(np.int32))


def _grain(files: WeightFiles, tensors: Tensors, config: Config) -> Grain:
    if not config.grain:
        return Grain()
    grain = Grain(config.people, tensors[GRAIN].tobytes())
    try:
        grain.grey  # noqa: B018
    except ValueError as error:
        raise files.mismatch(MODEL, str(error)) from error
    return grain


def _foresight(tensors: Tensors) -> Foresight | None:
    return Foresight(tensors[FORESIGHT].astype(np.float32)) if FORESIGHT in tensors else None
