"""Daemon and jobs over TLS: all that goes without it, and nobody in the place of a job that is gone."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from ligan.problem import Problem
from ligan.tls.contexts import DAEMON, name_of, serving
from ligan.tls.setting import TlsSettings
from ligan.web.client import Client
from ligan.wire.job import Done, Heartbeat, ReportedProgress, ReportedResult
from ligan.wire.task import NewTask, TaskCreated, TaskKinds
from master_daemon.authority.authority import Authority
from master_daemon.authority.file import read_authority
from master_daemon.tunnel.ssh import SshReach
from tests.ligan.stub import wait_until
from tests.ligan.tls.impostors import impostor
from tests.master_daemon.running import House, Played, Stream, house_in

SECURE = TlsSettings(between_parts="always")
LARGE = 20_000_000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_in(tmp_path, tls=SECURE) as made:
        yield made


@pytest.fixture
def frontend(house: House) -> Played:
    return house.frontend()


def test_requests_and_large_bodies_go_both_ways(house: House, frontend: Played) -> None:
    assert house.cluster_url.startswith("https://")
    with requests.Session() as page:
        for _ in range(3):
            assert page.get(house.url + "/x?y=1", timeout=20).json()["target"] == "/x?y=1"
        sent = page.post(house.url + "/upload", data=bytes(LARGE), timeout=60)
        assert sent.json()["length"] == LARGE
        got = page.get(f"{house.url}/large?size={LARGE}", timeout=60).content
    blocks = b"".join(bytes([n % 251]) * min(65536, LARGE - at) for n, at in enumerate(range(0, LARGE, 65536)))
    assert hashlib.sha256(got).digest() == hashlib.sha256(blocks).digest()


def test_a_task_goes_to_the_backend_and_its_events_to_the_page(house: House, frontend: Played) -> None:
    page = house.page()
    backend = house.backend(page)
    stream = Stream(house.url, page)
    task_id = house.line(page).post("/tasks", NewTask(kind="noop"), TaskCreated).task_id
    wait_until(lambda: backend.orders, "the task's delivery")
    line = backend.cluster()
    line.post("/on-progress", ReportedProgress(task_id=task_id, attempt=1, seq=1, percent=50), Done)
    line.post("/on-result", ReportedResult(task_id=task_id, attempt=1), Done)
    assert stream.until(lambda event: event["event"] == "on-result")
    stream.close()
    assert frontend.cluster().get("/kinds", TaskKinds).kinds


def test_a_page_that_leaves_in_the_middle_costs_nobody_anything(house: House, frontend: Played) -> None:
    with socket.create_connection(("127.0.0.1", house.daemon.port), timeout=20) as page:
        page.sendall(b"GET /large?size=%d HTTP/1.1\r\nHost: x\r\n\r\n" % LARGE)
        assert page.recv(100).startswith(b"HTTP/1.1 200")
    assert requests.get(house.url + "/x", timeout=20).status_code == 200


# ---- somebody in a job's place


def places(house: House) -> dict[str, Authority]:
    ours = read_authority(house.daemon.parts.observatory.state_dir)
    assert ours is not None
    return {"ours": ours, "theirs": Authority.new(time.time())}


@pytest.fixture(params=["no TLS", "theirs", "another job's", "the daemon's", "ended"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def in_place_of(house: House, played: Played, kind: str, port: int):
    """Who listens at the port of a job that is gone."""
    by, now = places(house), time.time()
    issued = {
        "theirs": lambda: by["theirs"].issue(name_of(played.bootstrap.nonce), now, now + 60),
        "another job's": lambda: by["ours"].issue(name_of("1" * 22), now, now + 60),
        "the daemon's": lambda: by["ours"].issue(DAEMON, now, now + 60),
        "ended": lambda: by["ours"].issue(name_of(played.bootstrap.nonce), now - 60, now - 1),
    }
    return impostor(serving(*issued[kind]()) if kind in issued else None, port)


def test_the_frontends(house: House, frontend: Played, kind: str) -> None:
    page = house.page()
    assert page.get(house.url + "/before", timeout=20).status_code == 200
    frontend.server.close()
    with in_place_of(house, frontend, kind, frontend.server.port) as there:
        for _ in range(2):
            answer = page.post(house.url + "/secret", data=b"photo", timeout=20)
            assert (answer.status_code, answer.json()["type"]) == (502, "urn:ligan:problem:unreachable")
        wait_until(lambda: there.ended >= 2, "the calls' ends")
        assert there.heard == [], "not even the token"
    house._servers.clear()


def test_a_backends(house: House, frontend: Played, kind: str) -> None:
    page = house.page()
    backend = house.backend(page)
    backend.server.close()
    with in_place_of(house, backend, kind, backend.server.port) as there:
        task_id = house.line(page).post("/tasks", NewTask(kind="noop"), TaskCreated).task_id
        wait_until(lambda: there.ended >= 1, "the delivery's try")
        assert there.heard == []
        assert page.get(f"{house.url}/api/v1/tasks/{task_id}", timeout=20).json()["state"] == "queued"
    house._servers.remove(backend.server)


def test_at_a_registration(house: House, frontend: Played) -> None:
    """A job's own token does not help it to a port that it has no certificate for."""
    ours = places(house)["ours"]
    now = time.time()
    with impostor(serving(*ours.issue(name_of("1" * 22), now, now + 60))) as there:
        with pytest.raises(Problem, match="unreachable"):
            house.daemon.parts.lines.challenge(job_of(house), "127.0.0.1", there.port)
        assert there.heard == []


