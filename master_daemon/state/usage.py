"""GPU seconds by user and UTC day: one query over the jobs and tasks that are there, and the sums of those that went.

A session's own backend counts for its user while it runs, a shared one for the users whose tasks it does, each for the
seconds of that task; the rest of a shared one's time is nobody's. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    Float,
    Integer,
    Select,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from master_daemon.state.database import Transaction
from master_daemon.state.schema import attempts, gpu_days, jobs, owners, sessions, tasks, trials

DAY = 86400.0
KEPT = 400 * DAY
"""Sums: a year, and a month to compare with."""
_SHARED = ("pool-", "standby-")
"""How the seats of backends begin that are no session's own (`supervisor.seats`)."""
_POOL = _SHARED[0]


class Kind(StrEnum):
    """What was used."""

    SESSION = "session"
    """A backend of the session's own."""
    TASK = "task"
    """A shared backend, while it did the user's tasks."""
    TRIAL = "trial"
    """A test job of a developer's."""
    SHARED = "shared"
    """Shared backends altogether, whoever used them; of no user."""


@dataclass(frozen=True)
class Use:
    """What a user had on one UTC day; `user_id` is an address where there are no accounts, empty for nobody."""

    day: float
    user_id: str
    kind: Kind
    gpu_seconds: float


def by_day(connection: Connection, since: float, now: float) -> list[Use]:
    """From `since`, a day's 00:00 UTC, to `now`: by day, then by user."""
    running = or_(jobs.c.ended_at.is_(None), jobs.c.ended_at > since)
    there = _split(_spans(running, literal(True), now).cte("spans"), since, now)
    gone = select(gpu_days).where(gpu_days.c.day >= since, gpu_days.c.day < now)
    both = union_all(there, gone).subquery()
    total = func.sum(both.c.gpu_seconds).label("gpu_seconds")
    key = (both.c.day, both.c.user_id, both.c.kind)
    return [_use(row) for row in connection.execute(select(*key, total).group_by(*key).order_by(*key))]


def minutes(connection: Connection, user_id: str, since: float, now: float) -> float:
    """GPU minutes of the user from `since`, a day's 00:00 UTC, to `now`. It looks at the user's own rows only."""
    keys = select(owners.c.session_key).where(owners.c.user_id == user_id)
    did = (
        select(attempts.c.nonce).join(tasks, tasks.c.task_id == attempts.c.task_id).where(tasks.c.session_key.in_(keys))
    )
    running = or_(jobs.c.ended_at.is_(None), jobs.c.ended_at > since)
    mine = select(trials.c.trial_id).where(trials.c.user == user_id)
    own = running & or_(jobs.c.seat.in_(keys), jobs.c.seat.in_(mine))
    shared = running & jobs.c.nonce.in_(did)
    spans = union_all(_own(own, now), _trials(own, now), _tasks(shared, tasks.c.session_key.in_(keys), now)).subquery()
    begins, ends = _later(spans.c.since, literal(since, Float)), _earlier(spans.c.until, literal(now, Float))
    there = select(func.sum((ends - begins) * spans.c.gpus)).where(ends > begins)
    gone = select(func.sum(gpu_days.c.gpu_seconds)).where(gpu_days.c.user_id == user_id, gpu_days.c.day >= since)
    return sum(float(connection.execute(query).scalar_one() or 0.0) for query in (there, gone)) / 60


def keep_jobs(transaction: Transaction, nonces: Iterable[str], now: float) -> None:
    """Before these jobs' rows are deleted, which have ended: what they, and the tasks on them, used still counts."""
    of_these = jobs.c.nonce.in_(list(nonces))
    _keep(transaction, _spans(of_these, literal(True), now).cte("spans"), now)


