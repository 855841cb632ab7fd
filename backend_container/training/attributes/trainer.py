"""Trains an attribute network: first its heads on a frozen backbone, then, if wanted, all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_container.datasets.shards import FaceShards
from backend_container.models.attributes.backbone import PUBLISHED, load_backbone
from backend_container.models.attributes.network import NetworkConfig, pool
from backend_container.models.attributes.trained import to_images
from backend_container.models.attributes.weights import AttributeWeights, new_heads
from backend_container.training import draws
from backend_container.training.attributes import colour, result
from backend_container.training.attributes.config import Config
from backend_container.training.attributes.features import PooledFeatures
from backend_container.training.attributes.losses import class_weights, first_bias, loss
from backend_container.training.attributes.targets import held_out, own_parts, read_targets
from backend_container.training.error import TrainingError
from backend_container.training.processes import Processes
from backend_container.training.state_tree import State
from backend_container.training.trainer import Facts

OBSERVED = 1024
"""Faces at most of which features have their mean and deviation."""


class AttributeTrainer:
    """A `Trainer`. One process: the heads are done in minutes."""

    def __init__(self, config: Config, shards: FaceShards, device: torch.device) -> None:
        """Raises ModelError as `load_backbone`, ValueError when the shards lack the labels, or hold too few faces."""
        self._config, self._shards, self._device = config, shards, device
        self._network = network_config(config)
        self._frozen_steps = round(config.frozen * config.steps)
        torch.manual_seed(config.seed)
        weights = Path(config.backbone_weights) if config.backbone_weights else None
        self._backbone = load_backbone(config.backbone, weights).eval().to(device)
        self._heads = new_heads(self._network, self._backbone).to(device)
        self._targets = read_targets(self._network.heads, shards.labels)
        names = [shards.names[face] for face in self._targets.faces]
        labels = [shards.labels[face] for face in self._targets.faces]
        self._parts = own_parts(labels) or held_out(names, config.held_out)
        if not all(map(len, self._parts)):
            raise ValueError(f"{len(names)} labelled faces are too few for training, calibration and test")
        trained = self._targets.rows(self._parts[0])
        self._classes = class_weights(self._network.heads, trained) if config.balanced else {}
        self._optimiser = self._new_optimiser()
        self._features = self._kept()
        self._step = 0
        self._begin()

    def step(self) -> dict[str, float]:
        if self._step == self._frozen_steps:
            self._optimiser = self._new_optimiser()
        batch = self._parts[0][draws.indices(len(self._parts[0]), self._config.seed, self._seen, self._config.batch)]
        torch.manual_seed(draws.seed_of(self._config.seed, "dropout", self._step))
        self._heads.train()
        logits = self._heads(self._pooled(batch))
        wanted = {name: tensor.to(self._device) for name, tensor in self._targets.rows(batch).items()}
        weights = {name: one.to(self._device) for name, one in self._classes.items()}
        losses = loss(self._network.heads, logits, wanted, self._config.gamma, self._config.alpha, weights)
        self._optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._step += 1
        return {name: value.item() for name, value in losses.items()}

    @property
    def _seen(self) -> int:
        return self._step * self._config.batch

    def _begin(self) -> None:
        wanted = self._targets.rows(self._parts[0])
        with torch.no_grad():
            for head in self._network.heads:
                alike = head.name in self._classes
                bias = torch.zeros(len(head.outputs)) if alike else first_bias(head, wanted[head.name])
                self._heads.heads[head.name].bias.copy_(bias)  # type: ignore[operator]
        if self._network.standardise:
            every = -(-len(self._parts[0]) // OBSERVED)
            self._heads.observe(self._plain(self._parts[0][::every]).to(self._device))

    def _new_optimiser(self) -> torch.optim.Optimizer:
        learns = self._step_learns()
        rate = self._config.fine_rate if learns else self._config.rate
        self._backbone.requires_grad_(learns)
        parameters = [*self._heads.parameters(), *(self._backbone.parameters() if learns else ())]
        return torch.optim.Adam(parameters, lr=rate, weight_decay=self._config.decay)

    def _step_learns(self) -> bool:
        return getattr(self, "_step", 0) >= self._frozen_steps

    # Features -------------------------------------------------------------------------------------------------------

    def _pooled(self, faces: NDArray[np.int64]) -> Tensor:
        mirrored = self._mirrored(len(faces))
        if not self._step_learns():
            return self._features.rows(faces, mirrored).to(self._device)
        source = draws.generator(self._config.seed, "colours", self._step)
        images = colour.jitter(_mirror(self._images(faces), mirrored), self._config.colours, source)
        return pool(self._backbone(images.to(self._device)), self._config.pooling)

    def _mirrored(self, count: int) -> NDArray[np.bool_]:
        if not self._config.mirror:
            return np.zeros(count, bool)
        source = draws.generator(self._config.seed, "mirror", self._step)
        return np.asarray(torch.rand(count, generator=source).numpy() < 0.5)

    def _images(self, faces: NDArray[np.int64]) -> Tensor:
        return to_images(self._shards.photos(self._targets.faces[faces]), self._config.side)

    def _kept(self) -> PooledFeatures:
        width = self._heads.features
        return PooledFeatures(len(self._targets.faces), width, self._compute)

    @torch.no_grad()
    def _compute(self, faces: NDArray[np.int64], mirrored: bool) -> Tensor:
        images = _mirror(self._images(faces), np.full(len(faces), mirrored))
        return pool(self._backbone(images.to(self._device)), self._config.pooling)

    # A run ----------------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Heads, optimiser, step; the backbone only once it has learnt."""
        return {
            "step": self._step,
            "faces": len(self._targets.faces),
            "heads": self._heads.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "backbone": self._backbone.state_dict() if self._learnt else {},
            "frozen_steps": self._frozen_steps,
        }

    def load(self, state: State) -> None:
        """Raises KeyError, ValueError or RuntimeError for a state of another network or other data."""
        if state["faces"] != len(self._targets.faces):
            raise ValueError(f"it was made with {state['faces']} labelled faces, not {len(self._targets.faces)}")
        self._step = int(state["step"])
        self._heads.load_state_dict(state["heads"])
        if state["backbone"]:
            self._backbone.load_state_dict(state["backbone"])
            # With more steps the frozen share is longer: what has learnt stays so. Older checkpoints do not say it
            self._frozen_steps = int(state.get("frozen_steps", self._frozen_steps))
        self._optimiser = self._new_optimiser() if self._learnt else self._optimiser
        self._optimiser.load_state_dict(state["optimiser"])

    @property
    def _learnt(self) -> bool:
        return self._step > self._frozen_steps

    def finish(self, folder: Path) -> None:
        """Calibrated weights, and metrics.json with figures on faces that neither training nor calibration saw."""
        calibrated, rows = self._judged()
        result.write(folder, calibrated, rows)

    def card(self, facts: Facts) -> str:
        return result.card(self._config, self._shards, len(self._targets.faces), self._judged()[1], facts)

    def _judged(self) -> tuple[AttributeWeights, list[dict[str, Any]]]:
        """Calibrated weights and their figures on the test faces."""
        _, calibration, test = self._parts
        published = self._config.backbone in PUBLISHED and not self._learnt
        weights = AttributeWeights(self._config.labels, self._network, self._backbone, self._heads.eval(), published)
        calibrated = result.calibrated(
            weights, self._plain(calibration), self._targets.rows(calibration), self._classes
        )
        labels = [self._shards.labels[face] for face in self._targets.faces[test]]
        return calibrated, result.figures(calibrated, self._plain(test), self._targets.rows(test), labels)

    def _plain(self, faces: NDArray[np.int64]) -> Tensor:
        """Features of faces, not mirrored, on the CPU."""
        if not self._learnt:
            return self._features.rows(faces, np.zeros(len(faces), bool))
        return torch.cat(
            [self._compute(part, mirrored=False).cpu() for part in np.split(faces, range(64, len(faces), 64))]
        )


def network_config(config: Config) -> NetworkConfig:
    """The shape of what a configuration trains."""
    return NetworkConfig(
        backbone=config.backbone,
        side=config.side,
        pooling=config.pooling,
        hidden=tuple(config.hidden),
        rank=config.rank or None,
        dropout=config.dropout,
        standardise=config.standardise,
        heads=config.wanted_heads(),
    )


def make_trainer(config: Config, shards: FaceShards, device: torch.device, processes: Processes) -> AttributeTrainer:
    """As `training.session.MakeTrainer`."""
    if processes.size > 1:
        raise TrainingError("Attributes are trained by one process; start it without torchrun.")
    return AttributeTrainer(config, shards, device)


def _mirror(images: Tensor, mirrored: NDArray[np.bool_]) -> Tensor:
    turned = torch.from_numpy(mirrored).view(-1, 1, 1, 1)
    return torch.where(turned, images.flip(3), images)
