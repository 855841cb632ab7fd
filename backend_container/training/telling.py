"""What a training run says of itself: lines for a person, or an object a line for a script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from ligan.output import say


@dataclass(frozen=True)
class Progress:
    step: int
    steps: int
    images: int
    """Training images that all processes have seen since the run's first start."""
    images_per_s: float
    eta_s: float
    """Seconds to the last step at this speed."""
    losses: Mapping[str, float]


class Teller(Protocol):
    def progress(self, progress: Progress) -> None: ...

    def note(self, event: str, text: str, **values: object) -> None:
        """Something that happened: a word for scripts, a sentence for people."""
        ...


class Plain:
    """For a person."""

    def progress(self, progress: Progress) -> None:
        losses = " ".join(f"{name} {value:.4g}" for name, value in progress.losses.items())
        say(
            f"step {progress.step} of {progress.steps} · {progress.images} images"
            f" · {progress.images_per_s:.1f} images/s · {duration(progress.eta_s)} left · {losses}"
        )

    def note(self, _event: str, text: str, **_values: object) -> None:
        say(f"[train] {text}")


class Json:
    """For a script."""

    def progress(self, progress: Progress) -> None:
        say(json.dumps({"event": "progress", **asdict(progress)}))

    def note(self, event: str, text: str, **values: object) -> None:
        say(json.dumps({"event": event, "text": text, **values}))


class Silent:
    """For all processes of a run but the first."""

    def progress(self, progress: Progress) -> None:
        pass

    def note(self, event: str, text: str, **values: object) -> None:
        pass


def duration(seconds: float) -> str:
    """1 h 02 min, 3 min 04 s or 5 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
