"""A published generator as a folder of weights of ours."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from backend_container.models.engine import ModelError
from backend_container.models.pca import COMPONENTS, LatentPCA
from backend_container.models.stylegan2 import weights as files
from backend_container.models.stylegan2.config import EncoderConfig, NetworkConfig
from backend_container.models.stylegan2.encoder import Encoder
from backend_container.models.stylegan2.generator import Generator
from backend_container.models.stylegan2.published.reading import read_published
from backend_container.training.generator.result import repeated
from backend_container.weights_command.folder import CARD
from ligan.output import plain

FITTED = 10_000
"""w that the subspace is fitted to (thesis, section 3.4.5)."""


def import_published(file: Path, folder: Path, truncation: float = 0.7, *, half: bool = False) -> None:
    """Write weights for the engine `stylegan2`, whose encoder is still to be trained.

    Raises ModelError as `read_published`, and `weights-mismatch` when `file` is a folder or a device, `folder` holds
    something already, or the numbers do not fit into 16 bits.
    """
    if file.exists() and not file.is_file():
        raise ModelError("weights-mismatch", f"{file} is no file. Name a .pkl or a .pt.")
    if folder.exists() and not folder.is_dir():
        raise ModelError("weights-mismatch", f"{folder} is no folder. Name another one with --out.")
    if folder.exists() and any(folder.iterdir()):
        raise ModelError("weights-mismatch", f"{folder} is not empty. Name another folder with --out.")
    config, generator = read_published(file)
    weights = _weights(config, generator, truncation)
    try:
        with _whole_or_not_there(folder) as part:
            files.save(part, weights, half=half)
            (part / CARD).write_text(plain(_card(file, config, truncation)))
    except ValueError as error:
        raise ModelError("weights-mismatch", f"{file.name} cannot be stored: {error}. Leave --half out.") from error
    except OSError as error:
        raise ModelError("weights-missing", f"{folder} cannot be written: {error.strerror}.") from error


@contextmanager
def _whole_or_not_there(folder: Path) -> Iterator[Path]:
    """A place beside `folder` whose files become its own at the end: nothing broken off is in the way later."""
    part = folder.resolve().with_name(f".{folder.resolve().name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        yield part
        folder.mkdir(exist_ok=True)
        for path in sorted(part.iterdir(), key=lambda path: path.name == files.CONFIG):  # which makes it one of weights
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _weights(config: NetworkConfig, generator: Generator, truncation: float) -> files.Weights:
    torch.manual_seed(0)
    encoder = Encoder(config, EncoderConfig()).eval().requires_grad_(False)
    encoder.average.copy_(generator.mapping.average)
    pca = _subspace(generator, config)
    return files.Weights(config, EncoderConfig(), truncation, generator, encoder, pca, encoder_trained=False)


@torch.inference_mode()
def _subspace(generator: Generator, config: NetworkConfig) -> LatentPCA:
    """Of random w, as many components as they vary in and at most 256."""
    z = torch.randn(FITTED, config.latent, generator=torch.Generator().manual_seed(0))
    w = generator.mapping(z).numpy()
    dimension = min(COMPONENTS, config.latent)
    while dimension > 1:
        try:
            return repeated(LatentPCA.fit(w, dimension), config.latent_shape[0])
        except ValueError:  # they vary in fewer
            dimension //= 2
    return repeated(LatentPCA.fit(w, 1), config.latent_shape[0])


def _card(file: Path, config: NetworkConfig, truncation: float) -> str:
    with file.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    return f"""# An imported StyleGAN2 generator

{config.resolution} × {config.resolution} pixels, w+ {config.latent_shape[0]} × {config.latent}; for the engine
`stylegan2`. Made by `ligan weights import`.

- **From**: {file.name}, sha256 {digest}.
- **Terms**: those of its authors.
  Look them up before you use it: many published faces are for non-commercial use only.
- **Training data, measures, groups of people**: see its authors' page. `ligan evaluate` measures it here.
- **Random faces**: truncated by {truncation}.
- **Encoder**: not trained; `ligan train encoder` does that. Until then photos cannot be read.
"""
