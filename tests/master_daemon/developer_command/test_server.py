"""A developer's line to the service: where it leads, with which token, and how it bears a service that is busy."""

from __future__ import annotations

import argparse
import subprocess
import time
from pathlib import Path

import pytest
from flask import Flask, Response, jsonify

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.tls.contexts import serving
from ligan.web.app import problem_response
from ligan.wire.admin import DaemonFile
from ligan.wire.trial import LogPart
from master_daemon import daemon_file
from master_daemon.developer_command import server as line
from master_daemon.developer_command.server import NoServerError, Server, add_server_arguments, open_server
from tests.certificates import NAME, authority
from tests.ligan.stub import stub_app, url_of
from tests.master_daemon.running import SecureServer


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of whoever runs the tests is found."""
    for name in ("LIGAN_SERVER", "LIGAN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def opened(tmp_path: Path, *words: str, token: bytes = b"ligan_x") -> Server:
    path = tmp_path / "token"
    path.write_bytes(token)
    path.chmod(0o600)
    parser = argparse.ArgumentParser()
    add_server_arguments(parser)
    return open_server(parser.parse_args(["--token-file", str(path), *words]))


@pytest.mark.parametrize("url", ["x", "ftp://host", "http://", "http://[::1", "http://host:port", "http://host:99999"])
def test_an_address_that_is_none_is_refused_in_a_sentence(tmp_path: Path, url: str) -> None:
    with pytest.raises(NoServerError, match="write the address as https://HOST"):
        opened(tmp_path, "--server", url)


@pytest.mark.parametrize("token", [b"", b"\n", b"\xff\xfe", "ligan_\u20ac".encode(), b"two\nlines"])
def test_a_token_that_is_none_is_refused_in_a_sentence(tmp_path: Path, token: bytes) -> None:
    with pytest.raises(NoServerError, match="no API token"):
        opened(tmp_path, "--server", "https://host", token=token)


def test_certificates_that_are_not_there_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NoServerError, match="is no file"):
        opened(tmp_path, "--server", "https://host", "--ca-file", str(tmp_path / "none.pem"))


def test_without_a_daemon_here_the_address_is_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NoServerError, match="name the service with --server"):
        opened(tmp_path, "--state-dir", str(tmp_path))


def test_a_daemon_that_has_died_is_none(tmp_path: Path) -> None:
    """Somebody else may have its port by now, who would be shown the operator's token."""
    told = DaemonFile(url="http://127.0.0.1:9/", pid=ended(), version="0")
    (tmp_path / daemon_file.NAME).write_text(told.model_dump_json())
    with pytest.raises(NoServerError, match="No daemon runs on this machine"):
        opened(tmp_path, "--state-dir", str(tmp_path))


def ended() -> int:
    """Number of a process that was."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that it waited, each time."""
    found: list[float] = []
    monkeypatch.setattr(line.time, "sleep", found.append)
    return found


def busy(problem: Problem, times: int) -> Flask:
    """A service that answers so many requests with a problem, and then well."""
    app, asked = stub_app(), []

    @app.get("/api/v1/jobs/<job>")
    def look(job: str) -> Response:
        asked.append(job)
        return problem_response(problem.document) if len(asked) <= times else jsonify({})

    return app


def test_too_many_requests_are_made_more_slowly(slept: list[float]) -> None:
    """A thousand files come back with a thousand requests."""
    wait = Problem("too-many-requests", "Wait 3 s.", retry_after_s=3)
    with url_of(busy(wait, times=2)) as url, pytest.raises(Problem, match="no LiGAN of this version"):
        Server(url, "ligan_x").trial(new_id("j"))
    assert slept == [3, 3]


def test_other_limits_are_told_at_once(slept: list[float]) -> None:
    wait = Problem("too-many-jobs", "Wait for one.", retry_after_s=60)
    with url_of(busy(wait, times=1)) as url, pytest.raises(Problem, match="Wait for one"):
        Server(url, "ligan_x").trial(new_id("j"))
    assert slept == []


def test_a_line_of_output_may_hold_what_python_takes_for_the_end_of_one(slept: list[float]) -> None:
    app, text = stub_app(), "a\u2028b\x85c\x0bd\r\n"
    part = LogPart(offset=9, text=text).model_dump_json()

    @app.get("/api/v1/jobs/<job>/events")
    def events(job: str) -> Response:
        return Response(f"event: keepalive\ndata:\n\nid: 9\nevent: log\ndata: {part}\n\n", mimetype="text/event-stream")

    with url_of(app) as url:
        (event,) = Server(url, "ligan_x").events(new_id("j"), 0)
    assert (event.id, event.name) == ("9", "log")
    assert LogPart.model_validate_json(event.data).text == text


def test_who_cannot_be_believed_or_found_is_told(tmp_path: Path) -> None:
    issued = authority().issue(NAME, time.time() - 60, time.time() + 600)
    there = SecureServer(stub_app(), serving(issued.certificate, issued.key))
    there.start()
    with pytest.raises(Problem, match=r"certificate that is trusted here; --ca-file names"):
        Server(f"https://127.0.0.1:{there.port}", "ligan_x").trial(new_id("j"))
    there.close()
    with pytest.raises(Problem, match="no address is known for this name"):
        Server("https://nobody.invalid", "ligan_x").trial(new_id("j"))


def test_the_daemon_here_may_show_another_certificate_and_move(tmp_path: Path) -> None:
    """As its site renews it, or it is started again, while a test job is followed."""
    app, now = stub_app(), time.time()
    app.add_url_rule("/api/v1/jobs", view_func=lambda: {"trials": []})
    issued = [authority().issue(NAME, now - 60, now + 600) for _ in range(2)]
    daemon_file.write(tmp_path, "https://127.0.0.1:9/", issued[0].certificate)
    server = opened(tmp_path, "--state-dir", str(tmp_path))
    with pytest.raises(Problem, match=r"127\.0\.0\.1:9 does not answer"):
        server.trials(everybody=False)
    for one in issued:
        there = SecureServer(app, serving(one.certificate, one.key))
        there.start()
        daemon_file.write(tmp_path, f"https://127.0.0.1:{there.port}/", one.certificate)
        assert server.trials(everybody=False).trials == []
        there.close()
    daemon_file.remove(tmp_path)
    with pytest.raises(Problem, match="does not answer"):
        server.trials(everybody=False)