def keep_tasks(transaction: Transaction, session_keys: Iterable[str], now: float) -> None:
    """The same before the tasks of these sessions are deleted."""
    of_these = tasks.c.session_key.in_(list(session_keys))
    theirs = select(attempts).join(tasks, tasks.c.task_id == attempts.c.task_id)
    theirs = theirs.join(jobs, jobs.c.nonce == attempts.c.nonce).where(of_these, _begins((_POOL,)))
    went = transaction.connection.execute(theirs).all()
    on_these = jobs.c.nonce.in_({row.nonce for row in went})
    _keep(transaction, _tasks(on_these, of_these, now).cte("spans"), now)
    for row in went:
        _begin_after(transaction.connection, row, now)


def _begin_after(connection: Connection, gone: Any, now: float) -> None:  # noqa: ANN401 (a row)
    """Tasks that waited behind one that goes have not run before its end, which would not be known any more."""
    until = now if gone.ended_at is None else gone.ended_at
    meanwhile = (attempts.c.nonce == gone.nonce, attempts.c.began_at >= gone.began_at, attempts.c.began_at < until)
    connection.execute(update(attempts).where(*meanwhile).values(began_at=until))


# Spans of time (user_id, kind, since, until, gpus) --------------------------------------------------------------------


def _spans(which_jobs: ColumnElement[bool], which_tasks: ColumnElement[bool], now: float) -> CompoundSelect[Any]:
    whole = (_own(which_jobs, now), _trials(which_jobs, now), _shared(which_jobs, now))
    return union_all(*whole, _tasks(which_jobs, which_tasks, now))


def _own(which: ColumnElement[bool], now: float) -> Select[Any]:
    since = _later(jobs.c.started_at, func.coalesce(owners.c.since, 0.0))  # a standby backend was nobody's before
    query = select(*_columns(_USER, Kind.SESSION, since, func.coalesce(jobs.c.ended_at, now)))
    query = query.select_from(jobs).outerjoin(owners, owners.c.session_key == jobs.c.seat)
    query = query.outerjoin(sessions, sessions.c.session_key == jobs.c.seat)
    return query.where(which, *_STARTED, ~_begins(_SHARED))


def _trials(which: ColumnElement[bool], now: float) -> Select[Any]:
    columns = _columns(trials.c.user, Kind.TRIAL, jobs.c.started_at, func.coalesce(jobs.c.ended_at, now))
    query = select(*columns).select_from(jobs).join(trials, trials.c.trial_id == jobs.c.seat)
    return query.where(which, *_RAN)


def _shared(which: ColumnElement[bool], now: float) -> Select[Any]:
    columns = _columns(literal(""), Kind.SHARED, jobs.c.started_at, func.coalesce(jobs.c.ended_at, now))
    return select(*columns).where(which, *_STARTED, _begins(_SHARED))


def _tasks(which_jobs: ColumnElement[bool], which_tasks: ColumnElement[bool], now: float) -> Select[Any]:
    """A backend does one task after the other: each begins when it is placed and those before it have ended."""
    until = func.coalesce(attempts.c.ended_at, now)
    before = func.max(until).over(
        partition_by=attempts.c.nonce, order_by=(attempts.c.began_at, tasks.c.number), rows=(None, -1)
    )
    since = _later(attempts.c.began_at, func.coalesce(before, 0.0))
    placed = select(*_columns(_USER, Kind.TASK, since, until), which_tasks.label("chosen"))
    placed = placed.select_from(attempts).join(jobs, jobs.c.nonce == attempts.c.nonce)
    placed = placed.join(tasks, tasks.c.task_id == attempts.c.task_id)
    placed = placed.outerjoin(owners, owners.c.session_key == tasks.c.session_key)
    placed = placed.outerjoin(sessions, sessions.c.session_key == tasks.c.session_key)
    found = placed.where(which_jobs, *_STARTED, _begins((_POOL,))).subquery()
    return select(*(found.c[name] for name in _NAMES)).where(found.c.chosen)


_USER = func.coalesce(owners.c.user_id, sessions.c.user, "")
_RAN = (jobs.c.started_at.is_not(None), jobs.c.gpus > 0)
_STARTED = (jobs.c.role == "backend", *_RAN)


