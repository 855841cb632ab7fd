"""What an encoder's training leaves: weights for the engine, a sheet, a model card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend_container.datasets.shards import FaceShards
from backend_container.models.engine import Latents, Photo, Photos
from backend_container.models.pca import LatentPCA
from backend_container.models.stylegan2 import weights as files
from backend_container.models.stylegan2.encoder import Encoder
from backend_container.models.stylegan2.generator import Generator
from backend_container.models.stylegan2.weights import Weights
from backend_container.training import draws
from backend_container.training.encoder.config import Config
from backend_container.training.telling import duration
from backend_container.training.trainer import Facts

FITTED = 10_000
"""Generated faces that the subspace is fitted to (thesis, section 3.4.5)."""
COLUMNS = 8
AT_ONCE = 16


def write(folder: Path, weights: Weights, encoder: Encoder, config: Config, fitted: int = FITTED) -> None:
    """The whole engine, its encoder and subspace new."""
    trained = replace(
        weights,
        encoder=encoder,
        encoder_config=config.encoder,
        encoder_trained=True,
        pca=subspace(weights.generator, encoder, config, fitted),
    )
    files.save(folder, trained, half=config.half)


def subspace(generator: Generator, encoder: Encoder, config: Config, fitted: int = FITTED) -> LatentPCA:
    """Principal components of what the encoder makes of generated faces (thesis, section 3.4.5).

    Fewer than asked for where the w+ vary in fewer dimensions, as those of an encoder that was hardly trained do.
    """
    dimension = min(config.subspace, fitted // 2, int(np.prod(generator.synthesis.latent_shape)))
    while dimension > 1:
        try:
            return LatentPCA.fit_batches(encoded(generator, encoder, config, fitted), dimension)
        except ValueError:
            dimension //= 2
    return LatentPCA.fit_batches(encoded(generator, encoder, config, fitted), 1)


@torch.inference_mode()
def encoded(generator: Generator, encoder: Encoder, config: Config, count: int) -> Iterator[Latents]:
    """w+ of generated faces, in batches."""
    average = generator.mapping.average
    source = draws.generator(config.seed, "subspace", 0)
    z = torch.randn(count, len(average), generator=source)
    for part in torch.split(z, AT_ONCE):
        images = generator(part.to(average.device), config.truncation)
        yield np.asarray(encoder(images).float().cpu().numpy(), np.float32)


@torch.inference_mode()
def render(generator: Generator, latents: Tensor) -> Photos:
    """Photos (n, R, R, 3) of w+."""
    pixels = (generator.synthesis(latents) * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.asarray(pixels.permute(0, 2, 3, 1).cpu().numpy(), np.uint8)


@torch.inference_mode()
def sheet(rows: Sequence[Photos], encoder: Encoder, generator: Generator) -> Photo:
    """Each row above what encoder and generator make of it; shorter rows are filled up with black."""
    shown = [one for photos in rows for one in (photos, _again(photos, encoder, generator))]
    return np.concatenate([np.concatenate(list(_filled(photos)), axis=1) for photos in shown])


def _again(photos: Photos, encoder: Encoder, generator: Generator) -> Photos:
    pixels = torch.from_numpy(photos).to(generator.mapping.average.device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return render(generator, encoder(pixels))


def _filled(photos: Photos) -> Photos:
    missing = np.zeros((COLUMNS - len(photos), *photos.shape[1:]), np.uint8)
    return np.concatenate([photos, missing])


def card(config: Config, shards: FaceShards, facts: Facts) -> str:
    """A model card (Mitchell et al. 2019), as far as the training itself knows."""
    losses = ", ".join(f"{name} {value:.4f}" for name, value in facts.losses.items())
    return f"""# An encoder for a StyleGAN2 generator

Photos to w+, with the backbone {config.backbone}; for the engine `stylegan2`. Made by `ligan train encoder`.

- **Generator**: {config.weights}; see its own card.
- **Data**: {len(shards)} faces of the set {shards.folder.name}, {config.photos} of each {config.batch} images;
  the others were generated.
- **Terms**: those of the generator, and those of the set {shards.folder.name}.
- **Training**: {facts.steps} steps, {facts.images} images, {duration(facts.seconds)} on {facts.processes} ×
  {facts.device}.
- **At the end**: {losses}.
- **Subspace**: at most {config.subspace} principal components of the w+ of {FITTED} generated faces.
- **Measures**: none were taken here; `ligan evaluate` takes them.

```json
{json.dumps(config.model_dump(mode="json"), indent=2)}
```
"""
