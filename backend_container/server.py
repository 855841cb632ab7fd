"""The backend's cluster-local API: typed routes over the desk."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request
from pydantic import Field

from backend_container.desk import Desk
from ligan.ids import TaskId
from ligan.web.app import APIBlueprint, OpenAPI, as_json, json_document, make_app, reply
from ligan.web.guard import AT_ONCE, PREFER_HEADER
from ligan.wire.base import Message
from ligan.wire.image import Face, Look
from ligan.wire.job import Done, Erased
from ligan.wire.task import TaskAccepted, TaskOrder, Tasks

MAX_BODY = 1 << 20
"""Bytes of a request: orders are small, images come as artifacts."""
_DESK = "ligan-desk"


class TaskPath(Message):
    task_id: TaskId


class AttemptQuery(Message):
    attempt: int | None = Field(None, ge=1, description="Take this attempt back, unreported")


class StopQuery(Message):
    attempt: int = Field(ge=1, description="This attempt alone")


def application(desk: Desk) -> OpenAPI:
    """The application of one backend, not guarded yet."""
    app = _make_app()
    app.extensions[_DESK] = desk
    return app


def document() -> dict[str, Any]:
    """The API's OpenAPI document."""
    return json_document(_make_app())


def _make_app() -> OpenAPI:
    app = make_app(
        "backend",
        "LiGAN backend",
        "Model work, in a job of its own. For the daemon that started the job: requests carry the job's token.",
        MAX_BODY,
    )
    app.register_api(_task_routes())
    app.register_api(_artifact_routes())
    return app


def _task_routes() -> APIBlueprint:
    routes = APIBlueprint("tasks", __name__)

    @routes.post("/tasks", summary="Queue a task", responses={202: TaskAccepted})
    def accept(body: TaskOrder) -> Response:
        """The same attempt sent again changes nothing. Models may still be loading: the task waits for them.

        A light task is done at once where nothing waits and the caller prefers that (`Prefer: wait=1`).
        """
        at_once = request.headers.get(PREFER_HEADER) == AT_ONCE
        return reply(_desk().accept(body, at_once), 202)

    @routes.get("/tasks", summary="Running and waiting tasks, in order", responses={200: Tasks})
    def tasks() -> Response:
        return reply(Tasks(tasks=_desk().tasks()))

    @routes.delete("/tasks/<task_id>", summary="Cancel a task", responses={202: Done})
    def cancel(path: TaskPath, query: AttemptQuery) -> Response:
        """A waiting task is taken out of the queue, a running one stops at its next step; `on-error` tells of both.

        With `attempt`, only that attempt ends, and nothing tells of it: the daemon has other plans for the task.
        """
        if query.attempt is None:
            _desk().cancel(path.task_id)
        else:
            _desk().take_back(path.task_id, query.attempt)
        return reply(Done(), 202)

    @routes.post("/tasks/<task_id>/stop", summary="End a task early and keep what it came to", responses={202: Done})
    def stop(path: TaskPath, query: StopQuery) -> Response:
        """It ends at its next step, with an ordinary result; asking again changes nothing."""
        _desk().stop(path.task_id, query.attempt)
        return reply(Done(), 202)

    return routes


def _artifact_routes() -> APIBlueprint:
    routes = APIBlueprint("artifacts", __name__)

    @routes.post("/erased", summary="Drop what was made of artifacts that were erased", responses={200: Done})
    def erased(body: Erased) -> Response:
        _desk().erased(body.artifacts)
        return reply(Done())

    @routes.post("/faces", summary="Look for faces on a photo", responses={200: Face})
    def faces(body: Look) -> Response:
        """The face that tasks would use. Faces in the background do not count; the others count from the left."""
        return reply(_desk().look(body))

    @routes.get("/openapi.json", summary="This document", doc_ui=False)
    def openapi() -> Response:
        return as_json(document())

    return routes


def _desk() -> Desk:
    desk: Desk = current_app.extensions[_DESK]
    return desk
