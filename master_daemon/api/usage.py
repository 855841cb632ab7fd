"""GPU hours by user and day, for operators."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from ligan.web.app import APIBlueprint, reply
from ligan.wire.usage import MAX_DAYS, Usage
from master_daemon.api.user_caller import check_operator
from master_daemon.observe import usage
from master_daemon.parts import Parts


class Window(BaseModel):
    days: int = Field(30, ge=1, le=MAX_DAYS, description="How many, today included")


_CSV = {"description": "day, user_id, name, gpu_hours", "content": {"text/csv": {"schema": {"type": "string"}}}}


def usage_api(parts: Parts) -> APIBlueprint:
    """Routes for operators."""
    api = APIBlueprint("usage", __name__, url_prefix="/api/v1/admin")
    api.before_request(lambda: check_operator(parts) and None)

    @api.get("/usage", summary="GPU hours by user and day", responses={"200": Usage})
    def show(query: Window) -> Response:
        return reply(_read(parts, query))

    @api.get("/usage.csv", summary="The same as a table", responses={"200": _CSV})
    def table(query: Window) -> Response:
        answer = Response(usage.as_csv(_read(parts, query)), mimetype="text/csv")
        answer.headers["Content-Disposition"] = f'attachment; filename="ligan-usage-{query.days}-days.csv"'
        return answer

    return api


def _read(parts: Parts, window: Window) -> Usage:
    with parts.database.read() as connection:
        return usage.read(connection, window.days, parts.now())
