"""What is kept, and for how long: erase means erased (promise 8), in batches that no writer waits for noticeably."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, or_, select

from ligan.intervals import ARTIFACT_GRACE, SWEEP_BATCH, SWEEP_ROWS, TRIAL_PIECES, UNUSED_SESSION
from ligan.wire.image import ImageRef
from ligan.wire.session import JobState
from master_daemon.state import audit, pieces, trials, usage
from master_daemon.state.artifacts import StoredFile
from master_daemon.state.database import Transaction
from master_daemon.state.schema import attempts, events, images, jobs, session_ids, sessions, tasks
from master_daemon.state.schema import audit as audit_table
from master_daemon.state.schema import pieces as piece_rows
from master_daemon.state.sessions import KEY_PREFIX
from master_daemon.state.tasks import IS_OPEN

_REFS = TypeAdapter(list[ImageRef])
_ENDED = JobState.ENDED.value
_OF_SESSION: tuple[Table, ...] = (events, images, tasks, session_ids, sessions)
"""Where a session's rows are, those that others refer to last. Its jobs' rows hold nothing of the person."""


class StillInUseError(Exception):
    """The session has a job that has not ended: end it first, then erase."""


@dataclass(frozen=True)
class Erased:
    """What one call took away. Unlink `artifacts` after the commit: nobody needs them any more."""

    keys: list[str] = field(default_factory=list)
    artifacts: dict[str, float] = field(default_factory=dict)
    """By SHA-256 the time (Unix seconds) when they were last named: bytes that came later are another session's."""
    jobs: int = 0
    entries: int = 0
    trials: list[str] = field(default_factory=list)
    """IDs of test jobs; their logs are to be deleted after the commit."""


def erase(transaction: Transaction, key: str, actor: str, now: float) -> Erased:
    """Erase one session with all it had; nothing when there is none. Raises StillInUseError."""
    busy = select(jobs.c.nonce).where(jobs.c.seat == key, jobs.c.state != _ENDED).limit(1)
    if transaction.connection.execute(busy).first() is not None:
        raise StillInUseError(key)
    known = select(sessions.c.session_key).where(sessions.c.session_key == key)
    return _erase(transaction, list(transaction.connection.execute(known).scalars()), actor, now)


def sweep(transaction: Transaction, now: float, retention_s: float) -> Erased:
    """Take away a batch of what is too old; `due` says whether there is more."""
    cutoff = now - retention_s
    keys = unused(transaction.connection, now, retention_s)
    erased = _erase(transaction, keys, audit.DAEMON, now)
    old = list(
        transaction.connection.execute(select(jobs.c.nonce).where(_forgettable(cutoff)).limit(SWEEP_ROWS)).scalars()
    )
    usage.keep_jobs(transaction, old, now)
    ended = _delete_batch(transaction, jobs, jobs.c.nonce, jobs.c.nonce.in_(old))
    gone = trials.forgotten(transaction.connection, SWEEP_BATCH)
    trials.forget(transaction, gone)
    pieces.drop_unused(transaction, now - TRIAL_PIECES)  # what is left in files is found by `orphans`
    entries = _delete_batch(transaction, audit_table, audit_table.c.number, _entries_before(cutoff))
    return Erased(erased.keys, erased.artifacts, ended, entries, gone)


def due(connection: Connection, now: float, retention_s: float) -> bool:
    """Whether `sweep` would find anything: a look for which no writer waits."""
    cutoff = now - retention_s
    old = (
        select(jobs.c.nonce).where(_forgettable(cutoff)),
        select(audit_table.c.number).where(_entries_before(cutoff)),
    )
    found = any(connection.execute(query.limit(1)).first() for query in old)
    found = found or bool(trials.forgotten(connection, 1)) or pieces.unused(connection, now - TRIAL_PIECES)
    return found or bool(unused(connection, now, retention_s))


def unused(connection: Connection, now: float, retention_s: float) -> list[str]:
    """A batch of the sessions that may go: unused for `retention_s`, or for an hour when they never asked for anything.

    Not one with a live job or an open task.
    """
    asked = or_(sessions.c.wants_backend, sessions.c.last_event > 0, *(_has(table) for table in (tasks, images)))
    old = or_(
        sessions.c.seen_at < now - retention_s,
        and_(sessions.c.seen_at < now - min(UNUSED_SESSION, retention_s), ~asked),
    )
    working = exists().where(jobs.c.seat == sessions.c.session_key, jobs.c.state != _ENDED)
    waiting = exists().where(tasks.c.session_key == sessions.c.session_key, IS_OPEN)
    query = select(sessions.c.session_key).where(old, ~working, ~waiting)
    return list(connection.execute(query.order_by(sessions.c.seen_at).limit(SWEEP_BATCH)).scalars())


