"""What pages reach through the gateway without passing the frontend: session, backend, images."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel

from ligan.ids import ImageId
from ligan.problem import Problem
from ligan.web.app import APIBlueprint, reply
from ligan.wire.job import Done
from ligan.wire.session import Session
from master_daemon.api.caller import calling_session, check_gateway
from master_daemon.parts import Parts
from master_daemon.state import images
from master_daemon.tunnel.cookie import clear_cookie

SEND_HEADER = "X-Ligan-Send-Artifact"
"""Tells the gateway to send that artifact in place of this answer: no byte of it passes Flask."""
_PAGE = "page"
"""Who erases, in the audit."""


class ImagePath(BaseModel):
    image_id: ImageId


def public_api(parts: Parts) -> APIBlueprint:
    """Routes under /api/v1 that need the session's cookie."""
    api = APIBlueprint("public", __name__, url_prefix="/api/v1")
    api.before_request(lambda: check_gateway(parts))

    def answer() -> Response:
        session_id, key = calling_session(parts)
        with parts.database.read() as connection:
            backend = parts.supervisor.views.of(connection, key)
        return reply(Session(session_id=session_id, backend=backend))

    @api.get("/session", summary="The page's session and its backend", responses={"200": Session})
    def session() -> Response:
        return answer()

    @api.delete("/session", summary="Erase the session with all it had", responses={"202": Done})
    def erase() -> Response:
        """Tasks and backends end; photos, results and events are gone. The next load of the page begins anew."""
        _, key = calling_session(parts)
        now = parts.now()
        parts.sweeper.erase(key, _PAGE, now, lambda transaction: parts.supervisor.clear_out(transaction, key, now))
        answer = reply(Done(), 202)
        answer.headers["Set-Cookie"] = clear_cookie()
        answer.headers["Clear-Site-Data"] = '"cache"'  # images may be kept for an hour otherwise
        return answer

    @api.post("/start-of-interaction", summary="Ask for a backend", responses={"200": Session})
    def start_of_interaction() -> Response:
        """Makes sure that the session has a backend or that one is on its way. Calling it again changes nothing."""
        _, key = calling_session(parts)
        parts.supervisor.want_backend(key, parts.now())
        return answer()

    @api.get("/images/<image_id>", summary="An image of this session", responses={"200": _PNG})
    def image(path: ImagePath) -> Response:
        _, key = calling_session(parts)
        with parts.database.read() as connection:
            sha256 = images.ref(connection, key, path.image_id).sha256
        if not parts.artifacts.has(sha256):
            raise Problem("unknown-image", "The image's file is gone; generate it again.")
        return Response(status=200, headers={SEND_HEADER: sha256}, mimetype="image/png")

    return api


_PNG = {"description": "The image", "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
