"""Small data and runs for the tests of training; children of a fork server, so that torch is imported once for all."""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from backend_container.datasets.shards import FaceShards, ShardWriter
from backend_container.training import session
from backend_container.training.checkpoints import Checkpoints
from backend_container.training.draws import generator
from backend_container.training.processes import Processes
from backend_container.training.telling import Silent
from backend_container.training.training_config import TrainingConfig

forked = multiprocessing.get_context("forkserver")
forked.set_forkserver_preload([__name__, "backend_container.training.generator.trainer"])


def make_shards(folder: Path, faces: int = 24, resolution: int = 64, **made_by: object) -> Path:
    """Noise of a few colours in place of faces."""
    random = np.random.default_rng(1)
    writer = ShardWriter(folder, resolution)
    for number in range(faces):
        coarse = random.integers(0, 255, (4, 4, 3)).astype(np.uint8)
        writer.add(f"{number}.png", coarse.repeat(resolution // 4, 0).repeat(resolution // 4, 1), {})
    writer.finish(made_by)
    return folder


class ToyConfig(TrainingConfig):
    scale: float = Field(1.0, description="Of each step")


class ToyTrainer:
    """A random walk that depends on all of its state."""

    def __init__(self, config: ToyConfig) -> None:
        self._config = config
        self.weights, self._done = torch.zeros(20_000), 0

    def step(self):
        noise = torch.randn(len(self.weights), generator=generator(self._config.seed, "walk", self._done))
        self.weights = 0.9 * self.weights + self._config.scale * noise.sin()
        self._done += 1
        return {"length": float(self.weights.norm())}

    def state(self):
        return {"weights": self.weights, "done": self._done, "nested": [{"numbers": np.arange(3)}, (1.5, None, True)]}

    def load(self, state):
        assert state["nested"][1] == (1.5, None, True)
        np.testing.assert_array_equal(state["nested"][0]["numbers"], np.arange(3))
        self.weights, self._done = state["weights"].clone(), state["done"]

    def finish(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weights").write_bytes(self.weights.numpy().tobytes())


def make_toy(config: ToyConfig, _shards: FaceShards, _device: torch.device, _processes: Processes) -> ToyTrainer:
    return ToyTrainer(config)


def train(make_trainer, config, data: Path, out: Path, time_limit_s=None, light=None, **environment: str) -> int:
    """A run, or its next part, in this process."""
    return session.train(
        make_trainer,
        config,
        data,
        out,
        Silent(),
        now=time.time(),
        time_limit_s=time_limit_s,
        environment=environment,
        light=light,
    )


def _train_and_exit(*arguments) -> None:
    torch.set_num_threads(1)
    os._exit(int(train(*arguments)))


def start(make_trainer, config, data: Path, out: Path, time_limit_s=None) -> ForkServerProcess:
    """The same in a process of its own, which ends with the run's exit code."""
    child = forked.Process(target=_train_and_exit, args=(make_trainer, config, data, out, time_limit_s), daemon=True)
    child.start()
    return child


def stored(out: Path):
    """The newest checkpoint's state."""
    found = Checkpoints(out / "checkpoints").newest()
    assert found is not None
    return found