def orphan_limit(connection: Connection, now: float) -> float:
    """Files stored after this time (Unix seconds) may be about to be named.

    A backend stores a task's checkpoints and images long before it reports its end, but not before the task was there.
    """
    oldest = connection.execute(select(func.min(tasks.c.created_at)).where(IS_OPEN)).scalar_one()
    return min(now - ARTIFACT_GRACE, now if oldest is None else float(oldest))


def orphans(connection: Connection, files: Iterable[StoredFile], limit: float) -> list[StoredFile]:
    """Those of the files stored before `limit` that nobody needs."""
    old = [file for file in files if file.stored_at < limit]
    needed = _needed(connection, {file.sha256 for file in old})
    return [file for file in old if file.sha256 not in needed]


def _erase(transaction: Transaction, keys: list[str], actor: str, now: float) -> Erased:
    connection = transaction.connection
    usage.keep_tasks(transaction, keys, now)
    had = _artifacts(connection, keys, now)
    for key in keys:
        audit.record(transaction, actor, "erase", key, now)
    of_tasks = select(tasks.c.task_id).where(tasks.c.session_key.in_(keys))
    connection.execute(delete(attempts).where(attempts.c.task_id.in_(of_tasks)))
    for table in _OF_SESSION:
        connection.execute(delete(table).where(table.c.session_key.in_(keys)))
    needed = _needed(connection, set(had))
    return Erased(keys, {name: at for name, at in had.items() if name not in needed})


def _artifacts(connection: Connection, keys: list[str], now: float) -> dict[str, float]:
    """The sessions' artifacts, and when each was last named."""
    of_tasks = (tasks.c.checkpoint, tasks.c.preview_sha256)
    states = [_of_tasks(connection, keys, column, now) for column in of_tasks]
    named = [_of_images(connection, keys, column) for column in (images.c.weights, images.c.sha256)]
    return {name: at for found in (*states, *named) for name, at in found.items()}


def _of_tasks(
    connection: Connection, keys: list[str], column: ColumnElement[str | None], now: float
) -> dict[str, float]:
    query = select(column).where(tasks.c.session_key.in_(keys), column.is_not(None))
    return {str(name): now for name in connection.execute(query).scalars()}


def _of_images(connection: Connection, keys: list[str], column: ColumnElement[str | None]) -> dict[str, float]:
    query = select(column, func.max(images.c.created_at)).where(images.c.session_key.in_(keys), column.is_not(None))
    return {name: float(at) for name, at in connection.execute(query.group_by(column))}


def _needed(connection: Connection, names: set[str]) -> set[str]:
    """Those of the artifacts that a session or a test job has, or an open task works with."""
    needed: set[str | None] = set()
    for column in (images.c.sha256, images.c.weights, piece_rows.c.sha256):
        needed.update(connection.execute(select(column).where(column.in_(names))).scalars())
    for row in connection.execute(select(tasks.c.images, tasks.c.checkpoint).where(IS_OPEN)):
        needed.update(name for ref in _REFS.validate_json(row.images) for name in (ref.sha256, ref.weights))
        needed.add(row.checkpoint)
    return {name for name in needed if name in names}


def unneeded(connection: Connection, sha256: str) -> bool:
    """Whether nobody has the artifact any more."""
    return not _needed(connection, {sha256})


def _forgettable(cutoff: float) -> ColumnElement[bool]:
    """Jobs that ended long ago, but for the newest of a seat: the next one's generation is counted from it."""
    later = jobs.alias()
    newer = exists().where(later.c.seat == jobs.c.seat, later.c.generation > jobs.c.generation)
    served = exists().where(sessions.c.session_key == jobs.c.seat)
    # A seat without a session is the frontend's or a pool's (kept), or that of a session that was erased.
    gone = or_(and_(jobs.c.seat.startswith(f"{KEY_PREFIX}-"), ~served), jobs.c.role == "trial")
    return and_(jobs.c.state == _ENDED, jobs.c.ended_at < cutoff, or_(newer, gone))


def _entries_before(cutoff: float) -> ColumnElement[bool]:
    return audit_table.c.at < cutoff


def _delete_batch(
    transaction: Transaction, table: Table, key: ColumnElement[object], condition: ColumnElement[bool]
) -> int:
    batch = select(key).where(condition).limit(SWEEP_ROWS)
    return transaction.connection.execute(delete(table).where(key.in_(batch))).rowcount


def _has(table: Table) -> ColumnElement[bool]:
    return exists().where(table.c.session_key == sessions.c.session_key)
