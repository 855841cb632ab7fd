"""What backends report of their tasks (cluster-local, /cluster/v1)."""

from __future__ import annotations

from flask import Response

from ligan.problem import Problem
from ligan.web.app import APIBlueprint, reply
from ligan.wire.job import Done, ReportedCheckpoint, ReportedError, ReportedProgress, ReportedResult
from master_daemon.api.caller import calling_backend
from master_daemon.parts import Parts
from master_daemon.state import tasks
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats


def reports_api(parts: Parts) -> APIBlueprint:
    """Routes for backends, each with its own token."""
    api = APIBlueprint("reports", __name__, url_prefix="/cluster/v1")

    @api.post("/on-progress", summary="A task got on", responses={"200": Done})
    def on_progress(body: ReportedProgress) -> Response:
        job = calling_backend(parts)
        with parts.database.write() as transaction:
            tasks.progress(transaction, job, body, parts.now())
        return reply(Done())

    @api.post("/on-result", summary="A task is done; its images are artifacts already", responses={"200": Done})
    def on_result(body: ReportedResult) -> Response:
        job = calling_backend(parts)
        missing = [image.sha256 for image in body.images if not parts.artifacts.has(image.sha256)]
        if missing:
            raise Problem("malformed-request", f"Send these artifacts first: {', '.join(missing)}.")
        with parts.database.write() as transaction:
            tasks.finish(transaction, job, body, parts.now())
            _go_on(parts, transaction, job)
        return reply(Done())

    @api.post("/on-error", summary="A task failed or was cancelled", responses={"200": Done})
    def on_error(body: ReportedError) -> Response:
        job = calling_backend(parts)
        with parts.database.write() as transaction:
            tasks.fail(transaction, job, body.task_id, body.attempt, body.problem, parts.now())
            _go_on(parts, transaction, job)
        return reply(Done())

    @api.post("/on-checkpoint", summary="From where another backend could go on", responses={"200": Done})
    def on_checkpoint(body: ReportedCheckpoint) -> Response:
        """The artifact is here already. It replaces the task's last one."""
        job = calling_backend(parts)
        if not parts.artifacts.has(body.sha256):
            raise Problem("malformed-request", f"Send this artifact first: {body.sha256}.")
        with parts.database.write() as transaction:
            tasks.checkpoint(transaction, job, body)
        return reply(Done())

    return api


def _go_on(parts: Parts, transaction: Transaction, job: Job) -> None:
    """The backend has room for another task."""
    parts.delivery.place(transaction, parts.now(), job.seat if seats.is_session(job.seat) else None)
    if not job.ready:
        transaction.then.append(parts.supervisor.wake)  # it may have done its last one
