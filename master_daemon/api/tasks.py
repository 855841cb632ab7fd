"""A page's tasks (/api/v1/tasks), through the gateway."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel

from ligan.ids import TaskId
from ligan.problem import Problem
from ligan.web.app import APIBlueprint, reply
from ligan.web.guard import session_id
from ligan.wire.task import NewTask, Task, TaskCreated, Tasks
from master_daemon.api import new_task
from master_daemon.api.asked import respond
from master_daemon.api.caller import calling_session, check_gateway
from master_daemon.parts import Parts
from master_daemon.state import sessions, tasks


class TaskPath(BaseModel):
    task_id: TaskId


def tasks_api(parts: Parts) -> APIBlueprint:
    """Routes under /api/v1 that need the session's cookie."""
    api = APIBlueprint("tasks", __name__, url_prefix="/api/v1")
    api.before_request(lambda: check_gateway(parts))

    @api.post("/tasks", summary="A new task", responses={"202": TaskCreated})
    def new(body: NewTask) -> Response:
        """`GET tasks/kinds` lists the kinds with the JSON Schemas of their parameters."""
        return respond(new_task.take(parts, session_id(), body))

    @api.get("/tasks", summary="This session's tasks, oldest first", responses={"200": Tasks})
    def every() -> Response:
        _, key = calling_session(parts)
        with parts.database.read() as connection:
            return reply(Tasks(tasks=tasks.of_session(connection, key)))

    @api.get("/tasks/<task_id>", summary="One task", responses={"200": Task})
    def one(path: TaskPath) -> Response:
        return reply(task(parts, session_id(), path.task_id))

    @api.delete("/tasks/<task_id>", summary="Cancel a task", responses={"202": Task})
    def cancel(path: TaskPath) -> Response:
        asking, key = calling_session(parts)
        parts.delivery.cancel(key, path.task_id)
        return reply(task(parts, asking, path.task_id), 202)

    @api.post("/tasks/<task_id>/stop", summary="End a task early and keep what it came to", responses={"202": Task})
    def stop(path: TaskPath) -> Response:
        """For kinds that say `stoppable`. A task that runs ends within seconds, with an ordinary result; one that has
        not begun is cancelled. Asking again changes nothing; a task that has ended is a problem (`task-ended`).
        """
        asking, key = calling_session(parts)
        found = task(parts, asking, path.task_id)
        if not parts.descriptions.forms.find(found.kind).kind.stoppable:
            raise Problem("not-stoppable", "This kind of task has nothing to keep before its end; cancel it instead.")
        parts.delivery.stop(key, path.task_id)
        return reply(task(parts, asking, path.task_id), 202)

    return api


def task(parts: Parts, asking: str, task_id: str) -> Task:
    """A task of the session with the ID `asking`. Raises Problem: no-session, unknown-task."""
    with parts.database.read() as connection:
        return tasks.get(connection, sessions.key_of(connection, asking), task_id)
