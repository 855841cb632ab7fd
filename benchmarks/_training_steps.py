"""A generator's training, step by step, in numbers of 32 bits and in mixed precision."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _device import Device
from _report import Figures, summary

from backend_container.datasets.shards import FaceShards, ShardWriter
from backend_container.models.stylegan2.config import NetworkConfig
from backend_container.training.generator.config import Config
from backend_container.training.generator.trainer import GeneratorTrainer, make_trainer
from backend_container.training.processes import Processes

VARIANTS: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "cpu": {"fp32": {"precision": "fp32"}, "bf16": {"precision": "bf16"}},
    "cuda": {
        "eager_fp32": {"precision": "fp32", "channels_last": False},
        "fp32": {"precision": "fp32"},
        "bf16": {"precision": "bf16"},
        "fp16": {"precision": "fp16"},
    },
}
"""Settings of what is compared on a device; `eager_fp32` is the network without our memory layout."""


def training(
    network: NetworkConfig, batch: int, count: int, variants: Mapping[str, dict[str, Any]], device: Device
) -> Figures:
    """`count` steps of each variant, in turn; a first step more is left out. All regularisers as often as due."""
    with tempfile.TemporaryDirectory() as folder:
        shards = noise(Path(folder) / "noise", network.resolution)
        base = {**network.model_dump(), "batch": batch, "steps": count + 2, "log_every": count + 2}
        trainers = {name: trainer(base | own, shards, device) for name, own in variants.items()}
        times: dict[str, list[float]] = {name: [] for name in trainers}
        for _ in range(count + 1):
            for name, one in trainers.items():
                times[name].append(device.timed(one.step))
    return {name: row(batch, found[1:]) for name, found in times.items()} | device.memory()


def trainer(settings: dict[str, Any], shards: FaceShards, device: Device) -> GeneratorTrainer:
    return make_trainer(Config.model_validate(settings), shards, torch.device(device.name), Processes())


def row(batch: int, times: list[float]) -> Figures:
    return {"images_per_s": round(1000 * batch / statistics.mean(times), 2)} | {
        f"step_ms_{name}": value for name, value in summary(times).items()
    }


def noise(folder: Path, side: int, faces: int = 64) -> FaceShards:
    """Shards of what costs as much to read as faces do."""
    random, writer = np.random.default_rng(0), ShardWriter(folder, side)
    for number in range(faces):
        writer.add(f"{number}.png", random.integers(0, 256, (side, side, 3), dtype=np.uint8), {})
    writer.finish()
    return FaceShards.open(folder)
