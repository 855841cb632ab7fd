"""Engines by name. An engine's module is imported only when it is asked for, so a task without it never pays for it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from backend_container.models.engine import Engine, ModelError

ENGINES = {
    "appearance": ("backend_container.models.appearance.engine", "AppearanceEngine"),
    "stylegan2": ("backend_container.models.stylegan2.engine", "StyleGAN2Engine"),
}
"""Name of an engine: its module and its class."""
WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
"""Where an engine's weights lie unless another place is given: a directory of the engine's name."""


class EngineClass(Protocol):
    """What the table's classes offer beside `Engine` itself."""

    def load(self, weights: Path, device: str) -> Engine:
        """The engine of a directory of weights, on a torch device ("cpu", "cuda"). Raises ModelError."""
        ...


def load_engine(name: str, weights: Path | None = None, device: str = "cpu") -> Engine:
    """The engine `name`, with the weights of a directory (default: the ones that belong to this package).

    Raises ModelError with slug `engine-unknown`, or as the engine's own `load` does.
    """
    if name not in ENGINES:
        raise ModelError("engine-unknown", f"There is no engine {name!r}; choose one of: {', '.join(sorted(ENGINES))}.")
    module, attribute = ENGINES[name]
    engine = cast(EngineClass, getattr(import_module(module), attribute))
    return engine.load(weights or WEIGHTS / name, device)
