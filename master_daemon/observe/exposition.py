"""All metrics of one daemon as a scraper gets them: the process's counters, and what its tables hold right now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from sqlalchemy import Connection

from ligan import __version__
from ligan.wire.session import JobState
from master_daemon.observe import metrics, tables
from master_daemon.parts import Parts


def expose(parts: Parts, accept: str) -> tuple[bytes, str]:
    """(body, content type): OpenMetrics where `accept` asks for it, else the text format 0.0.4."""
    encode, content_type = choose_encoder(accept)
    return encode(_Everything(parts)), content_type


class _Everything:
    """What the library's encoders take for a registry: they only collect."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        yield from metrics.registry.collect()
        yield InfoMetricFamily(
            "ligan", "This daemon", {"version": __version__, "manager": self._parts.observatory.manager}
        )
        yield _gauge("ligan_sse_clients", "Open event streams of pages", self._parts.presence.open_pages)
        with self._parts.database.read() as connection:
            yield from _of_tables(connection)


def _of_tables(connection: Connection) -> Iterable[Metric]:
    sessions, wanting = tables.session_counts(connection)
    yield _gauge("ligan_sessions", "Sessions that are known", sessions)
    yield _gauge("ligan_sessions_wanting", "Sessions that want a backend", wanting)
    by_role = tables.jobs_by_state(connection)
    jobs = GaugeMetricFamily("ligan_jobs", "Live jobs", labels=("role", "state"))
    for role in tables.ROLES:
        for state in tables.LIVE_STATES:
            jobs.add_metric((role, _word(state)), by_role.get((role, state), 0))
    yield jobs
    tasks = GaugeMetricFamily("ligan_tasks", "Tasks that are kept", labels=("state",))
    for task_state, count in tables.tasks_by_state(connection).items():
        tasks.add_metric((task_state.value,), count)
    yield tasks


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _word(state: JobState) -> str:
    return state.value.lower()
