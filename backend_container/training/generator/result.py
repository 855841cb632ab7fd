"""What a training leaves: weights for the engine, a sheet of samples, a model card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend_container.datasets.shards import FaceShards
from backend_container.models.engine import Photo, Photos
from backend_container.models.pca import LatentPCA
from backend_container.models.stylegan2 import weights
from backend_container.models.stylegan2.config import EncoderConfig
from backend_container.models.stylegan2.encoder import Encoder
from backend_container.models.stylegan2.generator import Generator
from backend_container.training import draws
from backend_container.training.generator.config import Config
from backend_container.training.run_folder import png_of
from backend_container.training.telling import duration
from backend_container.training.trainer import Facts

FITTED = 10_000
"""w that the subspace is fitted to (thesis, section 3.4.5)."""
_ROWS, _COLUMNS = 4, 8
_AT_ONCE = 8


@torch.inference_mode()
def sheet(generator: Generator, config: Config) -> Photo:
    """Random faces, always of the same z, truncated; RGB, shape (4 R, 8 R, 3)."""
    z = torch.randn(_ROWS * _COLUMNS, config.latent, generator=draws.generator(config.seed, "samples", 0))
    device = generator.mapping.average.device
    images = [generator(part.to(device), config.truncation) for part in torch.split(z, _AT_ONCE)]
    pixels = (torch.cat(images) * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    photos: Photos = pixels.permute(0, 2, 3, 1).cpu().numpy()
    rows = photos.reshape(_ROWS, _COLUMNS, *photos.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])


def write(folder: Path, generator: Generator, config: Config) -> None:
    """The weights, whose encoder is still to be trained, and `samples.png`."""
    encoder = EncoderConfig()
    torch.manual_seed(draws.seed_of(config.seed, "encoder", 0))  # whatever was drawn before: a resumed run draws less
    built = Encoder(config.network, encoder).requires_grad_(False)
    built.average.copy_(generator.mapping.average)
    with_encoder = weights.Weights(
        network=config.network,
        encoder_config=encoder,
        truncation=config.truncation,
        generator=generator,
        encoder=built,
        pca=subspace(generator, config),
        encoder_trained=False,
    )
    weights.save(folder, with_encoder, half=config.half)
    (folder / "samples.png").write_bytes(png_of(sheet(generator, config)))


def subspace(generator: Generator, config: Config) -> LatentPCA:
    """Principal components of random w+, fewer than asked for where w varies in fewer dimensions."""
    w = _random_w(generator, config)
    dimension = min(config.subspace, config.latent // 2)
    while dimension > 1:
        try:
            return repeated(LatentPCA.fit(w, dimension, config.seed), config.network.latent_shape[0])
        except ValueError:  # fewer dimensions: early in a training
            dimension //= 2
    return repeated(LatentPCA.fit(w, 1, config.seed), config.network.latent_shape[0])


def repeated(pca: LatentPCA, layers: int) -> LatentPCA:
    """The subspace of w+ whose layers are all a w of `pca`: as if fitted to them, at a fraction of the work.

    Repeating a vector makes it sqrt(layers) times as long, and its direction as much shorter.
    """
    mean, components = np.tile(pca.mean, (layers, 1)), np.tile(pca.components[:, None], (1, layers, 1))
    length = np.float32(np.sqrt(layers))
    return LatentPCA(mean, components / length, pca.deviations * length)


@torch.inference_mode()
def _random_w(generator: Generator, config: Config) -> NDArray[np.float32]:
    z = torch.randn(FITTED, config.latent, generator=draws.generator(config.seed, "subspace", 0))
    w: NDArray[np.float32] = generator.mapping(z.to(generator.mapping.average.device)).float().cpu().numpy()
    return w


def card(config: Config, shards: FaceShards, facts: Facts) -> str:
    """A model card (Mitchell et al. 2019), as far as the training itself knows."""
    network = config.network
    losses = ", ".join(f"{name} {value:.3f}" for name, value in facts.losses.items())
    return f"""# A StyleGAN2 generator

{network.resolution} × {network.resolution} pixels, w+ {network.latent_shape[0]} × {network.latent}, feature maps
{network.channel_base} / resolution, at most {network.channel_max}, {network.mapping_layers} mapping layers; for the
engine `stylegan2`. Made by `ligan train generator`.

- **Data**: {len(shards)} faces of the set {shards.folder.name}.
- **Terms**: those of the set {shards.folder.name}.
- **Training**: {facts.steps} steps, {facts.images} images, {duration(facts.seconds)} on {facts.processes} ×
  {facts.device}; {config.augment} augmentation.
- **At the end**: {losses}.
- **Encoder**: not trained; `ligan train encoder` does that. Until then photos cannot be encoded.
- **Measures**: none were taken here; `ligan evaluate` takes them.
- **Faces**: random ones resemble the training set. Nobody has looked at how they differ between groups of people.

```json
{json.dumps(config.model_dump(mode="json"), indent=2)}
```
"""
