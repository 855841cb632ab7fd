"""Which paths are for whom. Pure."""

from __future__ import annotations

from enum import Enum, auto

LOGIN = "/login"
LOGOUT = "/logout"
ACCOUNT = "/api/v1/account"
_OPERATORS = ("/operator", "/api/v1/admin", "/metrics", "/api/v1/jobs")
_BELOW_OPERATORS = tuple(f"{root}/" for root in _OPERATORS)
_BELOW_LOGIN = f"{LOGIN}/"


class Area(Enum):
    """Who gets in."""

    ANYBODY = auto()
    """The login pages."""
    OPERATORS = auto()
    """Also who is not logged in: the operator's token is checked there."""
    USERS = auto()


def area_of(path: str) -> Area:
    """By the path as it came, not decoded: what is written in an odd way is for users."""
    if path in (LOGIN, LOGOUT) or path.startswith(_BELOW_LOGIN):
        return Area.ANYBODY
    return Area.OPERATORS if path in _OPERATORS or path.startswith(_BELOW_OPERATORS) else Area.USERS
