"""Which addresses the daemon's lines to its jobs lead to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Response, request

from ligan.identity import answer
from ligan.problem import Problem
from ligan.settings import Settings
from ligan.web.app import reply
from ligan.wire.job import Challenge, ChallengeAnswer, Done
from ligan.wire.session import JobState
from master_daemon.state.jobs import Job
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lines import Lines
from tests.ligan.stub import serving, stub_app

LAUNCHER = Launcher(Settings(), b"secret", "http://daemon:1")
JOB = Job("nonce", "backend", "seat", 1, "b", JobState.READY, 0.0, host="10.9.9.9", port=9)


class Detour:
    """A way on which every job is reached at one address."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[str | None, int | None]] = []
        self.dropped: list[tuple[str | None, int | None]] = []

    def url(self, job: Job) -> str:
        self.asked.append((job.host, job.port))
        return f"http://127.0.0.1:{self.port}"

    def drop(self, job: Job) -> None:
        self.dropped.append((job.host, job.port))

    def close(self) -> None:
        """Nothing was kept."""


def respond(token: str) -> Response:
    challenge = Challenge.model_validate_json(request.get_data())
    return reply(ChallengeAnswer(answer=answer(token, challenge.challenge)))


@pytest.fixture(params=["its token", "another token"])
def token(request: pytest.FixtureRequest) -> str:
    return LAUNCHER.token(JOB) if request.param == "its token" else "another"


@pytest.fixture
def detour(token: str) -> Iterator[Detour]:
    app = stub_app()
    app.add_url_rule("/challenge", view_func=lambda: respond(token), methods=["POST"], endpoint="challenge")
    app.add_url_rule("/healthz", view_func=lambda: reply(Done()), endpoint="healthz")
    with serving(app) as server:
        yield Detour(server.port)


def test_the_claimed_address_is_challenged_on_the_way_and_a_wrong_one_forgotten(detour: Detour, token: str) -> None:
    lines = Lines(LAUNCHER, detour)
    if token == "another":
        with pytest.raises(Problem, match="does not belong"):
            lines.challenge(JOB, "10.0.0.5", 1234)
    else:
        lines.challenge(JOB, "10.0.0.5", 1234)
    assert detour.asked == [("10.0.0.5", 1234)]
    assert detour.dropped == ([("10.0.0.5", 1234)] if token == "another" else [])


def test_a_job_has_one_address_asked_at_a_time() -> None:
    """One that names silent addresses without end would hold every thread of the daemon's."""
    lines = Lines(LAUNCHER)
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(2) as aside:
        address = silent.getsockname()
        first = aside.submit(lines.challenge, JOB, *address)
        line, _ = silent.accept()
        with pytest.raises(Problem, match="asked already"):
            lines.challenge(JOB, *address)
        other = aside.submit(lines.challenge, replace(JOB, nonce="another"), *address)
        line.close()
        with pytest.raises(Problem, match="unreachable"):
            first.result(20)
        silent.accept()[0].close()
        with pytest.raises(Problem, match="unreachable"):
            other.result(20)


def test_calls_take_the_way_and_an_ended_job_is_forgotten(detour: Detour) -> None:
    lines = Lines(LAUNCHER, detour)
    assert lines.to(JOB).get("/healthz", Done) == Done()
    assert lines.to(JOB) is lines.to(JOB)
    lines.drop(JOB)
    assert detour.dropped == [("10.9.9.9", 9)]
