"""Tell backends what becomes of what they have: attempts to forget or to end early, artifacts that were erased."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from urllib.parse import urlencode

from ligan.problem import Problem
from ligan.wire.job import Done, Erased, Role
from master_daemon.state import jobs, placing
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.state.tasks import TakenBack
from master_daemon.supervisor import seats
from master_daemon.supervisor.lines import Lines

_SERVERS: tuple[Role, ...] = ("backend", "cpu")
_AT_ONCE = 5000
"""Artifacts that one message names."""


class Telling:
    """`later` does its work in the background: a backend may hang."""

    def __init__(self, database: Database, lines: Lines, later: Callable[[Callable[[], None]], object]) -> None:
        self._database = database
        self._lines = lines
        self._later = later

    def recall(self, attempts: Iterable[TakenBack]) -> None:
        """To forget these attempts. What is reported of them is stale anyway."""
        self._each(attempts, self._recall)

    def stop(self, attempts: Iterable[TakenBack]) -> None:
        """To end these early, with what they came to. It does no harm twice."""
        self._each(attempts, self._stop)

    def stop_again(self) -> None:
        """Whoever has not ended may not have heard it, for whatever reason."""
        with self._database.read() as connection:
            attempts = placing.to_stop(connection)
        self.stop(attempts)

    def erased(self, artifacts: Collection[str]) -> None:
        """To drop what was made of these artifacts: backends that sessions share. A session's own ends with it."""
        with self._database.read() as connection:
            live = jobs.live(connection)
        shared = [job for job in live if job.role in _SERVERS and job.host and not seats.is_session(job.seat)]
        names = sorted(artifacts)
        for job in shared:
            for begin in range(0, len(names), _AT_ONCE):
                self._later(partial(self._erased, job, Erased(artifacts=names[begin : begin + _AT_ONCE])))

    def _each(self, attempts: Iterable[TakenBack], tell: Callable[[Job, TakenBack], None]) -> None:
        for attempt in attempts:
            if attempt.nonce is not None:
                self._later(partial(self._tell, attempt, tell))

    def _tell(self, attempt: TakenBack, tell: Callable[[Job, TakenBack], None]) -> None:
        with self._database.read() as connection:
            job = jobs.find(connection, attempt.nonce or "")
        if job is not None and job.live and job.host is not None:
            with suppress(Problem):  # ended there already, or out of reach
                tell(job, attempt)

    def _recall(self, job: Job, attempt: TakenBack) -> None:
        self._lines.to(job).delete(f"/tasks/{attempt.task_id}", Done, {"attempt": str(attempt.attempt)})

    def _stop(self, job: Job, attempt: TakenBack) -> None:
        """A backend that does not have the attempt yet reads it in its order."""
        query = urlencode({"attempt": attempt.attempt})
        self._lines.to(job).post(f"/tasks/{attempt.task_id}/stop?{query}", Done(), Done)

    def _erased(self, job: Job, erased: Erased) -> None:
        with suppress(Problem):  # it uses nothing that no order names, and nobody can name these any more
            self._lines.to(job).post("/erased", erased, Done)
