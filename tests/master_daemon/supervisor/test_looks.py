"""Which backend looks at a photo: one that may, and of those the least busy one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ligan.settings import Settings
from ligan.wire.session import JobState
from master_daemon.api.frontend import _looker
from master_daemon.state.database import Database
from master_daemon.state.jobs import Job
from master_daemon.supervisor.looks import Looks
from tests.master_daemon.state.rows import add_job, new_session

SHA = "0" * 64


def looker(database: Database, looks: Looks, key: str, mode: str) -> Job | None:
    settings = Settings.model_validate({"backend": {"mode": mode}})
    parts: Any = SimpleNamespace(database=database, settings=settings, looks=looks)
    return _looker(parts, key)


def ready(database: Database, seat: str, **changes: Any) -> Job:
    return add_job(database, seat, state=JobState.READY, host="127.0.0.1", port=9, **changes)


def test_a_pool_shares_the_looks(database: Database) -> None:
    _, key = new_session(database)
    one, other = ready(database, "pool-1"), ready(database, "pool-2")
    looks = Looks()
    with looks.asking(one.nonce, SHA):
        assert looker(database, looks, key, "pool") == other
        with looks.asking(other.nonce, SHA), looks.asking(other.nonce, SHA):
            assert looks.busy(other.nonce) == 2
            assert looker(database, looks, key, "pool") == one
    assert looks.busy(one.nonce) == 0


def test_a_sessions_own_backend_comes_first_then_a_cpu_ones(database: Database) -> None:
    _, key = new_session(database)
    looks = Looks()
    assert looker(database, looks, key, "per-session") is None
    cpu = ready(database, "cpu-1", role="cpu")
    assert looker(database, looks, key, "per-session") == cpu
    own = ready(database, key)
    with looks.asking(own.nonce, SHA):
        assert looker(database, looks, key, "per-session") == own
