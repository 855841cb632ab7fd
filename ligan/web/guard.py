"""The headers that the parts call each other with, and who is let in by them."""

from __future__ import annotations

from flask import Flask, request

from ligan.identity import matches
from ligan.problem import Problem

TOKEN_HEADER = "Authorization"  # noqa: S105 (a header's name)
JOB_HEADER = "X-Ligan-Job"
FRONTEND_HEADER = "X-Ligan-Frontend"
SESSION_HEADER = "X-Ligan-Session"
PREFER_HEADER = "Prefer"
AT_ONCE = "wait=1"
"""Its value (RFC 7240, section 4.3) by a caller who takes what is done at once with the answer, and no report of it."""
PRIVATE_PREFIX = "x-ligan-"
"""Headers of ours between the parts; the gateway drops any that a browser sends."""


def bearer(token: str) -> str:
    """Value of the Authorization header (RFC 6750, section 2.1)."""
    return f"Bearer {token}"


def session_id() -> str:
    """ID of the page's session, as the gateway says. Raises Problem `no-session`."""
    given = request.headers.get(SESSION_HEADER, "")
    if not given:
        raise Problem("no-session", "Open the start page first: its answer sets the session's cookie.")
    return given


def guard(app: Flask, token: str, public: frozenset[str] = frozenset()) -> None:
    """Refuse every request that does not carry `token`, but for the paths in `public`."""

    @app.before_request
    def check() -> None:
        if request.path in public:
            return
        check_daemon(request.headers.get(TOKEN_HEADER, ""), token)


def check_daemon(authorization: str, token: str) -> None:
    """Raises Problem `not-authorised` unless the header's value shows `token`."""
    if not matches(authorization, bearer(token)):
        raise Problem("not-authorised", "This address is for the LiGAN daemon that started this job.")
