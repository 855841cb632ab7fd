"""Announcements and maintenance: what operators order, and every page reads."""

from __future__ import annotations

from flask import Response

from ligan.web.app import APIBlueprint, reply
from ligan.wire.notice import AnnouncementOrder, MaintenanceOrder, Notices
from master_daemon.api.caller import check_gateway
from master_daemon.api.user_caller import check_operator
from master_daemon.observe import announcement, maintenance, notices
from master_daemon.parts import Parts
from master_daemon.state import audit

_SUBJECT = "installation"


def notices_api(parts: Parts) -> APIBlueprint:
    """Routes under /api/v1: reading is for everybody who has a page, ordering for operators."""
    api = APIBlueprint("notices", __name__, url_prefix="/api/v1")

    @api.get("/notices", summary="The announcement and the maintenance, if there are any", responses={"200": Notices})
    def show() -> Response:
        """Changes come as the event `on-notice`, with the same body and without an id."""
        check_gateway(parts)
        return reply(_read(parts))

    @api.get("/admin/notices", summary="The same, for operators", responses={"200": Notices})
    def show_operator() -> Response:
        check_operator(parts)
        return reply(_read(parts))

    @api.post("/admin/announcement", summary="Announce a text, or take it away", responses={"200": Notices})
    def announce(body: AnnouncementOrder) -> Response:
        actor, now = check_operator(parts), parts.now()
        with parts.database.write() as transaction:
            made = announcement.order(transaction, body, now)
            action = "announce" if made else "announcement off"
            detail = {"text": body.text, "level": body.level.value, "until": body.until} if made else {}
            audit.record(transaction, actor, action, _SUBJECT, now, **detail)
        return _told(parts)

    @api.post("/admin/maintenance", summary="Plan, begin or end a maintenance", responses={"200": Notices})
    def maintain(body: MaintenanceOrder) -> Response:
        """In it, no job is submitted but the web server's; running backends go on, or end when they are done."""
        actor, now = check_operator(parts), parts.now()
        with parts.database.write() as transaction:
            made = maintenance.order(transaction, body, now)
            action = "maintenance on" if made else "maintenance off"
            audit.record(transaction, actor, action, _SUBJECT, now, **(made.model_dump() if made else {}))
        parts.supervisor.wake()
        return _told(parts)

    return api


def _told(parts: Parts) -> Response:
    parts.notices.tell(parts.now())
    return reply(_read(parts))


def _read(parts: Parts) -> Notices:
    with parts.database.read() as connection:
        return notices.read(connection, parts.now())
