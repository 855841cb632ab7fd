"""Through a real sshd to a job and home again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import paramiko
import pytest
import requests
from flask import Flask, Response, request, stream_with_context

from ligan.wire.session import JobState
from master_daemon.ssh import connection as connection_module
from master_daemon.ssh.connection import SshConnection
from master_daemon.ssh.errors import SshError, SshSetupError
from master_daemon.state.jobs import Job
from master_daemon.tunnel.reach import Direct
from master_daemon.tunnel.ssh import SshReach, WayHome, splice
from tests.ligan.stub import serving, stub_app, wait_until
from tests.port import free_port
from tests.sshd import Sshd, need_sshd

PAGE = b"0123456789abcdef" * 65536


@contextmanager
def an_sshd(folder: Path, *options: str) -> Iterator[Sshd]:
    need_sshd()
    folder.mkdir()
    server = Sshd(folder, *options)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with an_sshd(tmp_path / "sshd", "GatewayPorts clientspecified") as server:
        yield server


@pytest.fixture
def connection(sshd: Sshd) -> Iterator[SshConnection]:
    with closing(SshConnection(sshd.node)) as connection:
        yield connection


@pytest.fixture
def reach(connection: SshConnection) -> Iterator[SshReach]:
    with closing(SshReach(connection)) as reach:
        yield reach


def job_app() -> Flask:
    """A job's server: it gives back what it gets, and sends more than any window holds."""
    app = stub_app()

    def large() -> Response:
        return Response(stream_with_context(PAGE for _ in range(int(request.args["pages"]))))

    app.add_url_rule("/echo", view_func=lambda: Response(request.get_data()), methods=["POST"], endpoint="echo")
    app.add_url_rule("/large", view_func=large)
    return app


@pytest.fixture
def port() -> Iterator[int]:
    with serving(job_app()) as server:
        yield server.port


def job(port: int, nonce: str = "n") -> Job:
    return Job(nonce, "backend", "seat", 1, "b", JobState.READY, 0.0, host="127.0.0.1", port=port)


def session() -> requests.Session:
    client = requests.Session()
    client.trust_env = False
    return client


def answers(url: str) -> bool:
    try:
        with session() as client:
            return client.post(url + "/echo", data=b"there", timeout=5).content == b"there"
    except requests.ConnectionError:
        return False


def test_direct_is_the_jobs_own_address() -> None:
    assert Direct().url(job(1234)) == "http://127.0.0.1:1234"


def test_a_job_is_reached_at_an_address_of_this_machine_that_stays(reach: SshReach, port: int) -> None:
    url = reach.url(job(port))
    assert reach.url(job(port)) == url
    assert url.startswith("http://127.0.0.1:")
    assert not url.endswith(f":{port}")
    with session() as client:
        for body in (b"", b"x", PAGE * 4):
            assert client.post(url + "/echo", data=body, timeout=20).content == body


def test_many_at_once_each_get_their_own(reach: SshReach, port: int) -> None:
    url = reach.url(job(port))
    right: list[bool] = []

    def ask(number: int) -> None:
        body = f"{number}".encode() * 10_000
        with session() as client:
            right.append(client.post(url + "/echo", data=body, timeout=30).content == body)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 40


def test_who_does_not_read_holds_nobody_else_up_and_nothing_in_memory(reach: SshReach, port: int) -> None:
    url = reach.url(job(port))
    with session() as slow, session() as quick:
        waiting = slow.get(url + "/large?pages=64", stream=True, timeout=30)
        assert quick.post(url + "/echo", data=b"still here", timeout=10).content == b"still here"
        assert sum(len(chunk) for chunk in waiting.iter_content(1 << 20)) == 64 * len(PAGE)


def test_two_jobs_at_one_address_after_another_do_not_meet(reach: SshReach, port: int) -> None:
    first, second = reach.url(job(port, "a")), reach.url(job(port, "b"))
    assert first != second
    reach.drop(job(port, "a"))
    with session() as client:
        assert client.post(second + "/echo", data=b"x", timeout=10).content == b"x"
    wait_until(lambda: not answers(first), "the end of the first")


