"""The daemon's lines to its jobs: one client with its own token for each."""

from __future__ import annotations

import secrets
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

from ligan.identity import answer, matches
from ligan.intervals import DISMISS_TIMEOUT
from ligan.problem import Problem
from ligan.tls.contexts import name_of
from ligan.tls.peer import Peer
from ligan.web.client import Client
from ligan.web.guard import AT_ONCE, PREFER_HEADER, TOKEN_HEADER, bearer
from ligan.web.http.route import Address, Secured
from ligan.wire.job import Challenge, ChallengeAnswer, Done
from master_daemon.state.jobs import Job
from master_daemon.supervisor.launch import Launcher
from master_daemon.tunnel.reach import Direct, Reach

_AT_ONCE = 4
"""Calls to one job: a page makes two or three, and a job that hangs must not hold every thread of the daemon."""


class Lines:
    """Clients by (nonce, address), made when first asked for. `trust`: whose certificates jobs show that speak TLS."""

    def __init__(self, launcher: Launcher, reach: Reach | None = None, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust
        self._launcher = launcher
        self._reach = reach or Direct()
        self._clients: dict[tuple[str, str], Client] = {}
        self._challenged: set[str] = set()
        self._lock = threading.Lock()

    def to(self, job: Job) -> Client:
        """The line to a job that has registered."""
        key = (job.nonce, job.url)
        if key not in self._clients:
            headers = {TOKEN_HEADER: bearer(self._launcher.token(job)), PREFER_HEADER: AT_ONCE}
            self._clients[key] = Client(self.url(job), headers, at_once=_AT_ONCE, peer=self._peer(job))
        return self._clients[key]

    def url(self, job: Job) -> str:
        """Where a job that has registered is reached from here."""
        return self._reach.url(job)

    def address(self, job: Job) -> Address:
        """The same for the gateway; nobody else is believed there than a job that speaks TLS."""
        return _address(self.url(job), self._peer(job))

    def _peer(self, job: Job) -> Peer | None:
        return Peer(self._trust, name_of(job.nonce)) if job.tls and self._trust is not None else None

    def dismiss(self, job: Job) -> bool:
        """Tell a job that it may go; False when it does not answer."""
        headers = {TOKEN_HEADER: bearer(self._launcher.token(job))}
        try:
            client = Client(self.url(job), headers, timeout_s=DISMISS_TIMEOUT, peer=self._peer(job))
            client.post("/leave", Done(), Done)
        except Problem:
            return False
        finally:
            self._reach.drop(job)
        return True

    def drop(self, job: Job) -> None:
        line = self._clients.pop((job.nonce, job.url), None)
        if line is not None:
            line.close()
        self._reach.drop(job)

    def challenge(self, job: Job, host: str, port: int) -> None:
        """Ask an address to prove that it holds the job's token, which itself is not sent (promise 6).

        Raises Problem `not-authorised` when it does not, `unreachable` when nobody answers, or while another address of
        the job is asked: a job that names silent ones without end holds one of the daemon's threads, and no more.
        """
        claimed = replace(job, host=host, port=port)
        with self._alone(job):
            try:
                self._challenge(claimed)
            except Problem:
                self._reach.drop(claimed)
                raise

    @contextmanager
    def _alone(self, job: Job) -> Iterator[None]:
        with self._lock:
            if job.nonce in self._challenged:
                raise Problem("unreachable", "An address of this job is being asked already; try again in a moment.")
            self._challenged.add(job.nonce)
        try:
            yield
        finally:
            self._challenged.discard(job.nonce)

    def _challenge(self, claimed: Job) -> None:
        challenge = Challenge(challenge=secrets.token_hex(16))
        given = Client(self.url(claimed), peer=self._peer(claimed)).post("/challenge", challenge, ChallengeAnswer)
        if not matches(given.answer, answer(self._launcher.token(claimed), challenge.challenge)):
            raise Problem("not-authorised", "The address does not belong to the job that registers it.")


@lru_cache(256)
def _address(url: str, peer: Peer | None) -> Address:
    """Raises Problem `unreachable` for a job that speaks TLS when nobody knows any more whose certificate it shows."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    if peer is not None:
        return Secured(host, port, peer)
    if parts.scheme != "http":
        raise Problem("unreachable", "The installation's authority is gone; this part is replaced in a moment.")
    return host, port
