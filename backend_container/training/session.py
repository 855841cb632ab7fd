"""From a configuration to a run's end: devices, data, trainer, the run folder, signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from backend_container.datasets.shards import DatasetError, FaceShards
from backend_container.models.engine import ModelError
from backend_container.training.checkpoints import Checkpoints
from backend_container.training.ending import Stop, ends_at
from backend_container.training.error import TrainingError
from backend_container.training.processes import Processes, device_of, join
from backend_container.training.run import Outcome, Run
from backend_container.training.run_folder import RunFolder
from backend_container.training.telling import Silent, Teller
from backend_container.training.trainer import Trainer
from backend_container.training.training_config import TrainingConfig

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""In what PyTorch says when there is none, of a GPU's and of the machine's."""
MakeTrainer = Callable[[TrainingConfig, FaceShards, torch.device, Processes], Trainer]
"""Raises ValueError, TrainingError or ModelError where configuration and data do not fit."""


def train(
    make_trainer: MakeTrainer,
    config: TrainingConfig,
    data: Path,
    out: Path,
    teller: Teller,
    *,
    now: float,
    time_limit_s: float | None,
    environment: Mapping[str, str],
    light: Path | None = None,
) -> Outcome:
    """Train, or go on. `now` is Unix seconds; `light` is a folder of light checkpoints. Raises TrainingError."""
    stop = Stop()
    stop.install()
    processes = join(environment)
    folder, light_ones = RunFolder(out, config.keep), None if light is None else Checkpoints(light, keep=1)
    try:
        with folder.taken() if processes.first else nullcontext(), _memory_told():
            device = device_of(config.device, environment)
            torch.set_num_threads(config.threads or torch.get_num_threads())
            shards = _shards(data)
            heard = teller if processes.first else Silent()
            _note_frame(shards, heard)
            trainer = _trainer(make_trainer, config, shards, device, processes)
            run = Run(
                trainer,
                config,
                folder,
                heard,
                device=device,
                processes=processes,
                ends_at=ends_at(now, time_limit_s, environment),
                sends="LIGAN_JOB" in environment,
                light=light_ones,
                data=shards.fingerprint,
            )
            found = folder.checkpoints.newest() or (light_ones.newest() if light_ones else None)
            if found is not None:
                run.resume(found)
            return _gone(run, stop, out)
    finally:
        processes.leave()


def _gone(run: Run, stop: Stop, out: Path) -> Outcome:
    try:
        return run.go(stop)
    except OSError as error:
        raise TrainingError(
            f"{out} cannot be written ({error.strerror or error}); make room in it and run it again to go on.", code=1
        ) from error


@contextmanager
def _memory_told() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not any(words in str(error) for words in _NO_MEMORY):
            raise
        reason = str(error).partition("\n")[0][:200]
        raise TrainingError(
            f"The memory is too small ({reason}): smaller batches or networks need less, begun under another --out.",
            code=1,
        ) from error


def _shards(folder: Path) -> FaceShards:
    try:
        return FaceShards.open(folder)
    except DatasetError as error:
        raise TrainingError(f"{error} `ligan dataset build` makes shards of photos.") from error


def _note_frame(shards: FaceShards, teller: Teller) -> None:
    if any(step.startswith("apply extract_face(") for step in shards.index.made_by.get("steps", ())):
        teller.note(
            "frame",
            "These faces were cut out as the thesis does. Engines see photos in another frame, that of `ligan dataset "
            "build --cut aligned`: what is trained on these does not fit it.",
        )


def _trainer(
    make_trainer: MakeTrainer, config: TrainingConfig, shards: FaceShards, device: torch.device, processes: Processes
) -> Trainer:
    try:
        return make_trainer(config, shards, device, processes)
    except ModelError as error:
        raise TrainingError(error.detail) from error
    except ValueError as error:
        raise TrainingError(f"The settings do not fit the data: {error}.") from error
