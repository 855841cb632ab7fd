"""`ligan train KIND`: train a model, on this machine or in a job. PyTorch is imported only when a run begins."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from backend_container.training.error import TrainingError
from backend_container.training.telling import Json, Plain
from backend_container.training.training_config import TrainingConfig, example, make_config, read_config
from ligan.help import explained
from ligan.output import say
from ligan.settings import seconds as parse_seconds

_HERE = "backend_container.training"
KINDS = ("attributes", "encoder", "generator")
"""Packages beside this module: `config.py` has Config, a TrainingConfig, and `trainer.py` has
`make_trainer(config, shards, device, processes) -> Trainer`, which raises ValueError where they do not fit."""
_DESCRIPTION = """Train a model. A run is a folder: stopped or killed at any moment, the same command goes on from its
newest checkpoint. SIGTERM, SIGUSR1, Ctrl-C and the time limit (also a Slurm job's own) end it in time, with a
checkpoint."""
_EPILOG = """examples:
  ligan train generator --example > generator.toml
  ligan train generator --config generator.toml --data shards --out run
  torchrun --nproc-per-node 2 -m backend_container.training generator --config generator.toml --data shards --out run
  ligan submit --continue 10 --time 60 --return 'run/**' -- ligan train generator --data shards --out run

The data is a folder of shards, as `ligan dataset build` makes it. In the run's folder: config.json, checkpoints,
log.jsonl, samples, and at the end weights.

Exit status: 0 done, 75 ended in time and to be started again to go on, 130 the same by Ctrl-C, 1 failed, 2 the
command, its configuration or its data cannot be used."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan train`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML; default: those of --example")
    parser.add_argument("--data", type=Path, metavar="SHARDS", help="folder of shards to train on")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the run's folder")
    parser.add_argument("--resume", choices=("auto", "never"), default="auto", help="never: refuse a folder with a run")
    parser.add_argument("--time-limit", type=_limit, metavar="TIME", help="[days-]HH:MM:SS or seconds; end before it")
    parser.add_argument("--steps", type=int, metavar="N", help="in place of the file's")
    parser.add_argument(
        "--light",
        type=Path,
        metavar="FOLDER",
        help="keep a light copy of the newest checkpoint too (16 bit, no optimiser); begin from it if --out has none",
    )
    parser.add_argument("--example", action="store_true", help="print a settings file with every default, and leave")
    parser.add_argument("--json", action="store_true", help="print an object a line")


def _limit(text: str) -> float:
    try:
        return float(str(parse_seconds(text)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def train(arguments: argparse.Namespace) -> int:
    """train a model on a folder of shards

    Exit codes: 0 done, 75 to be continued, 130 interrupted, 1 failed, 2 cannot begin.
    """
    try:
        kind = _config_class(arguments.kind)
        if arguments.example:
            say(example(kind).rstrip())
            return 0
        return _train(arguments, kind)
    except TrainingError as error:
        print(f"ligan train: {error}", file=sys.stderr)
        return error.code


def _config_class(kind: str) -> type[TrainingConfig]:
    found: type[TrainingConfig] = _module(kind, "config").Config
    return found


def _module(kind: str, name: str) -> Any:  # noqa: ANN401 (a module)
    package = f"{_HERE}.{kind}"
    try:
        return _imported(f"{package}.{name}")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(package):
            raise
        raise TrainingError(f"This LiGAN cannot train {kind}: {error.name} is not part of it.") from error


def _imported(name: str) -> Any:  # noqa: ANN401 (a module)
    """Imported now: a login node has no torch. Raises TrainingError where a library is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(_HERE):
            raise
        raise TrainingError(
            f"{error.name} is not installed here, and training needs it. Install ligan[backend], or train where "
            "backends run: ligan submit -- ligan train ..."
        ) from error


def _train(arguments: argparse.Namespace, kind: type[TrainingConfig]) -> int:
    for name in ("data", "out"):
        if getattr(arguments, name) is None:
            raise TrainingError(f"--{name} is needed; `ligan train --help` shows examples.")
    config = _config(arguments, kind)
    if arguments.resume == "never" and (arguments.out / "checkpoints").is_dir():
        raise TrainingError(f"{arguments.out} holds a run already; leave --resume out to go on, or take another --out.")
    make_trainer, session = _module(arguments.kind, "trainer").make_trainer, _imported(f"{_HERE}.session")
    outcome = session.train(
        make_trainer,
        config,
        arguments.data,
        arguments.out,
        Json() if arguments.json else Plain(),
        now=time.time(),
        time_limit_s=arguments.time_limit,
        environment=os.environ,
        light=arguments.light,
    )
    return int(outcome)


def _config(arguments: argparse.Namespace, kind: type[TrainingConfig]) -> TrainingConfig:
    own = {} if arguments.steps is None else {"steps": arguments.steps}
    return read_config(kind, arguments.config, **own) if arguments.config else make_config(kind, own, "the settings")
