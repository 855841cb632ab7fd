"""What a caller hears who gets no further: a person is sent to the login page, a script gets the problem."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from ligan.web.http.answer import Answer, problem_answer
from ligan.web.http.head import RequestHead
from master_daemon.accounts.area import LOGIN
from master_daemon.accounts.caller import Refusal

_UNAUTHORISED = 401


def refused(head: RequestHead, refusal: Refusal) -> Answer:
    """The answer to a request that the accounts refuse."""
    if refusal.login and head.method in ("GET", "HEAD") and "text/html" in (head.get(b"accept") or ""):
        address = f"{LOGIN}?{urlencode({'next': head.target})}".encode()
        return Answer(303, b"", ((b"location", address), (b"cache-control", b"no-store")))
    answer = problem_answer(refusal.problem)
    if answer.status != _UNAUTHORISED:
        return answer
    return replace(
        answer, headers=(*answer.headers, (b"www-authenticate", b'Bearer realm="LiGAN"'))
    )  # RFC 9110, 15.5.2
