"""Load the models of a backend: the slow part of its start, done once it is registered."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from backend_container.faces import foreground
from backend_container.models.engine import Engine, FaceBox, ModelError, Photo
from backend_container.models.page_growth import read_table
from backend_container.models.sampling import DEFAULT_GROWTH, Growth, Page
from backend_container.phases import Phases
from backend_container.refiner import Refiner
from backend_container.screening.looks import Screen
from ligan.wire.job import Bootstrap

FAKE = "fake"
"""Engine name of `backend_container.models.fake`."""
RANDOM = 200
"""Random faces that show how far from the average an engine's faces are."""


class Detector(Protocol):
    def find(self, photo: Photo) -> list[FaceBox]:
        """The faces of a photo, in any order."""
        ...


@dataclass(frozen=True, eq=False)
class Models:
    """What a backend holds in memory: one engine, one detector."""

    engine: Engine
    detector: Detector
    fingerprint: str | None = None
    """sha256 over the engine's weight files; None when it has none."""
    growth: Growth = DEFAULT_GROWTH
    """How pages of similar faces move away from theirs."""
    screen: Screen | None = None
    """Looks at the faces that were made; None where its model parts are not installed."""
    refiner: Refiner | None = None
    """Makes the engine render one photo better; None where the engine cannot be refined."""
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def random_coordinates(self) -> NDArray[np.float32]:
        """Of some random faces of the engine, shape (RANDOM, D): how far from the average its faces are."""
        return self.engine.space.project(self.engine.sample(0, RANDOM))

    def faces(self, photo: Photo) -> list[FaceBox]:
        """The foreground faces of a photo from left to right. From any thread: networks take one photo at a time."""
        with self._one_at_a_time:
            return foreground(self.detector.find(photo))


def load(bootstrap: Bootstrap, phases: Phases) -> Models:
    """The models that the bootstrap document asks for, loaded and warmed up on this thread.

    Ends the phases imports, weights and warmup. Raises ModelError when weights or parts are missing or not valid.
    """
    models = _LOADERS.get(bootstrap.engine, _load_networks)(bootstrap, phases)
    phases.end("weights")
    _warm_up(models)
    phases.end("warmup")
    return models


def _load_fake(_: Bootstrap, phases: Phases) -> Models:
    from backend_container.models.fake import FakeDetector, FakeEngine
    from backend_container.models.fake_refiner import FakeRefiner
    from backend_container.screening.fake import FakeScreen

    phases.end("imports")
    engine = FakeEngine()
    return Models(engine, FakeDetector(), screen=FakeScreen(), refiner=FakeRefiner(engine))


def _load_networks(bootstrap: Bootstrap, phases: Phases) -> Models:
    import torch

    from backend_container.models.detector import FaceDetector
    from backend_container.models.loader import WEIGHTS, load_engine
    from backend_container.refine.network_refiner import NetworkRefiner
    from backend_container.screening.face_screen import load_screen

    phases.end("imports")
    torch.set_num_threads(available_cpus())
    weights = Path(bootstrap.weights) if bootstrap.weights else WEIGHTS / bootstrap.engine
    engine = load_engine(bootstrap.engine, weights, _device(bootstrap.device, torch.cuda.is_available))
    sha256 = fingerprint(weights)
    refiner = NetworkRefiner(engine, sha256)
    table = read_table(weights, sha256)
    growth, screen = (table.growth, load_screen(table.double_below)) if table else (DEFAULT_GROWTH, load_screen())
    return Models(engine, FaceDetector(), sha256, growth, screen, refiner)


_LOADERS: dict[str, Callable[[Bootstrap, Phases], Models]] = {FAKE: _load_fake}


def available_cpus() -> int:
    """CPUs that the scheduler gave this process: those it may run on, not those of the machine."""
    return len(os.sched_getaffinity(0))


def fingerprint(weights: Path) -> str:
    """sha256 over the tensors of a directory of weights: two backends with the same one share their latents."""
    digest = hashlib.sha256()
    for file in sorted(weights.glob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _device(wanted: Literal["auto", "cpu", "cuda"], cuda: Callable[[], bool]) -> str:
    if wanted == "auto":
        return "cuda" if cuda() else "cpu"
    if wanted == "cuda" and not cuda():
        raise ModelError(
            "model-part-missing", "This job has no GPU that torch can use; ask for one or choose device auto."
        )
    return wanted


def _warm_up(models: Models) -> None:
    """One face through every network, so that the first task finds kernels chosen and memory mapped."""
    photo = models.engine.synthesize(models.engine.neighbours(models.engine.mean, Page(1, 1, 0)))[0]
    side = models.engine.resolution
    face = next(iter(models.faces(photo)), FaceBox(0, 0, side, side, 1.0))
    if models.screen is not None:
        models.screen.look(photo[np.newaxis])
        _ = models.random_coordinates
    with contextlib.suppress(ModelError):  # a face need not look like one to the landmark network
        models.engine.encode(photo, face)
