"""The daemon as the frontend sees it: remembers what it is asked, and refuses when told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, request

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.web.app import problem_response, reply
from ligan.wire.image import Face, FaceState, Upload
from ligan.wire.job import Done
from tests.ligan.stub import stub_app


@dataclass
class StubDaemon:
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """(method, path, JSON message or bytes or query) of every call."""
    artifacts: dict[str, bytes] = field(default_factory=dict)
    refusing: str = ""

    def app(self) -> Flask:
        app = stub_app()
        app.before_request(self._note)
        app.add_url_rule("/cluster/v1/artifacts/<sha256>", view_func=self._put, methods=["PUT"])
        app.add_url_rule("/cluster/v1/images", view_func=self._image, methods=["POST"])
        return app

    def _note(self) -> Response | None:
        message = request.get_json(silent=True) or dict(request.args) or request.get_data()
        self.asked.append((request.method, request.path.removeprefix("/cluster/v1"), message))
        return problem_response(Problem(self.refusing, "The daemon says no.").document) if self.refusing else None

    def _put(self, sha256: str) -> Response:
        self.artifacts[sha256] = request.get_data()
        return reply(Done())

    def _image(self) -> Response:
        size = request.get_json()
        face = Face(state=FaceState.PENDING)
        return reply(Upload(image_id=new_id("i"), width=size["width"], height=size["height"], face=face), 201)
