"""What the frontend server asks on behalf of a session: images, tasks, kinds (cluster-local, /cluster/v1)."""

from __future__ import annotations

from functools import partial

from flask import Response
from pydantic import BaseModel, JsonValue
from sqlalchemy import Connection

from ligan.ids import SessionId, TaskId
from ligan.intervals import MAX_OPEN_TASKS
from ligan.problem import Problem
from ligan.web.app import APIBlueprint, reply
from ligan.wire.image import Face, FaceState, ImageRef, Look, NewImage, Origin, Upload
from ligan.wire.task import IMAGE_FORMAT, SessionTask, Task, TaskCreated, TaskKind, TaskKinds, Tasks
from master_daemon.api.caller import calling_frontend
from master_daemon.parts import Parts
from master_daemon.state import images, jobs, sessions, tasks
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats


class TaskPath(BaseModel):
    task_id: TaskId


class OfSession(BaseModel):
    session_id: SessionId


def frontend_api(parts: Parts) -> APIBlueprint:
    """Routes for the frontend, with its token and frontend ID."""
    api = APIBlueprint("frontend", __name__, url_prefix="/cluster/v1")

    @api.get("/kinds", summary="The kinds of tasks", responses={"200": TaskKinds})
    def kinds() -> Response:
        calling_frontend(parts)
        return reply(parts.descriptions.kinds)

    @api.post("/images", summary="An uploaded photo, whose bytes are an artifact already", responses={"201": Upload})
    def new_image(body: NewImage) -> Response:
        calling_frontend(parts)
        return reply(_admit(parts, body), 201)

    @api.post("/tasks", summary="A new task of a session", responses={"202": TaskCreated})
    def new_task(body: SessionTask) -> Response:
        calling_frontend(parts)
        task_id, nonces = _store_task(parts, body)
        answer = reply(TaskCreated(task_id=task_id), 202)
        answer.call_on_close(partial(parts.delivery.deliver_each, nonces))  # it is durable; the page need not wait
        return answer

    @api.get("/tasks", summary="All tasks of a session", responses={"200": Tasks})
    def list_tasks(query: OfSession) -> Response:
        calling_frontend(parts)
        with parts.database.read() as connection:
            key = sessions.key_of(connection, query.session_id)
            return reply(Tasks(tasks=tasks.of_session(connection, key)))

    @api.get("/tasks/<task_id>", summary="One task of a session", responses={"200": Task})
    def get_task(path: TaskPath, query: OfSession) -> Response:
        calling_frontend(parts)
        return reply(_task(parts, query.session_id, path.task_id))

    @api.delete("/tasks/<task_id>", summary="Cancel a task of a session", responses={"202": Task})
    def cancel_task(path: TaskPath, query: OfSession) -> Response:
        calling_frontend(parts)
        with parts.database.read() as connection:
            key = sessions.key_of(connection, query.session_id)
        parts.delivery.cancel(key, path.task_id)
        return reply(_task(parts, query.session_id, path.task_id), 202)

    return api


def _task(parts: Parts, session_id: str, task_id: str) -> Task:
    with parts.database.read() as connection:
        return tasks.get(connection, sessions.key_of(connection, session_id), task_id)


def _admit(parts: Parts, new: NewImage) -> Upload:
    """Take the image in, and let the session's backend look for the face when it is ready to."""
    if not parts.artifacts.has(new.sha256):
        raise Problem("malformed-request", "Send the artifact first.")
    with parts.database.write() as transaction:
        key = sessions.key_of(transaction.connection, new.session_id)
        size = (new.width, new.height)
        image_id = images.add(transaction, key, new.sha256, size, Origin.UPLOAD, parts.now(), new.face)
    try:
        face = _look(parts, key, new)
    except Problem:
        with parts.database.write() as transaction:
            images.remove(transaction, image_id)
        raise
    return Upload(image_id=image_id, width=new.width, height=new.height, face=face)


def _look(parts: Parts, key: str, new: NewImage) -> Face:
    job = _looker(parts, key)
    if job is None:
        return Face(state=FaceState.PENDING)
    try:
        with parts.looks.asking(job.nonce, new.sha256):
            return parts.lines.to(job).post("/faces", Look(sha256=new.sha256, face=new.face), Face)
    except Problem as problem:
        if problem.slug in ("unreachable", "backend-not-ready"):
            return Face(state=FaceState.PENDING)
        raise


def _looker(parts: Parts, key: str) -> Job | None:
    """A ready backend for the session: its own, else a shared one on a cpu node."""
    with parts.database.read() as connection:
        own = parts.supervisor.views.serving(connection, key)
        shared = jobs.ready_with(connection, seats.CPU)
    return own if own is not None and own.ready else next(iter(shared), None)


def _store_task(parts: Parts, new: SessionTask) -> tuple[str, set[str]]:
    """ID of the task, now durable, and the backends that have room and to which it can be delivered."""
    kind = parts.descriptions.kinds.find(new.kind)
    with parts.database.write() as transaction:
        key = sessions.key_of(transaction.connection, new.session_id)
        _check_capacity(transaction.connection, key)
        refs = _image_refs(transaction.connection, key, kind, new.params)
        now = parts.now()
        task_id = tasks.add(transaction, key, kind, new.params, refs, now)
        return task_id, parts.delivery.assign(transaction, now, key)


def _check_capacity(connection: Connection, key: str) -> None:
    if not sessions.wants_backend(connection, key):
        raise Problem("backend-not-ready", "Ask for a backend first: POST /api/v1/start-of-interaction.")
    if tasks.open_count(connection, key) >= MAX_OPEN_TASKS:
        raise Problem("queue-full", f"{MAX_OPEN_TASKS} tasks are waiting already; wait for one or cancel one.")


def _image_refs(connection: Connection, key: str, kind: TaskKind, params: dict[str, JsonValue]) -> list[ImageRef]:
    """The images that the parameters name, each the session's own. Raises Problem `unknown-image`."""
    fields = kind.params.get("properties", {})
    names = [name for name, schema in fields.items() if schema.get("format") == IMAGE_FORMAT]
    given = [params[name] for name in names if isinstance(params.get(name), str)]
    return [images.ref(connection, key, str(image_id)) for image_id in dict.fromkeys(given)]
