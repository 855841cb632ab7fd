"""What a crowd noted: how long calls took, and everything that went otherwise than promised."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from _report import Figures, summary

_TOLD = 10
"""Faults told in words."""
_ENDS = ("on-result", "on-error")


@dataclass
class Ledger:
    """Of the whole crowd. Times are seconds."""

    took: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    ends: dict[str, float] = field(default_factory=dict)
    """When a page that listened was told of a task's result: Unix time by task."""
    faults: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def note(self, kind: str, seconds: float) -> None:
        self.took[kind].append(seconds)

    def fault(self, words: str) -> None:
        self.faults.append(f"{time.monotonic() - self.began:.1f} s: {words}")

    def figures(self) -> Figures:
        return {
            "errors": len(self.faults),
            "first_errors": self.faults[:_TOLD],
            "requests": sum(len(took) for kind, took in self.took.items() if kind[0].isupper()),
            "counts": dict(sorted(self.counts.items())),
            "latencies_ms": {kind: _ms(took) for kind, took in sorted(self.took.items())},
        }


def _ms(seconds: list[float]) -> Figures:
    return summary([1000 * second for second in seconds], 1)


@dataclass
class Told:
    """What one session's pages were told, event by event. Pure: every method returns what is wrong, in words."""

    last_id: int | None = None
    """Of the newest event that the page has; None for a page that begins anew."""
    ended: dict[str, str] = field(default_factory=dict)
    """Name of the terminal event by task."""

    def begin_anew(self) -> None:
        """A fresh page knows nothing; what its session was told stays told."""
        self.last_id = None

    def hear(self, event_id: int, name: str, data: Mapping[str, Any]) -> list[str]:
        """An event of the open stream."""
        if name == "resync":
            return ["events were lost: resync"]
        wrong = self._in_order(event_id, name)
        self.last_id = event_id
        if name in _ENDS:
            wrong += self._end(str(data["task_id"]), name)
        return wrong

    def _in_order(self, event_id: int, name: str) -> list[str]:
        """The first event of a fresh stream says where things stand, under the newest number."""
        if self.last_id is None or event_id == self.last_id + 1:
            return []
        said = "again" if event_id <= self.last_id else "lost before it"
        return [f"event {event_id} ({name}) after {self.last_id}: {said}"]

    def _end(self, task_id: str, name: str) -> list[str]:
        if task_id in self.ended:
            return [f"{name} of {task_id}, which had its {self.ended[task_id]}"]
        self.ended[task_id] = name
        return []
