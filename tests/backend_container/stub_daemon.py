"""A daemon of one job: challenges it as it registers, keeps artifacts, notes every call in order."""

from __future__ import annotations

import threading

import requests
from flask import Flask, request

from backend_container import png
from ligan import PROTOCOL
from ligan.identity import answer
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.web.app import problem_response, reply
from ligan.web.client import Client
from ligan.web.guard import JOB_HEADER, bearer
from ligan.web.serving import listen
from ligan.wire.job import Bootstrap, Challenge, ChallengeAnswer, Done, Register
from tests.ligan.stub import wait_until


class StubDaemon:
    def __init__(self):
        self.nonce, self.token = new_id(), new_id()
        self.calls, self.artifacts = [], {}
        self.refusal: Problem | None = None
        self.refused = []
        self.backend: Client | None = None
        self.proven = False
        self._lock = threading.Lock()
        self.server = listen(self._app(), "127.0.0.1")
        self.server.start()

    def bootstrap(self, **changes):
        return Bootstrap(
            role="backend",
            nonce=self.nonce,
            instance_id="s-" + "0" * 22,
            token=self.token,
            daemon_url=f"http://127.0.0.1:{self.server.port}",
            orphan_lease_s=30,
            protocol=PROTOCOL,
            **changes,
        )

    def named(self, *names):
        """Bodies of the calls of these names, in order."""
        with self._lock:
            return [body for name, body in self.calls if name in names]

    def wait_for(self, name, count=1):
        wait_until(lambda: len(self.named(name)) >= count, f"{count} calls of {name}; so far {self._names()}", 60)
        return self.named(name)

    def _names(self):
        with self._lock:
            return [name for name, _ in self.calls]

    def _app(self):
        app = Flask("stub-daemon")
        app.config["MAX_CONTENT_LENGTH"] = 1 << 25
        app.register_error_handler(Problem, lambda problem: problem_response(problem.document))
        app.before_request(self._check)
        app.add_url_rule("/cluster/v1/<name>", view_func=self._note, methods=["POST"])
        app.add_url_rule("/cluster/v1/artifacts/<sha256>", view_func=self._put, methods=["PUT"])
        app.add_url_rule("/cluster/v1/artifacts/<sha256>", "get", self._get)
        return app

    def _check(self):
        if (request.headers["Authorization"], request.headers[JOB_HEADER]) != (bearer(self.token), self.nonce):
            raise Problem("not-authorised", "wrong token")
        if self.refusal is not None:
            self.refused.append(request.path)
            raise self.refusal

    def _note(self, name):
        if name == "register":
            self._challenge(Register.model_validate(request.get_json()))
        with self._lock:
            self.calls.append((name, request.get_json()))
        return reply(Done())

    def _challenge(self, register):
        address = f"http://{register.host}:{register.port}"
        stranger = requests.get(f"{address}/tasks", timeout=10)
        challenge = Challenge(challenge=new_id())
        self.backend = Client(address, {"Authorization": bearer(self.token)})
        given = Client(address).post("/challenge", challenge, ChallengeAnswer).answer
        self.proven = given == answer(self.token, challenge.challenge) and stranger.status_code == 403

    def _put(self, sha256):
        data = request.get_data()
        assert png.sha256(data) == sha256
        self.artifacts[sha256] = data
        return reply(Done())

    def _get(self, sha256):
        return self.artifacts[sha256]
