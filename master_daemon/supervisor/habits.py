"""What backends were quick at: with whom a light task is tried first, and its end waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from master_daemon.state.jobs import Job

if TYPE_CHECKING:
    from master_daemon.supervisor.parcel import Sent

_SESSIONS = 1024
"""Whose last backend is remembered, the newest of them."""


@dataclass(frozen=True, slots=True)
class Habit:
    """What a session asked for last, and who did that in a moment."""

    kind: str
    job: Job


class Habits:
    """Nothing rests on it but time: whoever is believed here is asked again inside the transaction. Any thread may use
    it.
    """

    def __init__(self) -> None:
        self.light: set[tuple[str, str]] = set()
        """Backends, and the kinds of tasks with which they are done in a moment."""
        self._last: dict[str, Habit] = {}

    def is_light(self, sent: Sent) -> bool:
        """Whether the backend was done with such a task in a moment the last time."""
        return sent.light in self.light

    def learn(self, sent: Sent) -> None:
        """It was, just now."""
        self.light.add(sent.light)

    def unlearn(self, sent: Sent) -> None:
        """It was not."""
        self.light.discard(sent.light)

    def keep(self, session_id: str, sent: Sent) -> None:
        """A session's task was done so."""
        self._last.pop(session_id, None)
        self._last[session_id] = Habit(sent.order.kind, sent.parcel.job)
        while len(self._last) > _SESSIONS:
            self._last.pop(next(iter(self._last)), None)

    def drop(self, session_id: str) -> None:
        """Its last backend was not the right one any more."""
        self._last.pop(session_id, None)

    def last(self, session_id: str) -> Habit | None:
        """What the session's next task is expected to be, while its backend is as quick as it was."""
        habit = self._last.get(session_id)
        return habit if habit is not None and (habit.job.nonce, habit.kind) in self.light else None

    def forget(self, job: Job) -> None:
        """The backend has ended."""
        self.light -= {light for light in tuple(self.light) if light[0] == job.nonce}
        for session_id, habit in tuple(self._last.items()):
            if habit.job.nonce == job.nonce:
                self.drop(session_id)
