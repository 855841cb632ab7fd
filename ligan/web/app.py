"""A Flask application whose every error is a problem document and whose API page is generated from its types."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from flask import Response, jsonify, make_response
from flask_openapi3 import APIBlueprint as PlainBlueprint
from flask_openapi3 import Info, OpenAPI
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

from ligan import __version__
from ligan.problem import MEDIA_TYPE, Problem, ProblemDocument, invalid_parameters

log = logging.getLogger(__name__)

_PROBLEM_CONTENT = {MEDIA_TYPE: {"schema": ProblemDocument.model_json_schema()}}
PROBLEM_RESPONSES: dict[str | int | HTTPStatus, Any] = {
    status: {"description": description, "content": _PROBLEM_CONTENT}
    for status, description in {
        "400": "Cannot be understood",
        "401": "No session, or no token",
        "403": "This caller may not do that",
        "404": "Unknown, or another session's",
        "409": "Does not fit how things are by now",
        "413": "Too large",
        "422": "Invalid parameters",
        "429": "Too many, or too often",
        "431": "Too large a head",
        "502": "Another part did not answer",
        "503": "Not ready yet",
        "507": "No room left",
    }.items()
}
_HTTP_SLUGS = {404: "not-found", 405: "method-not-allowed", 413: "file-too-large", 403: "not-authorised"}
_NO_OBJECT = "Input should be a JSON object, sent with Content-Type: application/json"

__all__ = ["PROBLEM_RESPONSES", "APIBlueprint", "OpenAPI", "make_app", "problem_response", "reply", "unexpected"]


class APIBlueprint(PlainBlueprint):
    """Routes of an API; each is documented with the problems that any of them may answer."""

    def __init__(self, name: str, import_name: str, url_prefix: str | None = None) -> None:
        super().__init__(name, import_name, url_prefix=url_prefix, abp_responses=PROBLEM_RESPONSES)


def make_app(name: str, title: str, description: str, max_body: int) -> OpenAPI:
    """The application of one server. `max_body` is the largest request body in bytes."""
    app = OpenAPI(
        name,
        info=Info(title=title, version=__version__, description=description),
        doc_ui=False,
        static_folder=None,
        responses=PROBLEM_RESPONSES,
        security_schemes={},  # its own default, null, is not OpenAPI
        validation_error_model=ProblemDocument,
        validation_error_callback=_invalid_request,
    )
    app.config["MAX_CONTENT_LENGTH"] = max_body
    app.register_error_handler(Problem, lambda problem: problem_response(problem.document))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RecursionError, _too_deep)
    app.register_error_handler(Exception, unexpected)
    return app


def reply(message: BaseModel, status: int = 200) -> Response:
    """A message as JSON."""
    return Response(message.model_dump_json(), status=status, mimetype="application/json")


def problem_response(document: ProblemDocument) -> Response:
    response = Response(document.model_dump_json(), status=document.status, mimetype=MEDIA_TYPE)
    if document.status in (429, 503):
        response.headers["Retry-After"] = str((document.model_extra or {}).get("retry_after_s", 2))
    return response


def invalid(error: ValidationError) -> Problem:
    """Pydantic's findings as one problem: a sentence each, with the parameter's place."""
    return invalid_parameters((".".join(map(str, e["loc"])) or "body", _finding(e)) for e in error.errors())


def _finding(error: ErrorDetails) -> str:
    return _NO_OBJECT if error["type"] == "model_type" and not error["loc"] else error["msg"]


def _invalid_request(error: ValidationError) -> Response:
    return problem_response(invalid(error).document)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None:  # a response that was raised, such as the answer to invalid parameters
        return make_response(error.response)
    slug = _HTTP_SLUGS.get(status, "malformed-request" if status < 500 else "internal-error")
    return problem_response(Problem(slug, error.description or HTTPStatus(status).phrase).document)


def too_deep() -> Problem:
    """What is said of JSON that Python's reader gives up on."""
    return Problem("malformed-request", "The JSON is nested too deeply to be meant.")


def _too_deep(_error: RecursionError) -> Response:
    return problem_response(too_deep().document)


def unexpected(error: Exception) -> Response:
    """The answer to a fault of ours, which is logged."""
    log.error("a request failed unexpectedly", exc_info=error)
    return problem_response(Problem("internal-error", "This is a fault of the service, not yours; try again.").document)


def json_document(app: OpenAPI) -> dict[str, Any]:
    """The application's OpenAPI document (3.1)."""
    document: dict[str, Any] = app.api_doc
    return document


def as_json(value: object) -> Response:
    return jsonify(value)
