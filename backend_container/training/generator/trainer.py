"""The steps of a generator's training (StyleGAN2, sections 2 and 3; the authors' four phases, in their order)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from backend_container.datasets.shards import FaceShards
from backend_container.models.engine import Photo
from backend_container.training import draws
from backend_container.training.generator import average, codes, losses, result
from backend_container.training.generator.augmentation import Augmentation
from backend_container.training.generator.codes import Codes
from backend_container.training.generator.config import Config
from backend_container.training.generator.feed import Feed
from backend_container.training.generator.learner import Learner
from backend_container.training.generator.networks import Networks
from backend_container.training.processes import Processes
from backend_container.training.state_tree import State
from backend_container.training.trainer import Facts

_MEAN_W = 0.998
"""The mean w's own part after a step (w_avg_beta of the authors' code)."""


def make_trainer(config: Config, shards: FaceShards, device: torch.device, processes: Processes) -> GeneratorTrainer:
    """Raises ValueError where the shards' faces are of another size, or none."""
    if shards.resolution != config.resolution:
        raise ValueError(f"the shards' faces have {shards.resolution} pixels and the settings say {config.resolution}")
    if not len(shards):
        raise ValueError("the shards hold no face")
    return GeneratorTrainer(config, shards, device, processes)


class GeneratorTrainer:
    """A `Trainer`, with `Samples` and a model card."""

    def __init__(self, config: Config, shards: FaceShards, device: torch.device, processes: Processes) -> None:
        self._config, self._shards, self._processes = config, shards, processes
        self._networks = networks = Networks(config, device)
        self._path_every = config.path_every if config.path_length else 0
        scaled = networks.kind is torch.float16 and device.type == "cuda"
        self._generator = Learner(networks.generator, config.rate, self._path_every, scaled, processes)
        self._discriminator = Learner(networks.discriminator, config.rate, config.r1_every, scaled, processes)
        self._augmentation = Augmentation(config, device, processes)
        self._feed = Feed(shards, config.batch, config.seed, config.mirror, device, processes)
        self._path_mean = torch.zeros((), device=device)
        self._latest: dict[str, Tensor] = {}
        self._losses: dict[str, float] = {}
        self._step = 0

    # A step ---------------------------------------------------------------------------------------------------------

    def step(self) -> dict[str, float]:
        """One step of both networks; losses are told anew every `log_every` steps, for reading them makes a GPU wait.

        `generator` and `discriminator` are their losses, `path` and `r1` the penalties without weights, `r_t` and `p`
        as in ADA.
        """
        at = self._step
        torch.manual_seed(draws.seed_of(self._config.seed, f"noise {self._processes.rank}", at))
        photos = self._feed.photos(at)
        told = {"generator": self._improve_generator()}
        if self._path_every and at % self._path_every == 0:
            told["path"] = self._smooth_paths()
        told["discriminator"] = self._improve_discriminator(photos)
        if self._config.r1_every and at % self._config.r1_every == 0:
            told["r1"] = self._smooth_discriminator(photos)
        self._follow()
        self._step += 1
        return self._told(told)

    def _improve_generator(self) -> Tensor:
        self._train(generator=True)
        images, w = self._networks.generate(self._codes("generator", self._config.batch))
        logits = self._networks.judge(self._augmentation(images, "generator", self._step))
        loss = losses.generator_loss(logits)
        self._generator.descend(loss)
        mean = w.detach().mean(dim=0)
        self._processes.mean([mean])
        self._networks.generator.mapping.average.lerp_(mean, 1 - _MEAN_W)
        return loss

    def _smooth_paths(self) -> Tensor:
        """Path-length regularisation (section 3.2, equation 4)."""
        config, networks = self._config, self._networks
        batch = max(1, config.batch // config.path_shrink)
        images, latents = networks.generate_exactly(self._codes("path", batch))
        lengths = losses.path_lengths(images, latents, self._directions(images))
        mean = lengths.detach().mean()
        self._processes.mean([mean])
        self._path_mean.lerp_(mean, config.path_decay)
        penalty = (lengths - self._path_mean).square().mean()
        self._generator.descend(config.path_length * self._path_every * penalty)
        return penalty

    def _improve_discriminator(self, photos: Tensor) -> Tensor:
        self._train(generator=False)
        with torch.no_grad():
            images, _ = self._networks.generate(self._codes("discriminator", self._config.batch))
        fake = self._networks.judge(self._augmentation(images, "fake", self._step))
        real = self._networks.judge(self._augmentation(photos, "real", self._step))
        loss = losses.discriminator_loss(real, fake)
        self._discriminator.descend(loss)
        self._losses |= self._augmentation.watch(real, self._step)
        return loss

    def _smooth_discriminator(self, photos: Tensor) -> Tensor:
        """R1, at real images as the discriminator sees them, augmented."""
        seen = self._augmentation(photos, "r1", self._step).detach().requires_grad_()
        penalty = losses.r1_penalty(self._networks.judge_exactly(seen), seen)
        gamma = self._config.gamma(self._config.batch * self._processes.size)
        self._discriminator.descend(gamma / 2 * self._config.r1_every * penalty)
        return penalty

    def _follow(self) -> None:
        images = self._config.batch * self._processes.size
        keep = average.decay(images, self._step * images, self._config.ema_images, self._config.ema_ramp)
        average.follow(self._networks.average, self._networks.generator, keep)

    def _train(self, *, generator: bool) -> None:
        self._networks.generator.requires_grad_(generator)
        self._networks.discriminator.requires_grad_(not generator)

    def _codes(self, purpose: str, batch: int) -> Codes:
        source = draws.generator(self._config.seed, f"codes {purpose}", self._step)
        count = batch * self._processes.size
        drawn = codes.draw(count, self._config.network.latent_shape, self._config.mixing, source)
        return drawn.share(self._processes.rank, self._processes.size, self._networks.device)

    def _directions(self, images: Tensor) -> Tensor:
        source = draws.generator(self._config.seed, "directions", self._step)
        rank, size = self._processes.rank, self._processes.size
        return torch.randn(len(images) * size, *images.shape[1:], generator=source)[rank::size].to(images)

    def _told(self, told: dict[str, Tensor]) -> dict[str, float]:
        self._latest |= {name: loss.detach() for name, loss in told.items()}
        if self._step % self._config.log_every == 0 or self._step >= self._config.steps:
            self._losses |= {name: loss.item() for name, loss in self._latest.items()}
        return dict(self._losses)

    # A run ----------------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Networks, optimisers, p, the mean path length, the step, and losses, some of which are not told yet."""
        return {
            "step": self._step,
            "faces": len(self._shards),
            "generator": self._generator.state(),
            "discriminator": self._discriminator.state(),
            "average": self._networks.average.state_dict(),
            "augmentation": self._augmentation.state(),
            "path_mean": self._path_mean,
            "latest": self._latest,
            "losses": self._losses,
        }

    def load(self, state: State) -> None:
        """Raises KeyError, ValueError or RuntimeError for a state of other networks or other data."""
        if state["faces"] != len(self._shards):
            raise ValueError(f"it was made with {state['faces']} faces, and the shards hold {len(self._shards)}")
        self._generator.load(state["generator"])
        self._discriminator.load(state["discriminator"])
        self._networks.average.load_state_dict(state["average"])
        self._augmentation.load(state["augmentation"])
        self._path_mean.copy_(state["path_mean"])
        self._latest, self._losses = state.get("latest", {}), state.get("losses", {})  # absent in older checkpoints
        self._step = int(state["step"])

    def samples(self) -> Photo:
        """Random faces of the kept average."""
        return result.sheet(self._networks.average, self._config)

    def finish(self, folder: Path) -> None:
        """Weights that the engine `stylegan2` loads, and a sheet of samples."""
        result.write(folder, self._networks.average, self._config)

    def card(self, facts: Facts) -> str:
        return result.card(self._config, self._shards, facts)
