"""Place waiting tasks on ready backends, inside a transaction (promise 3: a task is on one backend at a time)."""

from __future__ import annotations

from ligan.settings import Settings
from ligan.wire.job import Role
from ligan.wire.session import JobState
from master_daemon.state import jobs, placing
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor.placement import place

_SERVERS: tuple[Role, ...] = ("backend", "cpu")


def dispatch(transaction: Transaction, settings: Settings, now: float, key: str | None = None) -> list[Job]:
    """Place what can be placed, for the session `key` alone where backends are not shared. Returns the backends that
    got a task, to be sent after the commit.
    """
    connection = transaction.connection
    alone = key if settings.backend.mode == "per-session" and not settings.cpu.backends else None
    waiting, held = placing.open_tasks(connection, alone)
    if not waiting:
        return []
    live = jobs.live(connection) if alone is None else jobs.live_in(connection, alone)
    servers = [job for job in live if job.state is JobState.READY and job.role in _SERVERS]
    ready = {job.nonce for job in servers}
    placed = place(waiting, servers, [task for task in held if task.nonce in ready], now)
    for task_id, nonce in placed:
        placing.place(transaction, task_id, nonce, now)
    got = {nonce for _, nonce in placed}
    return [job for job in servers if job.nonce in got]
