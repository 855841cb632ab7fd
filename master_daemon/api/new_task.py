"""A new task: checked, stored and placed in one transaction."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from ligan.intervals import MAX_OPEN_TASKS
from ligan.problem import Problem
from ligan.wire.image import ImageRef
from ligan.wire.task import NewTask, TaskCreated
from master_daemon.accounts import allowance
from master_daemon.api.asked import Asked
from master_daemon.observe import maintenance
from master_daemon.parts import Parts
from master_daemon.state import images, sessions, tasks
from master_daemon.state.sessions import Asker
from master_daemon.supervisor.early import Early


def take(parts: Parts, session_id: str, new: NewTask) -> Asked:
    """Store a session's task. It is durable; what is left to do is to deliver it, for which the page need not wait.

    Raises Problem: unknown-task-kind, invalid-parameters, no-session, backend-not-ready, queue-full, unknown-image.
    """
    form = parts.descriptions.forms.find(new.kind)
    form.check(new.params)
    named = form.images(new.params)
    early = Early(parts.delivery, session_id)
    ahead = None if named else partial(early.send_ahead, new.kind, new.params)
    with early, parts.database.write(ahead, may_lag=early.expects_light(new.kind)) as transaction:
        asker = _asking(parts, transaction.connection, session_id)
        refs = _refs(transaction.connection, asker.key, named)
        task = tasks.draft(asker.key, form.kind, new.params, refs, parts.now())
        task_id = early.take(transaction, task, only=not asker.open_tasks)
    return Asked(TaskCreated(task_id=task_id), 202, early.finish)


def _asking(parts: Parts, connection: Connection, session_id: str) -> Asker:
    """A session that may have another task."""
    asker = sessions.asker(connection, session_id)
    if not asker.wants_backend:
        raise Problem("backend-not-ready", "Ask for a backend first: POST /api/v1/start-of-interaction.")
    if asker.open_tasks >= MAX_OPEN_TASKS:
        raise Problem("queue-full", f"{MAX_OPEN_TASKS} tasks are waiting already; wait for one or cancel one.")
    maintenance.check_task(connection, parts.now())
    allowance.check_task(connection, parts.settings, asker.key)
    return asker


def _refs(connection: Connection, key: str, image_ids: list[str]) -> list[ImageRef]:
    """The images that the parameters name, each the session's own. Raises Problem `unknown-image`."""
    return [images.ref(connection, key, image_id) for image_id in image_ids]
