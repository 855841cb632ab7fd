"""A developer's line to the service: where it leads, with which token, and how it bears a service that is busy."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from flask import Flask, Response, jsonify

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.web.app import problem_response
from master_daemon.developer_command import server as line
from master_daemon.developer_command.server import NoServerError, Server, add_server_arguments, open_server
from tests.ligan.stub import stub_app, url_of


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
