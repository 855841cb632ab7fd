"""A stylegan2 weights directory: `config.json` and safetensors files, checked before anything is built of them.

generator.safetensors, encoder.safetensors and pca.safetensors hold tensors as 16 or 32 bit floats; config.json holds
the format's version, the sizes of the networks, the truncation, and the sha256 of each file. No file holds code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as format_tensors
from torch import nn

from backend_container.models.engine import ModelError
from backend_container.models.pca import LatentPCA
from backend_container.models.stylegan2.config import EncoderConfig, NetworkConfig
from backend_container.models.stylegan2.encoder import Encoder
from backend_container.models.stylegan2.generator import Generator

FORMAT: Literal[1] = 1
CONFIG = "config.json"
FILES = ("generator.safetensors", "encoder.safetensors", "pca.safetensors")

Tensors = dict[str, NDArray[np.floating]]


class Manifest(BaseModel):
    """What config.json holds."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = FORMAT
    network: NetworkConfig
    encoder: EncoderConfig
    truncation: Annotated[float, Field(ge=0, le=1)] = 0.7
    """psi of random faces (StyleGAN, appendix B)."""
    files: dict[str, str]
    """sha256 of each file, in hexadecimal."""


@dataclass(frozen=True)
class Weights:
    """All networks of an engine, on the CPU, ready to use."""

    network: NetworkConfig
    encoder_config: EncoderConfig
    truncation: float
    generator: Generator
    encoder: Encoder
    pca: LatentPCA


def save(directory: Path, weights: Weights, *, half: bool = False) -> None:
    """Write a directory that `load` reads; `half` stores 16 bit floats, at half the size.

    config.json is replaced last and whole, so a write that was cut off shows as damage and not as other weights.
    Raises ValueError when a number is not finite, or would not be as a 16 bit float.
    """
    parts = (_tensors(weights.generator), _tensors(weights.encoder), dict(weights.pca.tensors()))
    blobs = {name: _serialise(name, tensors, half) for name, tensors in zip(FILES, parts, strict=True)}
    manifest = Manifest(
        network=weights.network,
        encoder=weights.encoder_config,
        truncation=weights.truncation,
        files={name: hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()},
    )
    directory.mkdir(parents=True, exist_ok=True)
    for name, blob in blobs.items():
        (directory / name).write_bytes(blob)
    draft = directory / f"{CONFIG}.draft"
    draft.write_text(manifest.model_dump_json(indent=2) + "\n")
    draft.replace(directory / CONFIG)


def load(directory: Path) -> Weights:
    """Read a directory that `save` wrote.

    Raises ModelError with slug `weights-missing` (no directory, config.json or file), `weights-damaged` (a file is not
    the one that config.json names, cannot be parsed, or holds numbers that are not finite) or `weights-mismatch`
    (another format, or tensors that are not those of the networks).
    """
    manifest = _manifest(directory)
    generator, encoder = _networks(manifest)
    tensors = {name: _read(directory / name, manifest.files.get(name)) for name in FILES}
    for name, module in zip(FILES, (generator, encoder), strict=False):  # the third is no network
        _fill(module, tensors[name], name)
    pca = _pca(tensors[FILES[2]], manifest.network.latent_shape)
    return Weights(manifest.network, manifest.encoder, manifest.truncation, generator, encoder, pca)


def _manifest(directory: Path) -> Manifest:
    try:
        return Manifest.model_validate_json((directory / CONFIG).read_bytes())
    except FileNotFoundError:
        raise _missing(directory / CONFIG) from None
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        detail = f"{CONFIG} of the stylegan2 weights is not one that this version reads ({reasons}); save them anew."
        raise ModelError("weights-mismatch", detail) from error


def _networks(manifest: Manifest) -> tuple[Generator, Encoder]:
    try:
        return Generator(manifest.network).eval(), Encoder(manifest.network, manifest.encoder).eval()
    except ValueError as error:
        raise ModelError("weights-mismatch", f"{CONFIG} of the stylegan2 weights: {error}.") from error


def _read(path: Path, sha256: str | None) -> Tensors:
    """Tensors of a file as 32 bit floats. Read once: what was checked is what is used."""
    try:
        blob = path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None
    if hashlib.sha256(blob).hexdigest() != sha256:
        raise _damaged(path.name, f"its {len(blob)} bytes are not those that {CONFIG} names")
    try:
        tensors = parse_tensors(blob)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path.name, f"it cannot be read as safetensors ({error})") from error
    if not all(tensor.dtype.kind == "f" and np.isfinite(tensor).all() for tensor in tensors.values()):
        raise _damaged(path.name, "it holds values that are not finite floats")
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def _fill(module: nn.Module, tensors: Tensors, file: str) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        first = f"{wrong[0]}: {found.get(wrong[0], 'absent')} in place of {expected.get(wrong[0], 'none')}"
        detail = f"{file} does not fit the networks of {CONFIG}: {len(wrong)} tensors differ, the first {first}."
        raise ModelError("weights-mismatch", detail)
    module.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})


def _pca(tensors: Tensors, latent_shape: tuple[int, int]) -> LatentPCA:
    try:
        pca = LatentPCA.from_tensors(tensors)
    except (KeyError, ValueError) as error:
        raise ModelError("weights-mismatch", f"{FILES[2]} holds no subspace: {error}.") from error
    if pca.mean.shape != latent_shape:
        detail = (
            f"{FILES[2]} is a subspace of latents {pca.mean.shape}; these networks have {latent_shape}: fit it anew."
        )
        raise ModelError("weights-mismatch", detail)
    return pca


def _tensors(module: nn.Module) -> Tensors:
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in module.state_dict().items()}


def _serialise(name: str, tensors: Mapping[str, NDArray[np.floating]], half: bool) -> bytes:
    with np.errstate(over="ignore"):  # an overflow is found and named below
        stored = {key: tensor.astype(np.float16 if half else np.float32) for key, tensor in tensors.items()}
    unfit = [key for key, tensor in stored.items() if not np.isfinite(tensor).all()]
    if unfit:
        raise ValueError(f"{name}: not finite as {16 if half else 32} bit floats: {', '.join(unfit)}")
    return format_tensors(stored)


def _missing(path: Path) -> ModelError:
    detail = (
        f"The stylegan2 engine has no weights: {path} is not there. Train or import them into {path.parent}, "
        "name their directory, or use the appearance engine."
    )
    return ModelError("weights-missing", detail)


def _damaged(file: str, reason: str) -> ModelError:
    return ModelError(
        "weights-damaged", f"{file} of the stylegan2 weights is damaged: {reason}. Copy the directory again."
    )
