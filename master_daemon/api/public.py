"""What pages reach through the gateway without passing the frontend: session, backend, images."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel

from ligan.ids import ImageId
from ligan.problem import Problem
from ligan.web.app import APIBlueprint, reply
from ligan.web.guard import session_id
from ligan.wire.job import Done
from ligan.wire.session import Session
from master_daemon.accounts.caller import By
from master_daemon.api.caller import calling_session, check_gateway
from master_daemon.api.user_caller import caller
from master_daemon.parts import Parts
from master_daemon.state import images, sessions
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

    @api.get("/session", summary="The page's session and its backend", responses={"200": Session})
    def show() -> Response:
        return reply(session(parts, session_id()))

    @api.delete("/session", summary="Erase the session with all it had", responses={"202": Done})
    def erase() -> Response:
        """Tasks and backends end; photos, results and events are gone. The next load of the page begins anew."""
        _, key = calling_session(parts)
        now = parts.now()
        parts.sweeper.erase(key, _PAGE, now, lambda transaction: parts.supervisor.clear_out(transaction, key, now))
        answer = reply(Done(), 202)
        who = caller(parts)
        if who.by is By.NOTHING:  # who is logged in stays so
            answer.headers["Set-Cookie"] = clear_cookie(who.secure)
        answer.headers["Clear-Site-Data"] = '"cache"'  # images may be kept for an hour otherwise
        return answer

    @api.post("/start-of-interaction", summary="Ask for a backend", responses={"200": Session})
    def start_of_interaction() -> Response:
        """Makes sure that the session has a backend or that one is on its way. Calling it again changes nothing."""
        asking, key = calling_session(parts)
        parts.supervisor.want_backend(key, parts.now())
        return reply(session(parts, asking))

    @api.get("/images/<image_id>", summary="An image of this session", responses={"200": _PNG})
    def image(path: ImagePath) -> Response:
        sha256 = artifact_of(parts, session_id(), path.image_id)
        return Response(status=200, headers={SEND_HEADER: sha256}, mimetype="image/png")

    return api


def artifact_of(parts: Parts, asking: str, image_id: str) -> str:
    """SHA-256 of an image of the session with the ID `asking`. Raises Problem: no-session, unknown-image."""
    with parts.database.read() as connection:
        sha256 = images.ref(connection, sessions.key_of(connection, asking), image_id).sha256
    if not parts.artifacts.has(sha256):
        raise Problem("unknown-image", "The image's file is gone; generate it again.")
    return sha256


def session(parts: Parts, asking: str) -> Session:
    """The session with the ID `asking`, and its backend. Raises Problem `no-session`."""
    with parts.database.read() as connection:
        backend = parts.supervisor.views.of(connection, sessions.key_of(connection, asking))
    return Session(session_id=asking, backend=backend)


_PNG = {"description": "The image", "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