def test_when_a_job_ends_its_open_connections_are_cut(reach: SshReach, port: int) -> None:
    address = ("127.0.0.1", int(reach.url(job(port)).rpartition(":")[2]))
    with socket.create_connection(address, 20) as line:
        line.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
        assert line.recv(9) == b"HTTP/1.1 "
        reach.drop(job(port))
        while line.recv(65536):  # the rest of the answer
            pass  # and then the end, although the job's server would keep the connection


def test_a_job_that_never_registered_is_dropped_all_the_same(reach: SshReach) -> None:
    reach.drop(Job("n", "backend", "seat", 1, "b", JobState.ENDED, 0.0))


def test_nobody_behind_it_is_a_connection_that_is_cut(reach: SshReach) -> None:
    with session() as client, pytest.raises(requests.ConnectionError):
        client.get(reach.url(job(1)), timeout=10)


def test_the_address_outlives_a_restart_of_sshd(reach: SshReach, port: int, sshd: Sshd) -> None:
    url = reach.url(job(port))
    with session() as client:
        assert client.post(url + "/echo", data=b"1", timeout=10).content == b"1"
        sshd.stop()
        with pytest.raises(requests.ConnectionError):
            client.post(url + "/echo", data=b"2", timeout=10)
        sshd.start()
    wait_until(lambda: answers(url), "the same address over a new connection")


class LostChannel:
    """A channel whose connection is lost between its last bytes and its end: each word to the other side raises."""

    def recv(self, _size: int) -> bytes:
        return b""

    def close(self, *_said: bytes) -> None:
        raise EOFError

    shutdown_write = sendall = close


def test_a_connection_lost_at_the_very_end_ends_the_line_and_nothing_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as line:
        splice(line, cast("paramiko.Channel", LostChannel()))
        with pytest.raises(BrokenPipeError):
            line.sendall(b"more")


# ---- home


def answers_at(host: str, port: int) -> bool:
    return answers(f"http://{host}:{port}")


def test_jobs_find_the_daemon_at_the_login_nodes_address_also_after_a_restart(
    sshd: Sshd, connection: SshConnection, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "SSH_KEEPALIVE", 0.2)
    there = ("127.0.0.2", free_port())  # not the loopback address that sshd takes by itself
    home = WayHome(there, ("127.0.0.1", port))
    connection.keep(lambda transport: home.open(connection, transport))
    wait_until(lambda: answers_at(*there), "the way home")
    sshd.stop()
    assert not answers_at(*there)
    sshd.start()
    wait_until(lambda: answers_at(*there), "the way home after a restart")


def test_a_port_that_is_taken_there_is_said(connection: SshConnection, port: int) -> None:
    home = WayHome(("127.0.0.1", port), ("127.0.0.1", port))
    with pytest.raises(SshSetupError, match=f"does not listen for the jobs at 127.0.0.1:{port}"):
        home.open(connection, connection.transport())


def test_an_sshd_that_quietly_keeps_to_loopback_is_found_out(tmp_path: Path, port: int) -> None:
    with (
        an_sshd(tmp_path / "strict", "GatewayPorts no") as strict,
        closing(SshConnection(strict.node)) as connection,
        pytest.raises(SshSetupError, match="GatewayPorts clientspecified"),
    ):
        WayHome(("127.0.0.2", free_port()), ("127.0.0.1", port)).open(connection, connection.transport())


def test_an_sshd_that_forbids_forwarding_is_said(tmp_path: Path, port: int) -> None:
    with (
        an_sshd(tmp_path / "strict", "AllowTcpForwarding no") as strict,
        closing(SshConnection(strict.node)) as connection,
    ):
        with pytest.raises(SshSetupError, match="AllowTcpForwarding yes"):
            WayHome(("127.0.0.1", free_port()), ("127.0.0.1", port)).open(connection, connection.transport())
        with pytest.raises(SshError, match=f"opens no channel to 127.0.0.1:{port}"):
            connection.channel_to("127.0.0.1", port)


def test_a_daemon_that_is_not_there_is_a_closed_connection(connection: SshConnection) -> None:
    there = ("127.0.0.2", free_port())
    home = WayHome(there, ("127.0.0.1", 1))
    home.open(connection, connection.transport())
    assert not answers_at(*there)
