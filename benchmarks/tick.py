"""What one turn of the supervisor costs, and how that grows with the number of sessions.

Every session has a ready backend that beats every five seconds. The cluster is the programmable fake, the database
SQLite in a folder of its own, so that the figure is the daemon's alone. Beside each time is the processor time in it,
which neighbours on a busy machine do not change.

- quiet: turns between two listings, as almost all are (four a second); those that write down the heartbeats, one in
  four, are in it;
- listing: a turn with a fresh listing of every job, as one a minute is while nothing is in doubt;
- floor: reading the rows of all live jobs once, which no turn that looks at every job can undercut.

Goal: a turn with 1,000 sessions in at most 50 ms. `growth` is the cost per session at the largest size over that at the
smallest: 1 is linear.

    python benchmarks/tick.py [--json] [--sessions 100 1000 10000] [--turns 80] [--listings 10]
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from _report import Figures, machine, parser_of, show, summary

from ligan.ids import new_id
from ligan.intervals import HEARTBEAT, PAUSED_TURN, TICK
from ligan.settings import BackendSettings, DaemonSettings, FrontendSettings, Settings
from ligan.wire.session import JobState
from master_daemon.cluster.fake import FakeManager
from master_daemon.cluster.manager import JobPhase, JobStatus, Listing
from master_daemon.daemon import Daemon
from master_daemon.state import jobs, sessions
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats

_DAYS = 30 * 24 * 3600
_BEATS = int(HEARTBEAT / TICK)
"""Turns between a job's heartbeats."""
_STRIDE = PAUSED_TURN / 2
"""Seconds; a turn that comes later than PAUSED_TURN tells the supervisor that the daemon slept."""
_SETTINGS = Settings(
    daemon=DaemonSettings(port=0, max_backends=100_000),
    frontend=FrontendSettings(time_limit=_DAYS),
    backend=BackendSettings(time_limit=_DAYS, lifetime_s=_DAYS, idle_release_s=_DAYS),
)
"""Nothing is due in any of the measured turns: no handover, no idle release."""


class Crowd(FakeManager):
    """A cluster on which the jobs given to it run on; the time they have left shrinks as `now` moves."""

    def __init__(self, now: float) -> None:
        super().__init__(lambda: self.now)
        self.now = now
        self.crowd: list[Job] = []

    def listing(self) -> Listing | None:
        self.listings += 1
        return {job.nonce: _running(job, self.now) for job in self.crowd}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--turns", type=int, default=80, help="quiet turns measured at each size (default 80)")
    parser.add_argument("--listings", type=int, default=10, help="turns with a listing at each size (default 10)")
    arguments = parser.parse_args()
    rows = {str(count): measure(count, arguments.turns, arguments.listings) for count in arguments.sessions}
    show({"machine": machine(), "sessions": rows, "growth": growth(rows)}, arguments.json)


def measure(count: int, turns: int, listings: int) -> Figures:
    """Milliseconds of a turn with `count` ready sessions."""
    now = time.time()
    with crowded(count, now) as (daemon, manager):
        tick = daemon.parts.supervisor.tick
        tick(now)  # the first one finds everything new
        quiet = []
        for number in range(1, turns + 1):
            manager.now = now + number * TICK
            _beat(daemon, manager.crowd[number % _BEATS :: _BEATS], manager.now)
            quiet.append(cost(lambda: tick(manager.now)))
        looked = [_listing_turn(daemon, manager) for _ in range(listings)]
        _check_unchanged(daemon, count)
        floor = [cost(lambda: _read_live(daemon)) for _ in range(listings)]
    return {**_both("quiet", quiet), **_both("listing", looked), **_both("floor", floor)}


def cost(call: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds that `call` takes, and those of them in which this thread had a processor."""
    begin, cpu = time.perf_counter(), time.thread_time()
    call()
    return (time.perf_counter() - begin) * 1000, (time.thread_time() - cpu) * 1000


def _both(name: str, costs: list[tuple[float, float]]) -> Figures:
    times, cpus = zip(*costs, strict=True)
    return {f"{name}_ms": summary(times), f"{name}_cpu_ms": summary(cpus)}


def _listing_turn(daemon: Daemon, manager: Crowd) -> tuple[float, float]:
    """Go on in strides that are no pause of the daemon, until a turn asks for a listing; the cost of that one."""
    hearing, before = daemon.parts.supervisor.hearing, manager.listings
    while True:
        manager.now += _STRIDE
        _beat(daemon, manager.crowd, manager.now)
        hearing.note(manager.now)  # or this turn would write all beats of the stride
        spent = cost(lambda: daemon.parts.supervisor.tick(manager.now))
        if manager.listings > before:
            return spent


@contextmanager
def crowded(count: int, now: float) -> Iterator[tuple[Daemon, Crowd]]:
    """A daemon that does not run by itself, with a ready frontend and `count` ready backends."""
    manager = Crowd(now)
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(_SETTINGS, Path(folder), manager)
        try:
            with daemon.database.write() as transaction:
                manager.crowd = [_frontend(daemon, transaction, now)]
                manager.crowd += [_backend(daemon, transaction, number, now) for number in range(count)]
            yield daemon, manager
        finally:
            asyncio.run(daemon.stop(end_jobs=False))


def _frontend(daemon: Daemon, transaction: Transaction, now: float) -> Job:
    return _add_ready(transaction, daemon.parts.launcher.job(seats.FRONTEND, new_id("f"), None, now), 1, now)


def _backend(daemon: Daemon, transaction: Transaction, number: int, now: float) -> Job:
    session_id = sessions.renew(transaction, None, now)
    key = sessions.key_of(transaction.connection, session_id)
    sessions.want_backend(transaction, key, now)
    return _add_ready(transaction, daemon.parts.launcher.job(key, session_id, None, now), number + 2, now)


def _add_ready(transaction: Transaction, job: Job, number: int, now: float) -> Job:
    ready = replace(
        job,
        state=JobState.READY,
        reason="",
        job_id=str(number),
        host="127.0.0.1",
        port=1024 + number % 60_000,
        submitted_at=now,
        started_at=now,
        ready_at=now,
        heard_at=now,
        ends_at=now + _DAYS,
    )
    jobs.add(transaction, ready)
    return ready


def _running(job: Job, now: float) -> JobStatus:
    assert job.job_id is not None
    assert job.ends_at is not None
    return JobStatus(job.nonce, job.job_id, JobPhase.RUNNING, "RUNNING", remaining_s=int(job.ends_at - now))


def _beat(daemon: Daemon, crowd: list[Job], now: float) -> None:
    for job in crowd:
        daemon.parts.supervisor.hearing.hear(job.nonce, now)


def _read_live(daemon: Daemon) -> None:
    with daemon.database.read() as connection:
        jobs.live(connection)


def _check_unchanged(daemon: Daemon, count: int) -> None:
    with daemon.database.read() as connection:
        ready = [job for job in jobs.live(connection) if job.ready]
    assert len(ready) == count + 1, (
        f"{len(ready)} jobs are ready in place of {count + 1}: the turns measured were not quiet"
    )


def growth(rows: Figures) -> Figures:
    """Processor time per session at the largest size over that at the smallest, from the medians."""
    small, *_, large = sorted(rows, key=int) if len(rows) > 1 else [next(iter(rows))] * 2
    factor = int(large) / int(small)
    return {
        name: round(rows[large][name]["median"] / rows[small][name]["median"] / factor, 2)
        for name in ("quiet_cpu_ms", "listing_cpu_ms", "floor_cpu_ms")
    }


if __name__ == "__main__":
    main()
