"""The daemon as a whole: what it leaves behind when it stops."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from ligan.settings import Settings
from master_daemon.cluster.local import LocalManager
from master_daemon.cluster.manager import JobPhase, JobRequest
from master_daemon.daemon import Daemon
from tests.master_daemon.cluster.jobs import request, status, wait_for
from tests.master_daemon.running import House


def test_a_job_whose_submission_was_under_way_is_ended_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path)
    house.frontend()
    submit, begun, stopping = house.manager.submit, threading.Event(), threading.Event()

    def slowly(request: JobRequest) -> str:
        begun.set()
        assert stopping.wait(20)
        return submit(request)

    monkeypatch.setattr(house.manager, "submit", slowly)
    parts = house.daemon.parts
    parts.supervisor.want_backend(house.key(house.session_of(house.page())["session_id"]), parts.now())
    assert begun.wait(20)
    stop = house.daemon.parts.supervisor.stop

    def stop_and_let_the_submit_through() -> None:
        stop()
        stopping.set()

    monkeypatch.setattr(house.daemon.parts.supervisor, "stop", stop_and_let_the_submit_through)
    house.close()
    assert {house.manager.job(request.nonce).state for request in house.manager.submissions} == {"CANCELLED"}


def test_a_full_disk_keeps_no_process_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = LocalManager(tmp_path, {"backend": 1})
    daemon = Daemon(Settings(), tmp_path, manager)
    nonce = manager.submit(request())
    wait_for(manager, nonce, JobPhase.RUNNING)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(daemon.parts.supervisor, "end_all", full)
    with pytest.raises(OSError, match="No space left"):
        asyncio.run(daemon.stop(end_jobs=True))
    ended = status(manager, nonce)
    assert ended is not None
    assert ended.phase is JobPhase.ENDED
