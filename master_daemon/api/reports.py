"""What backends report of their tasks (cluster-local, /cluster/v1)."""

from __future__ import annotations

from functools import partial

from flask import Response

from ligan.intervals import CHECKPOINT, REFINE_PREVIEW
from ligan.problem import Problem
from ligan.web.app import APIBlueprint
from ligan.wire.job import Done, ReportedCheckpoint, ReportedError, ReportedPreview, ReportedProgress, ReportedResult
from master_daemon.api.asked import Asked, respond
from master_daemon.api.caller import BACKENDS, Claim, admit, check_token, claim
from master_daemon.parts import Parts
from master_daemon.state import reports, retention
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

    @api.post("/on-preview", summary="A picture of what a task came to so far", responses={"200": Done})
    def on_preview(body: ReportedPreview) -> Response:
        """The artifact is here already. It replaces the task's last one, and is gone when the task has ended."""
        return respond(previewed(parts, claim(), body))

    return api


# Each is one transaction, in which the caller's job is looked up, too. They raise Problem: not-authorised,
# stale-report, and malformed-request for artifacts that are not here.


def progressed(parts: Parts, claimed: Claim, report: ReportedProgress) -> Asked:
    check_token(parts, claimed, *BACKENDS)
    with parts.database.write(may_lag=True) as transaction:
        transaction.lags = True
        reports.progress(transaction, _backend(parts, transaction, claimed), report, parts.now())
    return Asked(Done())


def resulted(parts: Parts, claimed: Claim, report: ReportedResult) -> Asked:
    check_token(parts, claimed, *BACKENDS)
    named = {name for image in report.images for name in (image.sha256, image.weights) if name is not None}
    missing = sorted(name for name in named if not parts.artifacts.has(name))
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
        _require(parts, report.sha256)
        replaced = reports.checkpoint(transaction, job, report)
    return Asked(Done(), then=partial(_drop, parts, replaced, parts.now() - CHECKPOINT / 2))


def previewed(parts: Parts, claimed: Claim, report: ReportedPreview) -> Asked:
    check_token(parts, claimed, *BACKENDS)
    with parts.database.write() as transaction:
        job = _backend(parts, transaction, claimed)
        _require(parts, report.sha256)
        replaced = reports.preview(transaction, job, report, parts.now())
    return Asked(Done(), then=partial(_drop, parts, replaced, parts.now() - REFINE_PREVIEW / 2))


def _require(parts: Parts, sha256: str) -> None:
    if not parts.artifacts.has(sha256):
        raise Problem("malformed-request", f"Send this artifact first: {sha256}.")


def _drop(parts: Parts, sha256: str | None, stored_before: float) -> None:
    """Unlink an artifact that was replaced, if nobody else has it.

    Bytes that came since `stored_before` (Unix seconds) may be about to be named by another; the sweeper looks later.
    """
    if sha256 is None:
        return
    with parts.database.read() as connection:
        unneeded = retention.unneeded(connection, sha256)
    if unneeded:
        parts.artifacts.remove(parts.artifacts.path(sha256), stored_before)


def _backend(parts: Parts, transaction: Transaction, claimed: Claim) -> Job:
    return admit(parts, transaction.connection, claimed, *BACKENDS)


def _and_go_on(parts: Parts, transaction: Transaction, job: Job) -> Asked:
    """The backend has room for another task."""
    parcels = parts.delivery.assign(transaction, parts.now(), job.seat if seats.is_session(job.seat) else None)
    if not job.ready:
        transaction.then.append(parts.supervisor.wake)  # it may have done its last one
    return Asked(Done(), then=partial(parts.delivery.deliver_each, parcels))
