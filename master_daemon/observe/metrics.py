"""The daemon's own counters, in the Prometheus data model: whoever knows a fact counts it here, `/metrics` shows them.

What stands in the tables (jobs and tasks by state) is not counted but read at scrape time: `observe.tables`.
A label is never a session, a key or a token: labels are kept for ever and shown to everybody who may scrape.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nothing here reads

registry = CollectorRegistry()
"""Of this process; the library's default one stays empty."""
ProcessCollector(registry=registry)

_MILLISECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5)
_TASK = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600)
_WAIT = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
_GAP = (0.0, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)

task_seconds = Histogram(
    "ligan_task_seconds", "From a task's creation to its end", ("kind",), buckets=_TASK, registry=registry
)
task_wait_seconds = Histogram(
    "ligan_task_wait_seconds",
    "From a task's creation to its first delivery to a backend",
    buckets=_WAIT,
    registry=registry,
)
job_wait_seconds = Histogram(
    "ligan_job_wait_seconds", "From a job's submit to its start", ("role",), buckets=_WAIT, registry=registry
)
job_load_seconds = Histogram(
    "ligan_job_load_seconds", "From a job's start to its being ready", ("role",), buckets=_WAIT, registry=registry
)
handover_gap_seconds = Histogram(
    "ligan_handover_gap_seconds",
    "Time without a ready backend of a session that had one and still wants one; 0 for a successor in time",
    buckets=_GAP,
    registry=registry,
)
handovers = Counter("ligan_handovers", "Handovers to a successor, by outcome", ("outcome",), registry=registry)
"""outcome: `in_time` (the successor was ready first) or `late` (there was a gap)."""

submits = Counter(
    "ligan_submits", "Jobs handed to the resource manager, by its answer", ("outcome",), registry=registry
)
"""outcome: `accepted`, `refused`, or `unknown` (no clear answer; settled by looking for the job's tag)."""
adoptions = Counter(
    "ligan_adoptions", "Jobs found by their tag after an unclear answer or a restart of the daemon", registry=registry
)
scheduler_calls = Counter(
    "ligan_scheduler_calls", "Calls of the scheduler, by command", ("command",), registry=registry
)
scheduler_answers = Counter(
    "ligan_scheduler_answers", "Listings asked of the scheduler, by answer", ("answer",), registry=registry
)
"""answer: `yes` or `dont_know`."""
scheduler_answered_at = Gauge(
    "ligan_scheduler_answered_timestamp_seconds", "Unix time of the last listing that was believed", registry=registry
)
breaker_open = Gauge(
    "ligan_breaker_open", "1 while submits are paused or on trial after a refusal or a failed start", registry=registry
)

database_write_seconds = Histogram(
    "ligan_database_write_seconds",
    "One write transaction, its wait for other writers included",
    buckets=_MILLISECONDS,
    registry=registry,
)
tick_seconds = Histogram("ligan_tick_seconds", "One supervisor turn", buckets=_MILLISECONDS, registry=registry)

for _outcome in ("accepted", "refused", "unknown"):  # shown as 0 from the start: rate() needs the first sample
    submits.labels(_outcome)
for _outcome in ("in_time", "late"):
    handovers.labels(_outcome)
for _answer in ("yes", "dont_know"):
    scheduler_answers.labels(_answer)
