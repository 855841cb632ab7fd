"""What became of a ticket, as the report that the daemon gets."""

from __future__ import annotations

import logging
from concurrent.futures import Future

from backend_container.queue import Stop, Ticket
from backend_container.reporter import Report
from ligan.problem import Problem
from ligan.wire.event import EventName
from ligan.wire.job import ReportedError

log = logging.getLogger(__name__)


def outcome(ticket: Ticket, future: Future[Report]) -> Report | None:
    """The result of a settled future, or the problem that stopped it; None where the daemon shall hear nothing.

    That is when it has taken the task back, and when the backend leaves before the task was done: it goes on elsewhere.
    Nothing is raised.
    """
    if ticket.stop is Stop.TAKEN_BACK or (ticket.stop is Stop.LEAVING and not _done(future)):
        return None
    if future.cancelled():
        return _failure(
            ticket, Problem("cancelled", "The task was cancelled before it began; start it again if it is wanted.")
        )
    error = future.exception()
    return future.result() if error is None else _failure(ticket, _problem(ticket, error))


def _done(future: Future[Report]) -> bool:
    return not future.cancelled() and future.exception() is None


def _failure(ticket: Ticket, problem: Problem) -> Report:
    message = ReportedError(task_id=ticket.order.task_id, attempt=ticket.order.attempt, problem=problem.document)
    return Report(f"/{EventName.ON_ERROR}", message, supersedes=ticket.key)


def _problem(ticket: Ticket, error: BaseException) -> Problem:
    if isinstance(error, Problem):
        return error
    log.error("%s (%s) failed unexpectedly", ticket.order.task_id, ticket.order.kind, exc_info=error)
    return Problem(
        "internal-error",
        f"The task failed with {type(error).__name__}; the backend's log says where. Try it once more.",
    )