def test_the_daemons(house: House, frontend: Played) -> None:
    """What a job says it says to the daemon alone."""
    ours = places(house)["ours"]
    now = time.time()
    for shown in (ours.issue(name_of("1" * 22), now, now + 60), Authority.new(now).issue(DAEMON, now, now + 60)):
        with impostor(serving(*shown)) as there:
            elsewhere = frontend.bootstrap.model_copy(update={"daemon_url": f"https://127.0.0.1:{there.port}"})
            with pytest.raises(Problem, match="unreachable"):
                Played(elsewhere, frontend.home, frontend.server).cluster().post("/heartbeat", Heartbeat(), Done)
            wait_until(lambda there=there: there.ended, "the call's end")
            assert there.heard == []


def job_of(house: House):
    job = house.newest("frontend")
    assert job is not None
    return job


def test_without_tls_nobody_calls(house: House, frontend: Played) -> None:
    plain = Client(house.cluster_url.replace("https:", "http:") + "/cluster/v1", timeout_s=5)
    with pytest.raises(Problem, match="unreachable"):
        plain.post("/heartbeat", Heartbeat(), Done)


def test_through_ssh_it_is_the_same_job_that_is_expected(house: House, frontend: Played) -> None:
    job = job_of(house)
    assert job.tls
    assert job.url == f"https://127.0.0.1:{frontend.server.port}"
    reach = SshReach(None)  # type: ignore[arg-type]  # it connects when somebody comes
    assert reach.url(job).startswith("https://127.0.0.1:")
    assert reach.url(replace(job, tls=False)).startswith("http://127.0.0.1:")
    reach.close()


# ---- other daemons over the same state


def again(before: House, tls: TlsSettings) -> House:
    """The daemon stops, and another begins over its state; the jobs go on."""
    state_dir = before.daemon.parts.observatory.state_dir
    before.close(end_jobs=False)
    return House(state_dir, tls=tls, manager=before.manager)


def test_jobs_that_run_are_believed_by_the_next_daemon_and_believe_it(tmp_path: Path) -> None:
    first = House(tmp_path, tls=SECURE)
    frontend = first.frontend()
    pem = places(first)["ours"].pem
    second = again(first, SECURE)
    try:
        assert places(second)["ours"].pem == pem
        frontend.cluster().post("/heartbeat", Heartbeat(), Done)
        wait_until(second.daemon.frontend_ready, "the frontend that was there before")
        assert requests.get(second.url + "/x", timeout=20).json()["target"] == "/x"
        assert len(second.manager.submissions) == 1
    finally:
        second.close()
        frontend.server.close()


@pytest.mark.parametrize(("before", "after"), [("auto", "always"), ("always", "auto")])
def test_jobs_of_the_other_setting_are_served_to_their_end(tmp_path: Path, before: str, after: str) -> None:
    """As over an upgrade: an older LiGAN's jobs speak no TLS."""
    first = House(tmp_path, tls=TlsSettings(between_parts=before))
    frontend = first.frontend()
    second = again(first, TlsSettings(between_parts=after))
    try:
        frontend.cluster().post("/heartbeat", Heartbeat(), Done)
        wait_until(second.daemon.frontend_ready, "the frontend that was there before")
        assert requests.get(second.url + "/x", timeout=20).json()["target"] == "/x"
        page = second.page()
        backend = second.backend(page)
        assert (backend.bootstrap.tls is not None) is (after == "always")
        second.line(page).post("/tasks", NewTask(kind="noop"), TaskCreated)
        wait_until(lambda: backend.orders, "the task's delivery")
        assert frontend.cluster().get("/kinds", TaskKinds).kinds
    finally:
        second.close()
        frontend.server.close()


def test_when_the_last_job_without_it_has_ended_the_port_takes_nothing_else(tmp_path: Path) -> None:
    first = House(tmp_path)
    frontend = first.frontend()
    house = again(first, SECURE)
    try:
        frontend.cluster().post("/heartbeat", Heartbeat(), Done)
        with house.daemon.database.write() as transaction:
            transaction.connection.exec_driver_sql("UPDATE jobs SET tls = 1")
        house.daemon._certificates.turn(time.time())
        with pytest.raises(Problem, match="unreachable"):
            frontend.cluster().post("/heartbeat", Heartbeat(), Done)
    finally:
        with suppress(Problem):
            house.close()
        frontend.server.close()
