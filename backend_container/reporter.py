"""Reports to the daemon: one after the other in order, again and again while it does not answer."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from ligan.patience import passes, patiently
from ligan.problem import Problem
from ligan.web.client import Client
from ligan.wire.base import Message
from ligan.wire.job import Done

log = logging.getLogger(__name__)
_ARTIFACTS = 4
"""Images of a page that are sent at once: each waits for the daemon's disk, and a page has 16."""


def _nothing() -> None:
    pass


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
    when_stale: Callable[[], object] = _nothing
    """Called when the daemon does not know the attempt, or any more; from any thread."""


class Reporter:
    """Sends reports for as long as `patience_s` each, one after the other. `post` never waits for the network."""

    def __init__(self, client: Client, patience_s: float) -> None:
        self._client = client
        self._patience_s = patience_s
        self._waiting: deque[Report] = deque()
        self._sending = False
        self._artifacts = ThreadPoolExecutor(_ARTIFACTS, "artifact")
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._rest = threading.Condition(lock)
        threading.Thread(target=self._run, name="reporter", daemon=True).start()

    def post(self, report: Report) -> None:
        """Send `report` after all that were posted before it."""
        with self._work:
            self._enter(report)
            self._work.notify()

    def send(self, report: Report) -> None:
        """The same, but where its turn is now and one call does it, this thread makes the call: none has to wake up.

        It waits for one answer at most; what did not get through is the reporter's own thread's from then on.
        """
        with self._work:
            self._enter(report)
            if self._sending or len(self._waiting) > 1 or report.artifacts:
                self._work.notify()
                return
            self._begin()
        left = True  # also after an error that nobody foresaw: it ends the reporter's thread, and so the backend
        try:
            left = self._try(report)
        finally:
            with self._work:
                if left:
                    self._waiting.appendleft(report)
                self._end()

    def drain(self, timeout_s: float) -> bool:
        """Wait until all is sent or dropped; False when that takes longer than `timeout_s` seconds."""
        with self._rest:
            return self._rest.wait_for(lambda: not self._waiting and not self._sending, timeout_s)

    def _run(self) -> None:
        while True:
            self._send(self._next())
            with self._work:
                self._end()

    # Under the lock -------------------------------------------------------------------------------------------------

    def _enter(self, report: Report) -> None:
        if report.supersedes is not None:
            self._waiting = deque(other for other in self._waiting if other.supersedes != report.supersedes)
        self._waiting.append(report)

    def _begin(self) -> Report:
        self._sending = True
        return self._waiting.popleft()

    def _end(self) -> None:
        self._sending = False
        self._rest.notify_all()
        if self._waiting:
            self._work.notify()

    def _next(self) -> Report:
        with self._work:
            while True:
                self._work.wait_for(self._may_begin)
                first = self._waiting[0]
                if not self._work.wait_for(partial(self._outdated, first), first.linger_s) or self._first_is(first):
                    return self._begin()

    def _may_begin(self) -> bool:
        return bool(self._waiting) and not self._sending

    def _first_is(self, report: Report) -> bool:
        return self._may_begin() and self._waiting[0] is report

    def _outdated(self, report: Report) -> bool:
        """Whether it need not linger: another takes its place, or waits behind it."""
        return not self._first_is(report) or len(self._waiting) > 1

    # Outside --------------------------------------------------------------------------------------------------------

    def _try(self, report: Report) -> bool:
        """Whether it has to be sent again."""
        try:
            self._client.post(report.path, report.message, Done)
        except Problem as problem:
            if passes(problem):
                return True
            _drop(report, problem)
        return False

    def _send(self, report: Report) -> None:
        try:
            for sent in [self._artifacts.submit(self._put, *named) for named in report.artifacts.items()]:
                sent.result()
            patiently(partial(self._client.post, report.path, report.message, Done), self._patience_s)
        except Problem as problem:
            _drop(report, problem)

    def _put(self, sha256: str, body: bytes) -> None:
        patiently(partial(self._client.put_bytes, f"/artifacts/{sha256}", body), self._patience_s)


def _drop(report: Report, problem: Problem) -> None:
    # stale-report is no fault: the daemon has given the task to another attempt in the meantime.
    stale = problem.slug == "stale-report"
    log.log(logging.INFO if stale else logging.ERROR, "%s was dropped: %s", report.path, problem)
    if stale:
        report.when_stale()
