"""A stylegan2 weights directory: `config.json` and safetensors files, checked before anything is built of them.

generator.safetensors, encoder.safetensors and pca.safetensors hold tensors as 16 or 32 bit floats; config.json holds
the format's version, the sizes of the networks, the truncation, and the sha256 of each file. No file holds code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from backend_container.models.pca import LatentPCA
from backend_container.models.stylegan2.config import EncoderConfig, NetworkConfig
from backend_container.models.stylegan2.encoder import Encoder
from backend_container.models.stylegan2.generator import Generator
from backend_container.models.weight_files import CONFIG as CONFIG
from backend_container.models.weight_files import Manifest as BaseManifest
from backend_container.models.weight_files import Tensors, WeightFiles, float16, float32, module_tensors

FORMAT: Literal[1] = 1
FILES = ("generator.safetensors", "encoder.safetensors", "pca.safetensors")


class Manifest(BaseManifest):
    """What config.json holds."""

    format: Literal[1] = FORMAT
    network: NetworkConfig
    encoder: EncoderConfig
    truncation: Annotated[float, Field(ge=0, le=1)] = 0.7
    """psi of random faces (StyleGAN, appendix B)."""
    encoder_trained: bool = True


@dataclass(frozen=True)
class Weights:
    """All networks of an engine, on the CPU, ready to use."""

    network: NetworkConfig
    encoder_config: EncoderConfig
    truncation: float
    generator: Generator
    encoder: Encoder
    pca: LatentPCA
    encoder_trained: bool = True
    """False where only a generator was trained or imported: the encoder is there to be trained, and reads no photo."""


def save(directory: Path, weights: Weights, *, half: bool = False) -> None:
    """Write a directory that `load` reads; `half` stores 16 bit floats, at half the size.

    config.json is replaced last and whole, so a write that was cut off shows as damage and not as other weights.
    Raises ValueError when a number is not finite, or would not be as a 16 bit float.
    """
    parts: tuple[Tensors, ...] = (
        module_tensors(weights.generator),
        module_tensors(weights.encoder),
        dict(weights.pca.tensors()),
    )
    manifest = Manifest(
        network=weights.network,
        encoder=weights.encoder_config,
        truncation=weights.truncation,
        encoder_trained=weights.encoder_trained,
    )
    _files(directory).write(manifest, dict(zip(FILES, parts, strict=True)), float16 if half else float32)


def load(directory: Path) -> Weights:
    """Read a directory that `save` wrote.

    Raises ModelError with slug `weights-missing` (no directory, config.json or file), `weights-damaged` (a file is not
    the one that config.json names, cannot be parsed, or holds numbers that are not finite) or `weights-mismatch`
    (another format, or tensors that are not those of the networks).
    """
    files = _files(directory)
    manifest = files.manifest(Manifest)
    generator, encoder = _networks(files, manifest)
    tensors = {name: files.tensors(name, manifest) for name in FILES}
    for name, module in zip(FILES, (generator, encoder), strict=False):  # the third is no network
        files.fill(module, name, tensors[name])
    pca = _pca(files, tensors[FILES[2]], manifest.network.latent_shape)
    trained = manifest.encoder_trained
    return Weights(manifest.network, manifest.encoder, manifest.truncation, generator, encoder, pca, trained)


def _files(directory: Path) -> WeightFiles:
    remedy = f"Train or import them into {directory}, name their directory, or use the appearance engine."
    return WeightFiles(directory, "stylegan2 weights", remedy)


def _networks(files: WeightFiles, manifest: Manifest) -> tuple[Generator, Encoder]:
    try:
        return Generator(manifest.network).eval(), Encoder(manifest.network, manifest.encoder).eval()
    except ValueError as error:
        raise files.mismatch(CONFIG, str(error)) from error


def _pca(files: WeightFiles, tensors: Tensors, latent_shape: tuple[int, int]) -> LatentPCA:
    try:
        pca = LatentPCA.from_tensors({name: tensor.astype(np.float32) for name, tensor in tensors.items()})
    except (KeyError, TypeError, ValueError) as error:
        raise files.mismatch(FILES[2], f"it holds no subspace: {error}") from error
    if pca.mean.shape != latent_shape:
        reason = f"it is a subspace of latents {pca.mean.shape}; these networks have {latent_shape}"
        raise files.mismatch(FILES[2], reason)
    return pca
