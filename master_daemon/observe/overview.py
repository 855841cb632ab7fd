"""The whole daemon at a glance, for `ligan status` and the operator page."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict

from sqlalchemy import Connection

from ligan import __version__
from ligan.wire.admin import Status
from ligan.wire.session import JobState
from master_daemon.observe import drain, metrics, notices, records, tables
from master_daemon.observe.calls import scheduler_calls
from master_daemon.parts import Parts


def overview(parts: Parts, now: float) -> Status:
    """Everything in one snapshot of the database."""
    observed = parts.observatory
    answered_at = _gauge("ligan_scheduler_answered_timestamp_seconds")
    with parts.database.read() as connection:
        sessions, wanting = tables.session_counts(connection)
        return Status(
            version=__version__,
            manager=observed.manager,
            pid=os.getpid(),
            now=now,
            started_at=observed.started_at,
            jobs=_by_role(connection),
            tasks={state.value: count for state, count in tables.tasks_by_state(connection).items()},
            sessions=sessions,
            wanting=wanting,
            pages=parts.presence.open_pages,
            queue=tables.queue(connection, parts.supervisor.views.holds()),
            drain=drain.get(connection),
            notices=notices.read(connection, now),
            breaker_open=bool(_gauge("ligan_breaker_open")),
            scheduler_answer_age_s=max(0.0, now - answered_at) if answered_at else None,
            scheduler_calls_per_minute=scheduler_calls.per_minute(),
            disk_free_bytes=shutil.disk_usage(observed.state_dir).free,
            recent=observed.history.recent(now),
            events=records.newest(connection, now),
        )


def _gauge(name: str) -> float:
    return metrics.registry.get_sample_value(name) or 0.0


def _by_role(connection: Connection) -> dict[str, dict[JobState, int]]:
    roles: defaultdict[str, dict[JobState, int]] = defaultdict(dict)
    for (role, state), count in tables.jobs_by_state(connection).items():
        roles[role][state] = count
    return roles