_Column = ColumnElement[Any]
_NAMES = ("user_id", "kind", "since", "until", "gpus")


def _columns(user: _Column, kind: Kind, since: _Column, until: _Column) -> list[_Column]:
    columns = (user, literal(kind.value), since, until, jobs.c.gpus)
    return [column.label(name) for name, column in zip(_NAMES, columns, strict=True)]


def _begins(with_one_of: Iterable[str]) -> ColumnElement[bool]:
    return or_(*(jobs.c.seat.startswith(prefix, autoescape=True) for prefix in with_one_of))


# Days -----------------------------------------------------------------------------------------------------------------


class _Days(FunctionElement[int]):
    """Whole days in a number of seconds."""

    type = Integer()
    inherit_cache = True


@compiles(_Days)
def _floor(element: _Days, compiler: SQLCompiler, **words: Any) -> str:  # noqa: ANN401 (SQLAlchemy's)
    return f"FLOOR({compiler.process(element.clauses, **words)} / {DAY:.0f})"


@compiles(_Days, "sqlite")
def _truncate(element: _Days, compiler: SQLCompiler, **words: Any) -> str:  # noqa: ANN401 (SQLAlchemy's)
    """It may be built without FLOOR; none of these numbers is negative."""
    return f"CAST({compiler.process(element.clauses, **words)} / {DAY:.0f} AS INTEGER)"


def _split(spans: CTE, since: float, now: float) -> Select[Any]:
    """(day, user_id, kind, gpu_seconds) of the spans, cut at midnight: what is left of one after it is another one."""
    begins, ends = _later(spans.c.since, literal(since, Float)), _earlier(spans.c.until, literal(now, Float))
    who = ("user_id", "kind", "gpus")
    whole = select(*(spans.c[name] for name in who), begins.label("since"), ends.label("until")).where(ends > begins)
    parts = whole.cte("parts", recursive=True)
    day = cast(_Days(parts.c.since), Float) * DAY
    left = select(*(parts.c[name] for name in who), (day + DAY).label("since"), parts.c.until)
    parts = parts.union_all(left.where(day + DAY < parts.c.until))
    day = cast(_Days(parts.c.since), Float) * DAY
    seconds = (_earlier(parts.c.until, day + DAY) - parts.c.since) * parts.c.gpus
    key = (day.label("day"), parts.c.user_id, parts.c.kind)
    return select(*key, func.sum(seconds).label("gpu_seconds")).group_by(*key)


def _later(one: Any, other: Any) -> ColumnElement[float]:  # noqa: ANN401 (columns or values)
    return case((one > other, one), else_=other)


def _earlier(one: Any, other: Any) -> ColumnElement[float]:  # noqa: ANN401 (columns or values)
    return case((one < other, one), else_=other)


# Sums -----------------------------------------------------------------------------------------------------------------


def _keep(transaction: Transaction, spans: CTE, now: float) -> None:
    connection = transaction.connection
    oldest = connection.execute(select(func.min(spans.c.since))).scalar_one()
    if oldest is None:
        return
    for row in connection.execute(_split(spans, oldest // DAY * DAY, now)).all():
        _add(connection, _use(row))
    connection.execute(delete(gpu_days).where(gpu_days.c.day < now - KEPT))


def _add(connection: Connection, use: Use) -> None:
    this = (gpu_days.c.day == use.day, gpu_days.c.user_id == use.user_id, gpu_days.c.kind == use.kind.value)
    more = update(gpu_days).where(*this).values(gpu_seconds=gpu_days.c.gpu_seconds + use.gpu_seconds)
    if not connection.execute(more).rowcount:
        row = {"day": use.day, "user_id": use.user_id, "kind": use.kind.value, "gpu_seconds": use.gpu_seconds}
        connection.execute(insert(gpu_days).values(row))


def _use(row: Any) -> Use:  # noqa: ANN401 (a row)
    return Use(float(row.day), row.user_id, Kind(row.kind), float(row.gpu_seconds))
