"""Place waiting tasks on ready backends, inside a transaction (promise 3: a task is on one backend at a time)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ligan.settings import Settings
from ligan.wire.job import Role
from ligan.wire.session import JobState
from master_daemon.state import jobs, placing
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.placing import Held, Waiting
from master_daemon.state.tasks import Draft
from master_daemon.supervisor.placement import first, place

_SERVERS: tuple[Role, ...] = ("backend", "cpu")


def dispatch(transaction: Transaction, settings: Settings, now: float, key: str | None = None) -> list[Job]:
    """Place what can be placed, for the session `key` alone where backends are not shared. Returns the backends that
    got a task, to be sent after the commit.
    """
    connection = transaction.connection
    alone = _alone(settings, key)
    waiting, held = placing.open_tasks(connection, alone)
    if not waiting:
        return []
    servers = _servers(connection, alone)
    placed = _place(waiting, servers, held, now)
    for task_id, nonce in placed:
        placing.place(transaction, task_id, nonce, now)
    got = {nonce for _, nonce in placed}
    return [job for job in servers if job.nonce in got]


def idle(connection: Connection, settings: Settings, new: Draft, only: bool) -> Job | None:
    """The backend without a task that a new one is placed on, as `dispatch` would place it once it is stored.

    None where there is no such backend, and where other tasks wait. `only`: the session has no other open task.
    """
    alone = _alone(settings, new.key)
    waiting, held = ([], []) if only and alone else placing.open_tasks(connection, alone)
    if waiting:
        return None
    servers = _servers(connection, alone)
    wish = Waiting(new.task_id, new.key, new.kind.time_request_s, new.kind.cpu)
    if not held:
        return first(wish, servers, new.created_at)
    chosen = {nonce for _, nonce in _place([wish], servers, held, new.created_at)} - {task.nonce for task in held}
    return next((job for job in servers if job.nonce in chosen), None)


def _alone(settings: Settings, key: str | None) -> str | None:
    """The session whose tasks and backends are looked at without the others'; None where backends are shared."""
    return key if settings.backend.mode == "per-session" and not settings.cpu.backends else None


def _servers(connection: Connection, alone: str | None) -> list[Job]:
    live = jobs.live(connection) if alone is None else jobs.live_in(connection, alone)
    return [job for job in live if job.state is JobState.READY and job.role in _SERVERS]


def _place(
    waiting: Sequence[Waiting], servers: Sequence[Job], held: Sequence[Held], now: float
) -> list[tuple[str, str]]:
    ready = {job.nonce for job in servers}
    return place(waiting, servers, [task for task in held if task.nonce in ready], now)
