"""What backends report of their tasks (cluster-local, /cluster/v1)."""

from __future__ import annotations

from functools import partial

from flask import Response

from ligan.problem import Problem
from ligan.web.app import APIBlueprint
from ligan.wire.job import Done, ReportedCheckpoint, ReportedError, ReportedProgress, ReportedResult
from master_daemon.api.asked import Asked, respond
from master_daemon.api.caller import BACKENDS, Claim, admit, check_token, claim
from master_daemon.parts import Parts
from master_daemon.state import reports
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats


def reports_api(parts: Parts) -> APIBlueprint:
    """Routes for backends, each with its own token."""
    api = APIBlueprint("reports", __name__, url_prefix="/cluster/v1")

    @api.post("/on-progress", summary="A task got on", responses={"200": Done})
    def on_progress(body: ReportedProgress) -> Response:
        return respond(progressed(parts, claim(), body))

    @api.post("/on-result", summary="A task is done; its images are artifacts already", responses={"200": Done})
    def on_result(body: ReportedResult) -> Response:
        return respond(resulted(parts, claim(), body))

    @api.post("/on-error", summary="A task failed or was cancelled", responses={"200": Done})
    def on_error(body: ReportedError) -> Response:
        return respond(failed(parts, claim(), body))

    @api.post("/on-checkpoint", summary="From where another backend could go on", responses={"200": Done})
    def on_checkpoint(body: ReportedCheckpoint) -> Response:
        """The artifact is here already. It replaces the task's last one."""
        return respond(kept(parts, claim(), body))

    return api


# Each is one transaction, in which the caller's job is looked up, too. They raise Problem: not-authorised,
# stale-report, and malformed-request for artifacts that are not here.


def progressed(parts: Parts, claimed: Claim, report: ReportedProgress) -> Asked:
    check_token(parts, claimed, *BACKENDS)
    with parts.database.write() as transaction:
        reports.progress(transaction, _backend(parts, transaction, claimed), report, parts.now())
    return Asked(Done())


def resulted(parts: Parts, claimed: Claim, report: ReportedResult) -> Asked:
    check_token(parts, claimed, *BACKENDS)
    missing = [image.sha256 for image in report.images if not parts.artifacts.has(image.sha256)]
    with parts.database.write() as transaction:
        job = _backend(parts, transaction, claimed)
        if missing:
            raise Problem("malformed-request", f"Send these artifacts first: {', '.join(missing)}.")
        reports.finish(transaction, job, report, parts.now())
        return _and_go_on(parts, transaction, job)


def failed(parts: Parts, claimed: Claim, report: ReportedError) -> Asked:
    check_token(parts, claimed, *BACKENDS)
    with parts.database.write() as transaction:
        job = _backend(parts, transaction, claimed)
        reports.fail(transaction, job, report.task_id, report.attempt, report.problem, parts.now())
        return _and_go_on(parts, transaction, job)


def kept(parts: Parts, claimed: Claim, report: ReportedCheckpoint) -> Asked:
    check_token(parts, claimed, *BACKENDS)
    with parts.database.write() as transaction:
        job = _backend(parts, transaction, claimed)
        if not parts.artifacts.has(report.sha256):
            raise Problem("malformed-request", f"Send this artifact first: {report.sha256}.")
        reports.checkpoint(transaction, job, report)
    return Asked(Done())


def _backend(parts: Parts, transaction: Transaction, claimed: Claim) -> Job:
    return admit(parts, transaction.connection, claimed, *BACKENDS)


def _and_go_on(parts: Parts, transaction: Transaction, job: Job) -> Asked:
    """The backend has room for another task."""
    parcels = parts.delivery.assign(transaction, parts.now(), job.seat if seats.is_session(job.seat) else None)
    if not job.ready:
        transaction.then.append(parts.supervisor.wake)  # it may have done its last one
    return Asked(Done(), then=partial(parts.delivery.deliver_each, parcels))
