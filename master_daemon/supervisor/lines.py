"""The daemon's lines to its jobs: one client with its own token for each."""

from __future__ import annotations

import secrets

from ligan.identity import answer, matches
from ligan.problem import Problem
from ligan.web.client import Client
from ligan.web.guard import TOKEN_HEADER, bearer
from ligan.wire.job import Challenge, ChallengeAnswer
from master_daemon.state.jobs import Job
from master_daemon.supervisor.launch import Launcher

_AT_ONCE = 4
"""Calls to one job: a page makes two or three, and a job that hangs must not hold every thread of the daemon."""


class Lines:
    """Clients by (nonce, address), made when first asked for."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._clients: dict[tuple[str, str], Client] = {}

    def to(self, job: Job) -> Client:
        """The line to a job that has registered."""
        key = (job.nonce, job.url)
        if key not in self._clients:
            headers = {TOKEN_HEADER: bearer(self._launcher.token(job))}
            self._clients[key] = Client(job.url, headers, at_once=_AT_ONCE)
        return self._clients[key]

    def drop(self, job: Job) -> None:
        self._clients.pop((job.nonce, job.url), None)

    def challenge(self, job: Job, host: str, port: int) -> None:
        """Ask an address to prove that it holds the job's token, which itself is not sent (promise 6).

        Raises Problem `not-authorised` when it does not, `unreachable` when nobody answers.
        """
        challenge = Challenge(challenge=secrets.token_hex(16))
        given = Client(f"http://{host}:{port}").post("/challenge", challenge, ChallengeAnswer)
        if not matches(given.answer, answer(self._launcher.token(job), challenge.challenge)):
            raise Problem("not-authorised", "The address does not belong to the job that registers it.")
