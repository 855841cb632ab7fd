"""What backends report of their tasks. A report of an attempt that has ended or is another's changes nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select, update

from ligan.ids import new_id
from ligan.problem import Problem, ProblemDocument
from ligan.wire.event import EventName, Progressed, Resulted
from ligan.wire.image import Origin
from ligan.wire.job import ReportedCheckpoint, ReportedImage, ReportedPreview, ReportedProgress, ReportedResult
from ligan.wire.task import ResultImage, TaskOrder, TaskResult, TaskState
from master_daemon.state import attempts, events, images
from master_daemon.state.database import Transaction
from master_daemon.state.jobs import Job
from master_daemon.state.placing import ATTEMPT_THERE, attempt_there
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import tasks
from master_daemon.state.tasks import Draft, drop_preview, end, store_done

_NO_IMAGES = TaskResult().model_dump_json()
_HELD = Prepared(select(tasks.c.task_id, tasks.c.attempt, tasks.c.session_key).where(*ATTEMPT_THERE))
_UPDATE = update(tasks).where(*ATTEMPT_THERE).returning(tasks.c.session_key)
"""Finds and changes in one: no row where the attempt is not that backend's any more."""
_CHECKPOINT = Prepared(_UPDATE.values(checkpoint=bindparam("sha256"), losses=0))
_PREVIEW = Prepared(_UPDATE, "preview", "preview_sha256", "preview_seq")
_BEFORE = Prepared(select(tasks).where(*ATTEMPT_THERE))
_PROGRESS = Prepared(
    _UPDATE.where(tasks.c.seq < bindparam("newer")).values(
        state=TaskState.RUNNING.value, sent=True, seq=bindparam("newer")
    ),
    *("percent", "eta_s"),
)
_FINISH = Prepared(
    _UPDATE.values(state=TaskState.DONE.value, percent=100.0, eta_s=None).returning(tasks.c.preview),
    *("result", "ended_at"),
)


def progress(transaction: Transaction, job: Job, report: ReportedProgress, now: float) -> None:
    """Record and publish progress. A late or doubled report (smaller `seq`) changes nothing.

    Raises Problem `stale-report`.
    """
    values = {"newer": report.seq, "percent": report.percent, "eta_s": report.eta_s}
    row = _PROGRESS.first(transaction.connection, _there(job, report) | values)
    if row is None:
        _held(transaction, report.task_id, report.attempt, job.nonce)
        return
    message = Progressed(task_id=report.task_id, percent=report.percent, eta_s=report.eta_s)
    events.append(transaction, row.session_key, EventName.ON_PROGRESS, message, now)


def preview(transaction: Transaction, job: Job, report: ReportedPreview, now: float) -> str | None:
    """Publish the newest picture of what a task came to; the one before is no image of the session any more.

    A late or doubled report (smaller `seq`) changes nothing. Returns the artifact that it replaced, if any.
    Raises Problem `stale-report`.
    """
    before = _before(transaction, job, report)
    if report.seq <= before.preview_seq:
        return None
    picture = ResultImage(image_id=new_id("i"), width=report.width, height=report.height)
    values = {"preview_seq": report.seq, "preview": picture.model_dump_json(), "preview_sha256": report.sha256}
    _PREVIEW.one(transaction.connection, _there(job, report) | values)
    drop_preview(transaction, before.preview)
    size = (report.width, report.height)
    images.add(transaction, before.session_key, report.sha256, size, Origin.TASK, now, image_id=picture.image_id)
    message = Progressed(task_id=report.task_id, percent=before.percent, eta_s=before.eta_s, preview=picture)
    events.append(transaction, before.session_key, EventName.ON_PROGRESS, message, now)
    return before.preview_sha256 if before.preview_sha256 != report.sha256 else None


def checkpoint(transaction: Transaction, job: Job, report: ReportedCheckpoint) -> str | None:
    """Remember from where the next attempt resumes. Returns the artifact that it replaced, if any.

    Raises Problem `stale-report`.
    """
    before = _before(transaction, job, report)
    if _CHECKPOINT.first(transaction.connection, _there(job, report) | {"sha256": report.sha256}) is None:
        raise _stale()
    return before.checkpoint if before.checkpoint != report.sha256 else None


def finish(transaction: Transaction, job: Job, report: ReportedResult, now: float) -> None:
    """Store the result, its images and the terminal event in this one transaction. Raises Problem `stale-report`."""
    pictures = [_named(image) for image in report.images]
    result = {"result": TaskResult(images=pictures).model_dump_json(), "ended_at": now}
    row = _FINISH.first(transaction.connection, _there(job, report) | result)
    if row is None:
        raise _stale()
    drop_preview(transaction, row.preview)
    for image, picture in zip(report.images, pictures, strict=True):
        size = (image.width, image.height)
        key, by = row.session_key, image.weights
        images.add(transaction, key, image.sha256, size, Origin.TASK, now, image_id=picture.image_id, weights=by)
    attempts.end(transaction, report.task_id, report.attempt, "done", now)
    message = Resulted(task_id=report.task_id, images=pictures)
    events.append(transaction, row.session_key, EventName.ON_RESULT, message, now)


def add_done(transaction: Transaction, new: Draft, nonce: str) -> None:
    """A new task with its end: its backend did it in a moment, in its first attempt, and it has no images."""
    now = new.created_at
    store_done(transaction, new, nonce, _NO_IMAGES, now)
    attempts.done_at_once(transaction, new.task_id, nonce, now)
    events.append(transaction, new.key, EventName.ON_RESULT, Resulted(task_id=new.task_id, images=[]), now)


def fail(transaction: Transaction, job: Job, task_id: str, attempt: int, problem: ProblemDocument, now: float) -> None:
    """End the task as the backend that has it says. Raises Problem `stale-report`."""
    end(transaction, _held(transaction, task_id, attempt, job.nonce), problem, now)


def refuse(transaction: Transaction, order: TaskOrder, nonce: str, problem: ProblemDocument, now: float) -> None:
    """End a task that its backend did not take."""
    row = _HELD.first(transaction.connection, attempt_there(order.task_id, order.attempt, nonce))
    if row is not None:
        end(transaction, row, problem, now)


def _named(image: ReportedImage) -> ResultImage:
    size = {"width": image.width, "height": image.height}
    return ResultImage(image_id=new_id("i"), **size, caption=image.caption, flags=image.flags)


def _before(transaction: Transaction, job: Job, report: ReportedCheckpoint | ReportedPreview) -> Any:  # noqa: ANN401 (a row)
    """The task as it is so far."""
    row = _BEFORE.first(transaction.connection, _there(job, report))
    if row is None:
        raise _stale()
    return row


def _there(
    job: Job, report: ReportedProgress | ReportedCheckpoint | ReportedPreview | ReportedResult
) -> dict[str, object]:
    return attempt_there(report.task_id, report.attempt, job.nonce)


def _held(transaction: Transaction, task_id: str, attempt: int, nonce: str) -> Any:  # noqa: ANN401 (a row)
    row = _HELD.first(transaction.connection, attempt_there(task_id, attempt, nonce))
    if row is None:
        raise _stale()
    return row


def _stale() -> Problem:
    return Problem("stale-report", "The task has ended, or another backend has it; forget about it.")
