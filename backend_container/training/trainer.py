"""What a kind of training is to the run that drives it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from backend_container.models.engine import Photo
from backend_container.training.state_tree import State


class Trainer(Protocol):
    """One kind of training. `step` depends on nothing but the state, its random draws included (`draws.py`)."""

    def step(self) -> dict[str, float]:
        """One optimisation step; its losses by name."""
        ...

    def state(self) -> State:
        """Everything that an exact resume needs."""
        ...

    def load(self, state: State) -> None:
        """Go on from there. Raises KeyError, TypeError, ValueError or RuntimeError for a state of another trainer."""
        ...

    def finish(self, folder: Path) -> None:
        """Write the weights in our own format into a folder, new or not: it is called again after a kill."""
        ...


@runtime_checkable
class Samples(Protocol):
    """A trainer that can show what it makes."""

    def samples(self) -> Photo:
        """A sheet, RGB. Changes nothing of the state."""
        ...


@dataclass(frozen=True)
class Facts:
    """What is known of a run so far."""

    steps: int
    images: int
    """Training images that all processes have seen."""
    seconds: float
    """Of training, all parts of the run together."""
    device: str
    processes: int
    losses: dict[str, float]
    """Of the last step."""


@runtime_checkable
class Described(Protocol):
    """A trainer that writes a model card beside its weights."""

    def card(self, facts: Facts) -> str:
        """Markdown."""
        ...
