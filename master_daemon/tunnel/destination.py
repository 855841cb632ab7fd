"""Where a request of the public port goes, by its method and path; pure."""

from __future__ import annotations

import re
from enum import Enum, auto

from ligan.web.http.head import RequestHead


class Destination(Enum):
    START = auto()
    """The start page, which gives a session."""
    EVENTS = auto()
    IMAGE = auto()
    OWN = auto()
    """The daemon's own API."""
    LOGIN = auto()
    """Logging in and out: the daemon's own too, but it may wait for a login provider."""
    ACCOUNT = auto()
    """The daemon's own too: the user's account."""
    OPERATOR = auto()
    """The daemon's own too, for users of that role and whoever holds the operator's token."""
    JOB_EVENTS = auto()
    """A test job's event stream, for developers."""
    FRONTEND = auto()
    """Everything else (the catch-all)."""


_READ = frozenset({"GET", "HEAD"})
_EXACT = {
    "/api/v1/session": Destination.OWN,
    "/api/v1/start-of-interaction": Destination.OWN,
    "/api/v1/tasks": Destination.OWN,
    "/api/v1/notices": Destination.OWN,
    "/login": Destination.LOGIN,
    "/logout": Destination.LOGIN,
    "/api/v1/account/logout": Destination.LOGIN,
    "/api/v1/account": Destination.ACCOUNT,
    "/metrics": Destination.OPERATOR,
    "/operator": Destination.OPERATOR,
    "/api/v1/jobs": Destination.OPERATOR,
}
_EXACT_READ = {"/": Destination.START, "/api/v1/events": Destination.EVENTS}
_MATCHED = (
    *(Destination.IMAGE, Destination.JOB_EVENTS, Destination.LOGIN, Destination.ACCOUNT),
    *(Destination.OPERATOR, Destination.OWN),
)
_PATTERN = re.compile(
    r"(?P<IMAGE>/api/v1/images/[^/]+)"
    r"|(?P<LOGIN>/login/.*)"
    r"|(?P<ACCOUNT>/api/v1/account/.*)"
    r"|(?P<JOB_EVENTS>/api/v1/jobs/[^/]+/events)"
    r"|(?P<OPERATOR>(/operator|/api/v1/admin|/api/v1/jobs)/.*)"
    r"|(?P<OWN>/api/v1/tasks/(?!kinds$)[^/]+|/api/v1/tasks/[^/]+/stop|/docs.*|/[a-z-]+-api-docs(/.*)?)"
)


def destination_of(head: RequestHead) -> Destination:
    """By the path as it was sent: nothing is decoded, and so nothing is read in two ways."""
    path = head.path
    read = head.method in _READ
    if found := _EXACT.get(path) or (_EXACT_READ.get(path) if read else None):
        return found
    matched = _PATTERN.fullmatch(path)
    if matched is None or (matched["IMAGE"] and not read):
        return Destination.FRONTEND
    return next(found for found in _MATCHED if matched[found.name])
