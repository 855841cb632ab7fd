"""A trial's events over any number of connections: a daemon that restarts is waited for, and nothing comes twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ligan.problem import Problem
from ligan.wire.trial import LogPart, Trial
from master_daemon.developer_command.server import Server, StreamEvent

PATIENCE = 600.0
"""Seconds without an answer after which a follower gives up; the trial goes on."""
_PAUSE = 1.0


class Following:
    """`offset` is the byte of the log from which the next event comes. `note` is told once when the service is away."""

    def __init__(self, server: Server, trial_id: str, note: Callable[[str], object], offset: int = 0) -> None:
        self._server = server
        self._trial_id = trial_id
        self._note = note
        self.offset = offset
        self.trial: Trial | None = None
        """As it was last told."""

    def events(self) -> Iterator[Trial | LogPart]:
        """Until the trial is over. Raises Problem when the service refuses, or has been away for PATIENCE."""
        silent_since: float | None = None
        while self.trial is None or not self.trial.state.over:
            try:
                for event in self._server.events(self._trial_id, self.offset):
                    silent_since = None
                    yield self._read(event)
            except Problem as problem:
                silent_since = self._bear(problem, silent_since)
            if self.trial is None or not self.trial.state.over:
                time.sleep(_PAUSE)

    def _read(self, event: StreamEvent) -> Trial | LogPart:
        if event.name == "log":
            part = LogPart.model_validate_json(event.data)
            self.offset = part.offset
            return part
        self.trial = Trial.model_validate_json(event.data)
        return self.trial

    def _bear(self, problem: Problem, since: float | None) -> float:
        """Since when the service is away. Raises the problem where waiting does not help."""
        now = time.monotonic()
        if problem.status < 500 or (since is not None and now - since > PATIENCE):
            raise problem
        if since is None:
            self._note(f"{problem.document.detail} Trying again; the test job goes on.")
        return now if since is None else since
