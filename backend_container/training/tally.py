"""How far a run is and how fast."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from backend_container.training.telling import Progress

_MARKS = 10
"""Lines of progress over which speed is measured: enough to be steady, few enough to show a change."""


@dataclass
class Tally:
    """Steps and images since the run's first start; `seconds` of training in all its parts."""

    step: int = 0
    images: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    _marks: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=_MARKS))

    def add(self, images: int, seconds: float, losses: dict[str, float]) -> None:
        """One more step."""
        self.step += 1
        self.images += images
        self.seconds += seconds
        self.losses = losses

    def mark(self) -> None:
        """From here speed is measured."""
        self._marks.append((self.seconds, self.images, self.step))

    def progress(self, steps: int) -> Progress:
        """Where the run is now, on its way to `steps`."""
        seconds, images, step = self._marks[0] if self._marks else (0.0, 0, 0)
        took = max(self.seconds - seconds, 1e-9)
        left = (steps - self.step) * took / max(self.step - step, 1)
        self.mark()
        return Progress(self.step, steps, self.images, (self.images - images) / took, left, self.losses)
