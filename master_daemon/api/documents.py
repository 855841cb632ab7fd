"""The API pages of all three servers, generated from their types and shown by Swagger UI from our own origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import flask_openapi3_swagger
from flask import Blueprint, Response, abort, send_from_directory
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ligan.web.app import PROBLEM_RESPONSES, OpenAPI, as_json, json_document
from ligan.wire.event import EventName, Failed, Progressed, Resulted
from ligan.wire.notice import Notices
from ligan.wire.session import Backend
from ligan.wire.trial import LogPart
from master_daemon.parts import Parts

_ASSETS = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"
_PAGES = {"master-daemon": "Master daemon", "frontend": "Frontend server", "backend": "Backend"}
EVENTS: dict[EventName, type[BaseModel]] = {
    EventName.ON_READY: Backend,
    EventName.ON_QUEUE: Backend,
    EventName.ON_PROGRESS: Progressed,
    EventName.ON_RESULT: Resulted,
    EventName.ON_ERROR: Failed,
    EventName.ON_NOTICE: Notices,
}


def documents(parts: Parts, app: OpenAPI) -> Blueprint:
    """/docs, and for each server /NAME-api-docs with its openapi.json."""
    pages = Blueprint("documents", __name__)

    @pages.get("/docs")
    def index() -> Response:
        links = "".join(f'<li><a href="/{name}-api-docs">{title} API</a></li>' for name, title in _PAGES.items())
        return Response(_INDEX.format(links=links), mimetype="text/html")

    @pages.get("/docs/assets/<path:name>")
    def asset(name: str) -> Response:
        return send_from_directory(_ASSETS, name, max_age=86400)

    @pages.get("/<name>-api-docs")
    def page(name: str) -> Response:
        if name not in _PAGES:
            abort(404)
        return Response(_PAGE.format(name=name, title=_PAGES[name]), mimetype="text/html")

    @pages.get("/<name>-api-docs/openapi.json")
    def document(name: str) -> Response:
        if name not in _PAGES:
            abort(404)
        return as_json(own_document(app) if name == "master-daemon" else parts.descriptions.openapi(name))

    @pages.get("/<name>-api-docs/page.js")
    def script(name: str) -> Response:
        return Response(_SCRIPT, mimetype="text/javascript")

    return pages


def own_document(app: OpenAPI) -> dict[str, Any]:
    """The daemon's OpenAPI document, with the event stream that its gateway serves."""
    document = dict(json_document(app))
    told: list[type[BaseModel]] = [*dict.fromkeys(EVENTS.values()), LogPart]
    refs, definitions = models_json_schema(
        [(message, "serialization") for message in told],
        ref_template="#/components/schemas/{model}",
    )
    schemas = {**definitions["$defs"], **document["components"]["schemas"]}
    stream = {
        "summary": "The session's events (Server-Sent Events)",
        "description": "Each but `on-notice` has an id; send the last one as Last-Event-ID to get what was missed.",
        "operationId": "events",
        "responses": _streams("A stream; `data` of each event by its name", {"oneOf": _each(refs, EVENTS.values())}),
    }
    paths = {**document["paths"], "/api/v1/events": {"get": stream}, **_job_events()}
    return {**document, "paths": paths, "components": {**document["components"], "schemas": schemas}}


def _each(refs: Mapping[Any, Any], messages: Iterable[type[BaseModel]]) -> list[Any]:
    return [refs[message, "serialization"] for message in dict.fromkeys(messages)]


def _job_events() -> dict[str, Any]:
    """The stream of one test job, which the gateway serves too."""
    shape = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Trial", "LogPart")]}
    stream = {
        "summary": "A test job's events (Server-Sent Events)",
        "description": "`job` (a Trial) when it moves and at its end, `log` (a LogPart) as it prints; it ends with the "
        "job. The id of a `log` is the offset after it: send the last one as Last-Event-ID to go on from there.",
        "operationId": "job_events",
        "parameters": [{"name": "trial_id", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": _streams("A stream", shape),
    }
    return {"/api/v1/jobs/{trial_id}/events": {"get": stream}}


def _streams(description: str, schema: Mapping[str, Any]) -> dict[Any, Any]:
    """Answers of a route that streams events, or says what is wrong."""
    stream = {"description": description, "content": {"text/event-stream": {"schema": schema}}}
    return {"200": stream, **PROBLEM_RESPONSES}


_INDEX = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>LiGAN: API pages</title>
<meta name="viewport" content="width=device-width"></head><body><main><h1>LiGAN: API pages</h1>
<p>Each page is generated from the types of the server that answers there.</p><ul>{links}</ul>
<p><a href="/">Back to LiGAN</a></p></main></body></html>"""

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>LiGAN: {title} API</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs/assets/css/swagger-ui.css">
</head><body><div id="page"></div><script src="/docs/assets/js/swagger-ui-bundle.js"></script>
<script src="/{name}-api-docs/page.js"></script></body></html>"""

_SCRIPT = """SwaggerUIBundle({url: location.pathname.replace(/\\/$/, '') + '/openapi.json', dom_id: '#page',
deepLinking: true, validatorUrl: null});"""
