"""GPU hours by user and day, for `ligan usage` and the operator page; and as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from ligan.wire.usage import Usage, UserUsage
from master_daemon.accounts.gpu_time import day_begins
from master_daemon.state import usage
from master_daemon.state.schema import users
from master_daemon.state.usage import DAY, Kind, Use

_HOUR = 3600.0
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula: names may come from a provider."""


def read(connection: Connection, days: int, now: float) -> Usage:
    """Of the last `days` days, today's included."""
    today = day_begins(now)
    begins = [today - back * DAY for back in range(days - 1, -1, -1)]
    used = usage.by_day(connection, begins[0], now)
    known = {use.user_id for use in used}
    rows = connection.execute(select(users.c.user_id, users.c.name).where(users.c.user_id.in_(known)))
    return summed(used, begins, {row.user_id: row.name for row in rows})


def summed(used: Iterable[Use], days: Sequence[float], names: Mapping[str, str]) -> Usage:
    """Users by what they had, and nobody: what shared backends ran without a task. Pure."""
    of_user: defaultdict[str, list[Use]] = defaultdict(list)
    for use in used:
        of_user[use.user_id if use.kind is not Kind.SHARED else ""].append(use)
        if use.kind is Kind.TASK:  # not nobody's
            of_user[""].append(Use(use.day, "", Kind.SHARED, -use.gpu_seconds))
    found = [_of_user(user_id, names.get(user_id, user_id), uses, days) for user_id, uses in of_user.items()]
    ordered = sorted((one for one in found if one.gpu_hours), key=lambda one: (-one.gpu_hours, one.name))
    by_day = [round(sum(values), 4) for values in zip(*(one.by_day for one in ordered), strict=True)]
    return Usage(days=list(days), gpu_hours=_total(ordered), by_day=by_day or [0.0] * len(days), users=ordered)


def _total(ordered: Iterable[UserUsage]) -> float:
    return round(sum(one.gpu_hours for one in ordered), 4)


def _of_user(user_id: str, name: str, uses: Sequence[Use], days: Sequence[float]) -> UserUsage:
    by_kind: defaultdict[Kind, float] = defaultdict(float)
    by_day = dict.fromkeys(days, 0.0)
    for use in uses:
        by_kind[use.kind] += use.gpu_seconds
        by_day[use.day] += use.gpu_seconds
    return UserUsage(
        user_id=user_id,
        name=name,
        gpu_hours=_hours(sum(by_kind.values())),
        session_hours=_hours(by_kind[Kind.SESSION]),
        task_hours=_hours(by_kind[Kind.TASK]),
        trial_hours=_hours(by_kind[Kind.TRIAL]),
        by_day=[_hours(seconds) for seconds in by_day.values()],
    )


def _hours(seconds: float) -> float:
    return max(0.0, round(seconds / _HOUR, 4))


def as_csv(read: Usage) -> str:
    """A line for each user and day that the user had any GPU time on."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(("day", "user_id", "name", "gpu_hours"))
    for one in read.users:
        who = (_plain(one.user_id), _plain(one.name or "(nobody)"))
        lines.writerows((_date(day), *who, hours) for day, hours in zip(read.days, one.by_day, strict=True) if hours)
    return text.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _date(day: float) -> str:
    return datetime.fromtimestamp(day, UTC).strftime("%Y-%m-%d")
