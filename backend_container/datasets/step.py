"""The steps of a pipeline and how a face takes them. Pure but for what the steps' functions do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import cv2

from backend_container.datasets.face import Broken, Dropped, Face, Outcome, RejectedError
from backend_container.datasets.reference import Reference, read


class Kind(Enum):
    FILTER = "filter"
    """`function(face, **parameters)` says whether it is kept."""
    APPLY = "apply"
    """`function(face, **parameters)` makes another face of it; None or RejectedError: it is not kept."""
    WINDOW = "filter_window"
    """`function(*faces, **parameters)` says whether the last of those that follow each other is kept."""


@dataclass(frozen=True, eq=False)
class Step:
    """One line of a pipeline."""

    kind: Kind
    function: Callable[..., Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    window_size: int = 1
    label: str = ""
    """What a report calls it; of its own in its pipeline."""

    def describe(self) -> str:
        """The step in a line that is the same in every process: `filter size_filter(min_size=256)`."""
        size = [f"window_size={self.window_size}"] if self.kind is Kind.WINDOW else []
        given = [f"{key}={_shown(value)}" for key, value in sorted(self.parameters.items())]
        return f"{self.kind.value} {_shown(self.function)}({', '.join([*size, *given])})"


def labelled(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with labels of their own: the function's name, with a number from its second use on."""
    names = [_shown(step.function) for step in steps]
    counts = [names[: index + 1].count(name) for index, name in enumerate(names)]
    labels = [name if count == 1 else f"{name} {count}" for name, count in zip(names, counts, strict=True)]
    return tuple(replace(step, label=label) for step, label in zip(steps, labels, strict=True))


def taken(face: Face, step: Step) -> Face | Dropped:
    """The face after a step that looks at one face only."""
    try:
        answer = step.function(face, **step.parameters)
    except RejectedError as rejected:
        return Dropped(face.name, step.label, str(rejected))
    if step.kind is Kind.FILTER:
        return face if answer else Dropped(face.name, step.label)
    return answer if isinstance(answer, Face) else Dropped(face.name, step.label)


def prepared(reference: Reference, steps: Sequence[Step]) -> Outcome:
    """An image after all steps, which look at one face each."""
    face: Outcome = read(reference)
    for step in steps:
        if not isinstance(face, Face):
            break
        try:
            face = taken(face, step)
        except cv2.error as error:  # a picture of one row and fifty million columns, say
            return Broken(reference.name, f"OpenCV cannot work on it: {error.err or error}.")
    return face


class Rest:
    """The steps from the first window on: they have to see the faces one by one, in order."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self._windows: dict[str, deque[tuple[int, Face]]] = {
            step.label: deque(maxlen=max(1, step.window_size - 1)) for step in steps if step.kind is Kind.WINDOW
        }

    def take(self, position: int, face: Face) -> Face | Dropped:
        """The face at that position of the sources after the steps."""
        now: Face | Dropped = face
        for step in self.steps:
            if isinstance(now, Dropped):
                break
            now = self._look(position, now, step) if step.kind is Kind.WINDOW else taken(now, step)
        return now

    @property
    def positions(self) -> dict[str, list[int]]:
        """Of the faces that each window remembers: all that is needed to go on later."""
        return {label: [position for position, _ in window] for label, window in self._windows.items()}

    def remember(self, positions: Mapping[str, Sequence[int]], face_before: Callable[[int, str], Face | None]) -> None:
        """Restore the windows: `face_before(position, label)` is a face as it reached the step of that label."""
        for label, window in self._windows.items():
            for position in positions.get(label, ()):
                face = face_before(position, label)
                if face is not None:
                    window.append((position, face))

    def _look(self, position: int, face: Face, step: Step) -> Face | Dropped:
        window = self._windows[step.label]
        earlier = [other for _, other in window]
        window.append((position, face))
        kept = not earlier or step.function(*earlier, face, **step.parameters)
        return face if kept else Dropped(face.name, step.label)


def parted(steps: Sequence[Step]) -> tuple[Sequence[Step], Sequence[Step]]:
    """The steps before the first window, which any process may do in any order, and the rest."""
    windows = [index for index, step in enumerate(steps) if step.kind is Kind.WINDOW]
    first = windows[0] if windows else len(steps)
    return steps[:first], steps[first:]


def _shown(value: object) -> str:
    if value is None or isinstance(value, str | int | float | bool):
        return repr(value)
    return str(getattr(value, "name", None) or getattr(value, "__qualname__", None) or type(value).__qualname__)
