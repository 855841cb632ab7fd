"""Two daemons over one database: the second is refused, or takes over, and then the first one stops itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from ligan.intervals import LEASE_STALE
from ligan.settings import DaemonSettings, Settings
from master_daemon.cluster.fake import FakeManager
from master_daemon.daemon import Daemon, StateInUseError
from master_daemon.state import lease
from master_daemon.state.database import Database
from master_daemon.state.dialect import database_url
from master_daemon.state.lease import LeaseHeldError
from tests.system.running import ligan_up


@contextmanager
def daemon(state_dir: Path, url: str = "") -> Iterator[Daemon]:
    made = Daemon(Settings(daemon=DaemonSettings(port=0, database=url)), state_dir, FakeManager(time.time))
    try:
        yield made
    finally:
        asyncio.run(made.stop(end_jobs=False))


def test_over_one_state_folder(tmp_path: Path) -> None:
    with daemon(tmp_path), pytest.raises(StateInUseError, match="Another LiGAN daemon uses"), daemon(tmp_path):
        pass


def test_over_one_database_from_two_folders(tmp_path: Path, postgresql_url: str) -> None:
    with daemon(tmp_path / "one", postgresql_url) as first:
        with pytest.raises(LeaseHeldError, match=str(tmp_path / "one")), daemon(tmp_path / "two", postgresql_url):
            pass
        epoch = first.tenure.epoch
    with daemon(tmp_path / "two", postgresql_url) as second:
        assert second.tenure.epoch == epoch + 1, "what was stopped in order is free at once"


def test_a_killed_ones_successor_in_the_same_folder_need_not_wait(tmp_path: Path, postgresql_url: str) -> None:
    with Database(database_url(postgresql_url, tmp_path)) as database:
        now = database.time()
        with database.write() as transaction:
            epoch = lease.take(transaction, lease.place(tmp_path), now)
    with daemon(tmp_path, postgresql_url) as successor:
        assert successor.tenure.epoch == epoch + 1


def test_one_that_wakes_up_after_a_takeover_stops_itself(tmp_path: Path, postgresql_url: str) -> None:
    site = tmp_path / "site.toml"
    site.write_text(f'[daemon]\ndatabase = "{postgresql_url}"\n')
    with ligan_up(tmp_path / "state", "--config", str(site)) as frozen:
        assert requests.get(frozen.url, timeout=20).ok
        os.kill(frozen.process.pid, signal.SIGSTOP)
        with Database(database_url(postgresql_url, tmp_path)) as database:
            later = database.time() + LEASE_STALE
            with database.write() as transaction:
                epoch = lease.take(transaction, "successor", later)
            os.kill(frozen.process.pid, signal.SIGCONT)
            assert frozen.process.wait(60) == 1
            with database.read() as connection:
                last = lease.current(connection)
        assert last == lease.Lease("successor", epoch, later), "it has not touched what is another's"
