"""A job's side of its life: read the bootstrap document, answer the daemon, beat, and end when it stays away."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable

from flask import Flask, Response, request
from pydantic import ValidationError

from ligan.doorbell import announce
from ligan.identity import answer
from ligan.intervals import CALL_TIMEOUT, HEARTBEAT
from ligan.problem import Problem
from ligan.tls.contexts import DAEMON, serving, trusting
from ligan.tls.peer import Peer
from ligan.web.app import invalid, reply
from ligan.web.client import Client
from ligan.web.guard import JOB_HEADER, TOKEN_HEADER, bearer, guard
from ligan.web.serving import Server
from ligan.wire.job import Bootstrap, Challenge, ChallengeAnswer, Done, Heartbeat

log = logging.getLogger(__name__)
PUBLIC = frozenset({"/challenge", "/healthz"})
"""Paths of a job's server that need no token."""


def parse_bootstrap(text: str, role: str) -> Bootstrap:
    """The job's document as it came on standard input.

    Raises SystemExit, in words that never show the token, when there is none or it is not one of this role.
    """
    if not text.strip():
        raise SystemExit("No bootstrap document on standard input. Jobs are started by the daemon: run `ligan up`.")
    try:
        bootstrap = Bootstrap.model_validate_json(text)
    except ValidationError as error:
        # Pydantic's own text would print the document, token and all.
        raise SystemExit(f"The bootstrap document is not valid: {invalid(error).document.detail}") from None
    if bootstrap.role != role:
        raise SystemExit(f"This is a {role}; the bootstrap document is for a {bootstrap.role}.")
    return bootstrap


def server_tls(bootstrap: Bootstrap) -> ssl.SSLContext | None:
    """What the job's server shows to its callers; None where they come over loopback."""
    tls = bootstrap.tls
    return None if tls is None else serving(tls.certificate, tls.key.get_secret_value())


def daemon_line(bootstrap: Bootstrap, headers: dict[str, str], timeout_s: float = CALL_TIMEOUT) -> Client:
    """To the daemon's API for jobs, and over TLS to nobody else who answers at its address."""
    shown = {TOKEN_HEADER: bearer(bootstrap.token.get_secret_value()), JOB_HEADER: bootstrap.nonce, **headers}
    peer = None if bootstrap.tls is None else Peer(trusting(bootstrap.tls.authority), DAEMON)
    return Client(bootstrap.daemon_url.rstrip("/") + "/cluster/v1", shown, timeout_s, peer=peer)


class Home:
    """The job's line to the daemon that started it."""

    def __init__(self, bootstrap: Bootstrap) -> None:
        self.bootstrap = bootstrap
        self.token = bootstrap.token.get_secret_value()
        """Of this job: what the daemon shows it, and it the daemon."""
        self.client = daemon_line(bootstrap, {})
        self._dismissed = threading.Event()

    def admit(self, app: Flask) -> None:
        """Guard the job's application and let it answer the daemon's challenge."""
        guard(app, self.token, PUBLIC)
        app.add_url_rule("/challenge", view_func=self._answer, methods=["POST"])
        app.add_url_rule("/leave", view_func=self._dismiss, methods=["POST"])
        app.add_url_rule("/healthz", view_func=lambda: reply(Done()), endpoint="healthz")

    def _answer(self) -> Response:
        try:
            challenge = Challenge.model_validate_json(request.get_data())
        except ValidationError as error:
            raise invalid(error) from error
        return reply(ChallengeAnswer(answer=answer(self.token, challenge.challenge)))

    def _dismiss(self) -> Response:
        """The daemon has no more use for this job: it may go at once, which spares the scheduler a cancel."""
        self._dismissed.set()
        return reply(Done())

    def register(self, server: Server) -> None:
        """Tell the daemon where `server` listens, which runs and answers its challenge; as `doorbell.announce`."""
        announce(json.loads(self.bootstrap.model_dump_json()), server.port)

    def beat(self, pulse: Callable[[], Heartbeat], stop: Callable[[], None]) -> None:
        """Send `pulse()` every HEARTBEAT seconds from a thread; call `stop` when the daemon refuses, stays away or has
        no more use for the job.
        """
        threading.Thread(target=self._beat, args=(pulse, stop), name="heartbeat", daemon=True).start()

    def _beat(self, pulse: Callable[[], Heartbeat], stop: Callable[[], None]) -> None:
        heard = time.monotonic()
        while not self._dismissed.is_set():
            try:
                self.client.post("/heartbeat", pulse(), Done)
                heard = time.monotonic()
            except Problem as problem:
                log.warning("heartbeat: %s", problem)
                # The daemon is there and says no: this job is not its own any more. Or it has stayed away; judged after
                # a try, so that a job that was frozen for a while is not ended for the daemon's silence.
                if _refused(problem) or time.monotonic() - heard > self.bootstrap.orphan_lease_s:
                    break
            self._dismissed.wait(HEARTBEAT)
        stop()


def _refused(problem: Problem) -> bool:
    """Did the daemon say no? A fault of its own (5xx) says nothing of this job and passes."""
    return problem.status < 500
