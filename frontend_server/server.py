"""The frontend's application: the web UI and what its pages ask, passed on to the daemon."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from flask import Response, request, send_from_directory
from flask_openapi3 import FileStorage
from pydantic import BaseModel, Field
from werkzeug import datastructures

from frontend_server.photo import read_photo
from ligan.identity import matches
from ligan.intervals import MAX_BODY
from ligan.job import PUBLIC
from ligan.problem import Problem, invalid_parameters
from ligan.web.app import APIBlueprint, OpenAPI, make_app, reply
from ligan.web.client import Client
from ligan.web.guard import FRONTEND_HEADER, session_id
from ligan.wire.image import NewImage, Upload
from ligan.wire.task import TaskKinds

STATIC = Path(__file__).parent / "static"
_READING = threading.BoundedSemaphore(max(2, len(os.sched_getaffinity(0))))
"""Photos decoded at once, each with up to 150 MB: more would only take memory, and pages wait for the same cores."""


class UploadForm(BaseModel):
    """multipart/form-data; a file name is never used for anything."""

    file: FileStorage = Field(description="The photo")
    face: int | None = Field(None, ge=1, le=99, description="Which face, counted from the left, when there are several")


Kinds = Callable[[], TaskKinds]


def make_frontend(daemon: Client, kinds: Kinds, frontend_id: str) -> OpenAPI:
    """The application. `daemon` is the line to the daemon's cluster-local API, `kinds` the registry as it tells it."""
    app = make_app(
        __name__,
        "LiGAN frontend server",
        "Uploads of the session whose page calls, and the kinds of tasks. Errors are problem documents (RFC 9457).",
        MAX_BODY,
    )
    app.before_request(lambda: _check_frontend_id(frontend_id))
    app.register_api(_api(daemon, kinds))
    app.add_url_rule("/", view_func=_index)
    app.add_url_rule("/<path:name>", view_func=_static)
    return app


def _check_frontend_id(frontend_id: str) -> None:
    if request.path not in PUBLIC and not matches(request.headers.get(FRONTEND_HEADER, ""), frontend_id):
        raise Problem("not-authorised", "The frontend is reached through the daemon's public port only.")


def _api(daemon: Client, kinds: Kinds) -> APIBlueprint:
    api = APIBlueprint("api", __name__, url_prefix="/api/v1")

    @api.post("/uploads", summary="A photo", responses={"201": Upload})
    def upload(form: UploadForm) -> Response:
        """Takes JPEG, PNG, WebP, TIFF, BMP, GIF and HEIC of up to 25 MB and 50 million pixels."""
        asking = session_id()
        with _READING:
            photo = read_photo(_file().stream)
        sha256 = hashlib.sha256(photo.png).hexdigest()
        daemon.put_bytes(f"/artifacts/{sha256}", photo.png)
        new = NewImage(session_id=asking, sha256=sha256, width=photo.width, height=photo.height, face=form.face)
        return reply(_admit(daemon, new), 201)

    @api.get("/tasks/kinds", summary="The kinds of tasks with their parameters", responses={"200": TaskKinds})
    def task_kinds() -> Response:
        return reply(kinds())

    return api


def _file() -> datastructures.FileStorage:
    # The form's check lets a text field pass for a file.
    if "file" not in request.files:
        raise invalid_parameters([("file", "Send the photo as a file, not as text")])
    return request.files["file"]


def _admit(daemon: Client, new: NewImage) -> Upload:
    try:
        return daemon.post("/images", new, Upload)
    except Problem as problem:
        if problem.slug != "several-faces":
            raise
        # The faces' boxes count in pixels of our copy, which may be smaller than the file.
        raise problem.extended(width=new.width, height=new.height) from problem


def _index() -> Response:
    if not (STATIC / "index.html").exists():
        raise Problem("not-found", "The web UI is not built; run: make webui.")
    response = send_from_directory(STATIC, "index.html", max_age=0)
    response.headers["Cache-Control"] = "no-store"  # each load must reach the daemon, which sets the session's cookie
    return response


def _static(name: str) -> Response:
    # Built files carry a hash in their name, so that they never change.
    return send_from_directory(STATIC, name, max_age=31536000 if name.startswith("assets/") else 0)
