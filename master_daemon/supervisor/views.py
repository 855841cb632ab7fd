"""What a page is told of its session's backend, and telling it when that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection

from ligan.settings import Settings
from ligan.wire.event import EventName
from ligan.wire.session import Backend, JobState
from master_daemon.state import events, jobs, sessions
from master_daemon.state.database import StoredEvent, Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats

_VIEWS = (EventName.ON_READY.value, EventName.ON_QUEUE.value)

_FULL = "All backends that LiGAN may have are in use; who has waited longest gets the next."


class Views:
    """The session's view of things, read from the database. `holds` says why no job is submitted just now, or ""."""

    def __init__(self, settings: Settings, holds: Callable[[], str] = str) -> None:
        self._pool = settings.backend.mode == "pool"
        self._most = settings.daemon.max_backends
        self._cpus = settings.cpu.backends > 0
        self.holds = holds
        self._told: dict[str, Backend] = {}
        self._telling: tuple[Transaction | None, dict[str, Backend]] = None, {}

    def serving(self, connection: Connection, key: str) -> Job | None:
        """The job that does the session's tasks, or will, or did last."""
        if not self._pool:
            return jobs.current(connection, key)
        pool = [job for job in jobs.live(connection) if job.seat.startswith(seats.POOL)]
        return max(pool, key=lambda job: (job.ready, job.ends_at or job.requested_at), default=None)

    def of(self, connection: Connection, key: str) -> Backend:
        """The session's backend."""
        job, wants = self.serving(connection, key), sessions.wants_backend(connection, key)
        if self._pool and not wants:
            return Backend(reason="No backend has been asked for yet.")
        if job is not None and (job.live or not wants):
            return self._of_job(connection, key, job)
        if not wants:
            return Backend(reason="No backend has been asked for yet.")
        return self._queued(connection, key, job)

    def _of_job(self, connection: Connection, key: str, job: Job) -> Backend:
        view = Backend(
            state=job.state,
            ready=job.ready,
            generation=job.generation,
            reason=(self.holds() if job.state is JobState.REQUESTED else "") or job.reason,
            expected_start=job.expected_start,
            ends_at=job.ends_at,
        )
        if job.ready:
            return view.model_copy(update={"moving": len(jobs.live_in(connection, job.seat)) > 1})
        return self._waits(connection, key, view) if job.live else view

    def _queued(self, connection: Connection, key: str, last: Job | None) -> Backend:
        """It has no job yet: LiGAN's own queue, or a pause after failures."""
        before = f"The last one ended: {last.reason} " if last is not None else ""
        generation = last.generation if last is not None else 0
        holds = self.holds() or (_FULL if self._is_full(connection) else "The next one is about to be submitted.")
        view = Backend(state=JobState.REQUESTED, generation=generation, reason=f"{before}{holds}")
        return self._waits(connection, key, view)

    def _is_full(self, connection: Connection) -> bool:
        return jobs.count_live(connection, "backend") >= self._most

    def _waits(self, connection: Connection, key: str, view: Backend) -> Backend:
        cpu_ready = self._cpus and bool(jobs.ready_with(connection, seats.CPU))
        return view.model_copy(update={"place": place(connection, key), "cpu_ready": cpu_ready})

    def tell(self, transaction: Transaction, key: str, now: float) -> None:
        """Store an event for the session's pages when what they were told last is not true any more."""
        view = self.of(transaction.connection, key)
        if self._told_in(transaction).get(key, self._told.get(key)) == view:
            return
        name = EventName.ON_READY if view.ready else EventName.ON_QUEUE
        self._append(transaction, key, name, view, now)

    def _append(self, transaction: Transaction, key: str, name: EventName, view: Backend, now: float) -> None:
        events.append(transaction, key, name, view, now)
        self._told_in(transaction)[key] = view

    def _told_in(self, transaction: Transaction) -> dict[str, Backend]:
        """What the writer whose turn it is has told so far; it counts for others once it is stored."""
        if self._telling[0] is not transaction:
            self._telling = transaction, {}
        return self._telling[1]

    def note(self, published: Iterable[StoredEvent]) -> None:
        """These events are stored: what they say has been told."""
        for event in published:
            if event.name in _VIEWS:
                self._told[event.session_key] = Backend.model_validate_json(event.data)

    def tell_each(self, transaction: Transaction, keys: Iterable[str], now: float) -> None:
        for key in keys:
            self.tell(transaction, key, now)

    def have_moved(self, waiting: Sequence[str]) -> bool:
        """Does anybody in this order of the queue have another place than was told?"""
        return any(self._moved(key, number) for number, key in enumerate(waiting, start=1))

    def tell_places(self, transaction: Transaction, waiting: Sequence[str], now: float) -> None:
        """Tell everybody whose place has changed."""
        for number, key in enumerate(waiting, start=1):
            if self._moved(key, number):
                view = self._told[key].model_copy(update={"place": number})
                self._append(transaction, key, EventName.ON_QUEUE, view, now)

    def _moved(self, key: str, number: int) -> bool:
        told = self._told.get(key)
        return told is not None and told.place is not None and told.place != number

    def forget(self, wanting: Iterable[str]) -> None:
        """Remember only what sessions that want a backend were told."""
        kept = set(wanting)
        self._told = {key: view for key, view in self._told.copy().items() if key in kept}


def place(connection: Connection, key: str) -> int | None:
    """The session's place among those that wait for a backend, 1 for the next."""
    waiting = without_backend(sessions.wanting(connection), jobs.live(connection))
    return waiting.index(key) + 1 if key in waiting else None


def without_backend(wanting: Iterable[str], live: Iterable[Job]) -> list[str]:
    """Those of `wanting` that no ready job of their own serves, in the same order."""
    served = {job.seat for job in live if job.ready}
    return [key for key in wanting if key not in served]
