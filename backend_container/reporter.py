"""Reports to the daemon: in order, from a thread of their own, again and again while it does not answer."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial

from backend_container.patience import patiently
from ligan.problem import Problem
from ligan.web.client import Client
from ligan.wire.base import Message
from ligan.wire.job import Done

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """One message to the daemon, and the artifacts it speaks of, which are sent first."""

    path: str
    message: Message
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes by their sha256."""
    supersedes: Hashable | None = None
    """Reports with the same mark that still wait are not sent any more."""
    linger_s: float = 0.0
    """Seconds it may wait for one that supersedes it, unless others wait behind it."""


class Reporter:
    """Sends reports for as long as `patience_s` each. `post` never waits for the network."""

    def __init__(self, client: Client, patience_s: float) -> None:
        self._client = client
        self._patience_s = patience_s
        self._waiting: deque[Report] = deque()
        self._sending = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="reporter", daemon=True).start()

    def post(self, report: Report) -> None:
        """Send `report` after all that were posted before it."""
        with self._changed:
            if report.supersedes is not None:
                kept = [other for other in self._waiting if other.supersedes != report.supersedes]
                self._waiting = deque(kept)
            self._waiting.append(report)
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until all is sent or dropped; False when that takes longer than `timeout_s` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._sending, timeout_s)

    def _run(self) -> None:
        while True:
            self._send(self._next())
            with self._changed:
                self._sending = False
                self._changed.notify_all()

    def _next(self) -> Report:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting))
            while self._superseded(self._waiting[0]):
                pass
            self._sending = True
            return self._waiting.popleft()

    def _superseded(self, report: Report) -> bool:
        """Whether another takes its place before it must go."""
        self._changed.wait_for(lambda: self._waiting[0] is not report or len(self._waiting) > 1, report.linger_s)
        return self._waiting[0] is not report

    def _send(self, report: Report) -> None:
        try:
            for sha256, body in report.artifacts.items():
                patiently(partial(self._client.put_bytes, f"/artifacts/{sha256}", body), self._patience_s)
            patiently(partial(self._client.post, report.path, report.message, Done), self._patience_s)
        except Problem as problem:
            # stale-report is no fault: the daemon has given the task to another attempt in the meantime.
            level = logging.INFO if problem.slug == "stale-report" else logging.ERROR
            log.log(level, "%s was dropped: %s", report.path, problem)
