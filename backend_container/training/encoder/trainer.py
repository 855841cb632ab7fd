"""A step of an encoder's training: photos and generated faces, encoded, rendered again and compared."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from backend_container.datasets.shards import FaceShards
from backend_container.models.engine import Photo
from backend_container.models.stylegan2 import weights as files
from backend_container.models.stylegan2.encoder import Encoder
from backend_container.models.stylegan2.lite0_backbone import Lite0Backbone
from backend_container.training import draws
from backend_container.training.encoder import result
from backend_container.training.encoder.config import Config
from backend_container.training.encoder.losses import Losses
from backend_container.training.generator.feed import Feed
from backend_container.training.processes import Processes
from backend_container.training.state_tree import State
from backend_container.training.trainer import Facts

SPREAD_OF = 1000
"""w whose standard deviation scales the encoder's first guess."""


class EncoderTrainer:
    """A `Trainer`. The generator stays as it is."""

    def __init__(self, config: Config, shards: FaceShards, device: torch.device, processes: Processes) -> None:
        """Raises ModelError as `weights.load` does, ValueError when the shards have another resolution or no face."""
        self._config, self._shards, self._device, self._processes = config, shards, device, processes
        self._weights = files.load(Path(config.weights))
        network = self._weights.network
        if shards.resolution != network.resolution:
            raise ValueError(f"the shards have {shards.resolution} pixels, the generator {network.resolution}")
        self._generator = self._weights.generator.to(device).requires_grad_(False)
        if not len(shards):
            raise ValueError("the shards hold no face")
        torch.manual_seed(config.seed)
        self._encoder = Encoder(network, config.encoder).to(device)
        self._losses = Losses(config, self._begin(), str(device))
        self._optimiser = torch.optim.Adam(self._encoder.parameters(), lr=config.rate)
        self._feed = Feed(shards, config.photos, config.seed, config.mirror, device, processes)
        self._step = 0

    def step(self) -> dict[str, float]:
        """One step; losses by name, unweighted."""
        known = self._faces("z", self._step, self._config.generated)
        with torch.no_grad():
            made = self._generator.synthesis(known)
        wanted = torch.cat([made, self._feed.photos(self._step)]) if self._config.photos else made
        latents = self._encoder(wanted)
        found = self._losses(self._generator.synthesis(latents), wanted, latents, known)
        self._descend(self._losses.total(found))
        self._step += 1
        return {name: loss.item() for name, loss in found.items()}

    def _descend(self, loss: Tensor) -> None:
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._processes.mean(parameter.grad for parameter in self._encoder.parameters() if parameter.grad is not None)
        self._optimiser.step()

    @torch.no_grad()
    def _begin(self) -> Tensor:
        """Set the encoder's mean and scales to those of the generator's w; gives their standard deviation."""
        source = draws.generator(self._config.seed, "spread", 0)
        z = torch.randn(SPREAD_OF, self._weights.network.latent, generator=source).to(self._device)
        w = self._generator.mapping(z)
        self._encoder.average.copy_(w.mean(0))
        spread: Tensor = w.std(0).square().mean().sqrt()
        self._encoder.scale.fill_(spread.item())
        if isinstance(self._encoder.backbone, Lite0Backbone):
            self._encoder.backbone.load_imagenet()
        return spread

    @torch.no_grad()
    def _faces(self, purpose: str, step: int, count: int) -> Tensor:
        """w+ of random faces, this process's share of those of all."""
        rank, size = self._processes.rank, self._processes.size
        source = draws.generator(self._config.seed, purpose, step)
        z = torch.randn(count * size, self._weights.network.latent, generator=source)[rank::size]
        latents: Tensor = self._generator.latents(z.to(self._device), self._config.truncation)
        return latents

    # A run ----------------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Encoder, optimiser, step."""
        return {
            "step": self._step,
            "faces": len(self._shards),
            "encoder": self._encoder.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def load(self, state: State) -> None:
        """Raises KeyError, ValueError or RuntimeError for a state of another encoder or other data."""
        if state["faces"] != len(self._shards):
            raise ValueError(f"it was made with {state['faces']} faces, and the shards hold {len(self._shards)}")
        self._encoder.load_state_dict(state["encoder"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._step = int(state["step"])

    def samples(self) -> Photo:
        """Generated faces and photos, each above its reconstruction."""
        made = result.render(self._generator, self._faces("samples", 0, result.COLUMNS))
        count = min(result.COLUMNS, len(self._shards))
        photos = self._shards.photos(draws.indices(len(self._shards), self._config.seed, 0, count))
        return result.sheet([made, photos], self._encoder, self._generator)

    def finish(self, folder: Path) -> None:
        """The weights of an engine: the generator that was given, the encoder, and the subspace of what it encodes."""
        result.write(folder, self._weights, self._encoder, self._config)

    def card(self, facts: Facts) -> str:
        return result.card(self._config, self._shards, facts)


def make_trainer(config: Config, shards: FaceShards, device: torch.device, processes: Processes) -> EncoderTrainer:
    """As `training.session.MakeTrainer`."""
    return EncoderTrainer(config, shards, device, processes)
