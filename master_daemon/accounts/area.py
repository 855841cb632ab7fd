"""Which paths are for whom. Pure."""

from __future__ import annotations

from enum import Enum, auto

LOGIN = "/login"
LOGOUT = "/logout"
ACCOUNT = "/api/v1/account"
_OPERATORS = ("/operator", "/api/v1/admin", "/metrics", "/api/v1/jobs")


class Area(Enum):
    """Who gets in."""

    ANYBODY = auto()
    """The login pages."""
    OPERATORS = auto()
    """Also who is not logged in: the operator's token is checked there."""
    USERS = auto()


def area_of(path: str) -> Area:
    """By the path as it came, not decoded: what is written in an odd way is for users."""
    if _within(path, LOGIN) or path == LOGOUT:
        return Area.ANYBODY
    return Area.OPERATORS if any(_within(path, root) for root in _OPERATORS) else Area.USERS


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")
