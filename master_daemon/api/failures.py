"""A failing disk or database at the API's edge: a problem that says what to do."""

from __future__ import annotations

import logging

from flask import Response
from sqlalchemy.exc import DBAPIError

from ligan.web.app import OpenAPI, problem_response, unexpected
from master_daemon.state.lease import FencedError
from master_daemon.state.trouble import storage_problem

log = logging.getLogger(__name__)


def answer_storage_problems(app: OpenAPI) -> None:
    """Let `app` answer them as problem documents."""
    for kind in (OSError, DBAPIError, FencedError):
        app.register_error_handler(kind, _answer)


def _answer(error: Exception) -> Response:
    problem = storage_problem(error)
    if problem is None:
        return unexpected(error)
    log.warning("%s: %s", problem.slug, error)
    return problem_response(problem.document)
