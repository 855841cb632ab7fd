"""The public port: knows sessions, says which way each request goes, and thinks nothing itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial

from ligan.intervals import MAX_BODY, VISIT
from ligan.problem import Problem
from ligan.web.guard import FRONTEND_HEADER, PRIVATE_PREFIX, SESSION_HEADER, TOKEN_HEADER, bearer
from ligan.web.http.answer import Answer
from ligan.web.http.fields import Fields
from ligan.web.http.head import AnswerHead, RequestHead
from ligan.web.http.passed import Carried
from ligan.web.http.route import Address, File, Pass, Route
from master_daemon.accounts import pending
from master_daemon.accounts.caller import CALLER_HEADER, By, Caller, Refusal, written
from master_daemon.api.caller import GATEWAY_HEADER, gateway_token
from master_daemon.api.developer import developer_of
from master_daemon.api.express import PNG, Express
from master_daemon.api.login import PENDING_HEADER
from master_daemon.api.public import SEND_HEADER
from master_daemon.parts import Parts
from master_daemon.state.jobs import Job
from master_daemon.trials.stream import trial_stream
from master_daemon.tunnel.cookie import set_cookie
from master_daemon.tunnel.destination import Destination, destination_of
from master_daemon.tunnel.hub import Hub
from master_daemon.tunnel.known import Known, Serving
from master_daemon.tunnel.refused import refused
from master_daemon.tunnel.stream import stream

ALWAYS: Fields = (
    (b"server", b"LiGAN"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
        b"frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'",
    ),
)
"""What every answer says, unless it says otherwise itself."""
_NOT_CARRIED = frozenset({b"cookie", b"authorization"})
"""Not the other servers' business: they are told the session, or the caller, in a header of ours."""
_NO_VISIT = frozenset(
    {Destination.EVENTS, Destination.OPERATOR, Destination.LOGIN, Destination.ACCOUNT, Destination.JOB_EVENTS}
)
"""Requests by which nobody shows that they use their backend; an open stream says so itself."""
_IMAGE = re.compile(r"/api/v1/images/(i-[0-9a-z]{22})")
_STARTING = b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<title>LiGAN is starting</title></head><body><h1>LiGAN is starting</h1>
<p>The web server is on its way; this page reloads by itself.</p></body></html>"""
_TOKEN = TOKEN_HEADER.lower().encode()
_SEND = SEND_HEADER.lower().encode()
_ACCOUNT_BODY = 64 * 1024
"""Bytes of a login form or an order about an account."""


class Gateway:
    """Routes of the public port. The daemon's own Flask API listens at `api`, and for logins at `logins`."""

    def __init__(self, parts: Parts, hub: Hub, api: Address, logins: Address) -> None:
        self._parts = parts
        self._hub = hub
        self._api, self._logins = api, logins
        self._authenticator = parts.accounts.authenticator
        private = self._authenticator.private_headers
        self._carried = Carried(_NOT_CARRIED | private, private=PRIVATE_PREFIX.encode())
        self._express = Express(parts)
        self._frontend: tuple[Job | None, Serving | None] = (None, None)
        self._shown = _line(GATEWAY_HEADER, gateway_token(parts.secret))
        self._routes: dict[Destination, Callable[[RequestHead, Caller], Route | Awaitable[Route]]] = {
            Destination.START: self._start,
            Destination.EVENTS: self._events,
            Destination.IMAGE: self._image,
            Destination.OWN: self._own,
            Destination.LOGIN: partial(self._account, self._logins),
            Destination.ACCOUNT: partial(self._account, self._api),
            Destination.OPERATOR: self._operator,
            Destination.JOB_EVENTS: self._job_events,
            Destination.FRONTEND: self._to_frontend,
        }

    def route(self, head: RequestHead) -> Route | Awaitable[Route]:
        """Synchronous for a caller who is known. Raises Problem."""
        now, known = self._parts.now(), head.note
        if not isinstance(known, Known) or known.epoch != self._authenticator.epoch:
            return self._anew(head, now)
        caller = self._authenticator.again(known.caller, head, now)
        if caller is not known.caller:
            return self._anew(head, now) if caller is None else self._admit(head, caller, known.destination, now)
        if known.destination is not Destination.FRONTEND:
            return self._admit(head, known.caller, known.destination, now)
        if not 0 <= now - known.visited_at < VISIT:  # not even where the clock was set back
            known.visited_at = now
            self._visited(known.caller, known.destination, now)
        return self._frontend_again(head, known)

    def _anew(self, head: RequestHead, now: float) -> Route | Awaitable[Route]:
        epoch = self._authenticator.epoch
        caller = self._authenticator.known(head, now)
        if caller is None:
            return self._when_known(head)
        destination = destination_of(head)
        head.note = None
        if isinstance(caller, Caller) and self._authenticator.lasts(caller, head):
            head.note = Known(epoch, caller, destination)
        return self._admit(head, caller, destination, now)

    async def _when_known(self, head: RequestHead) -> Route:
        now = self._parts.now()
        caller = await asyncio.to_thread(self._authenticator.who, head, now)
        route = self._admit(head, caller, destination_of(head), now)
        return await route if isinstance(route, Awaitable) else route

    def _admit(
        self, head: RequestHead, caller: Caller | Refusal, destination: Destination, now: float
    ) -> Route | Awaitable[Route]:
        if isinstance(caller, Refusal):
            return refused(head, caller)
        self._visited(caller, destination, now)
        return self._routes[destination](head, caller)

    def _visited(self, caller: Caller, destination: Destination, now: float) -> None:
        if caller.session_key and destination not in _NO_VISIT:
            self._parts.presence.touch(caller.session_key, now)

    # The ways ------------------------------------------------------------------------------------------------------

    async def _start(self, head: RequestHead, caller: Caller) -> Route:
        """The start page: every load gets a session ID of its own, which inherits what the last one had."""
        if caller.by is By.TOKEN:
            return self._to_frontend(head, caller)
        sealed = await asyncio.to_thread(self._parts.accounts.open_page, caller, self._parts.now())
        cookie = set_cookie(sealed, caller.secure)
        return self._to_frontend(head, caller, ((b"set-cookie", cookie.encode()),))

    def _events(self, head: RequestHead, caller: Caller) -> Route:
        if not caller.session_key:
            raise Problem("no-session", "Open the start page first: its answer sets the session's cookie.")
        return stream(self._parts, self._hub, caller.session_key, head.get(b"last-event-id") or "")

    def _image(self, head: RequestHead, caller: Caller) -> Route | Awaitable[Route]:
        named = _IMAGE.fullmatch(head.target)
        if named is None or head.method != "GET" or not caller.session_id or head.chunked or head.content_length:
            return self._to_api(caller, self._artifact)
        return self._express.image(caller.session_id, named[1])

    def _artifact(self, answer: AnswerHead) -> File | None:
        """No byte of an image passes Flask, which says only which it is."""
        sha256 = answer.get(_SEND)
        return None if sha256 is None else File(self._parts.artifacts.path(sha256), PNG)

    def _own(self, head: RequestHead, caller: Caller) -> Route:
        return self._express.public(head, caller.session_id or None) or self._to_api(caller)

    def _to_api(self, caller: Caller, instead: Callable[[AnswerHead], File | None] | None = None) -> Pass:
        ours = self._shown + _told(caller.session_id) + _told_who(caller)
        return Pass(self._api, self._carried, MAX_BODY, ours, instead=instead)

    def _account(self, to: Address, head: RequestHead, caller: Caller) -> Route:
        begun = _line(PENDING_HEADER, head.cookie(pending.name_of(caller.secure)) or "")
        return Pass(to, self._carried, _ACCOUNT_BODY, self._shown + _told_who(caller) + begun)

    def _operator(self, head: RequestHead, caller: Caller) -> Route:
        given = "" if caller.by is By.TOKEN else head.get(_TOKEN) or ""
        ours = self._shown + _told_who(caller) + _line(TOKEN_HEADER, given)
        return Pass(self._api, self._carried, MAX_BODY, ours)

    async def _job_events(self, head: RequestHead, caller: Caller) -> Route:
        developer = developer_of(self._parts, caller, head.get(_TOKEN) or "")
        trial_id = head.path.split("/")[-2]
        await asyncio.to_thread(self._parts.trials.look, developer, trial_id, self._parts.now())
        return trial_stream(self._parts, self._hub, trial_id, head.get(b"last-event-id") or "")

    def _to_frontend(self, head: RequestHead, caller: Caller, answer_fields: Fields = ()) -> Route:
        serving = self._serving()
        return _not_ready(head, answer_fields) if serving is None else self._pass(serving, caller, answer_fields)

    def _frontend_again(self, head: RequestHead, known: Known) -> Route:
        """The same route as the last time, if the same frontend serves."""
        serving = self._serving()
        if serving is None:
            return _not_ready(head, ())
        if known.route is None or known.serving is not serving:
            known.serving, known.route = serving, self._pass(serving, known.caller)
        return known.route

    def _pass(self, serving: Serving, caller: Caller, answer_fields: Fields = ()) -> Pass:
        ours, hint = serving.proof + _told(caller.session_id), self._parts.supervisor.hint
        return Pass(serving.to, self._carried, MAX_BODY, ours, answer_fields, on_unreachable=hint)

    def _serving(self) -> Serving | None:
        """The frontend; the same object for as long as nothing of it has changed."""
        job = self._parts.supervisor.frontend
        seen, serving = self._frontend
        if job is not seen:
            now = self._look(job)
            serving = serving if now == serving else now
            self._frontend = job, serving
        return serving

    def _look(self, job: Job | None) -> Serving | None:
        if job is None or not job.ready:
            return None
        proof = _line(TOKEN_HEADER, bearer(self._parts.launcher.token(job))) + _line(FRONTEND_HEADER, job.instance_id)
        return Serving(self._parts.lines.address(job), proof)


def _told(session_id: str) -> bytes:
    return _line(SESSION_HEADER, session_id) if session_id else b""


@lru_cache(256)  # of pages that call Flask just now; each load of a page is another caller
def _told_who(caller: Caller) -> bytes:
    return _line(CALLER_HEADER, written(caller))


def _line(name: str, value: str) -> bytes:
    """A header line of ours."""
    return f"{name.lower()}: {value}\r\n".encode("latin-1")


def _not_ready(head: RequestHead, fields: Fields) -> Route:
    if "text/html" in (head.get(b"accept") or ""):
        html = (b"content-type", b"text/html; charset=utf-8")
        return Answer(503, _STARTING, (html, (b"retry-after", b"1"), *fields))
    raise Problem("frontend-not-ready", "The web server is starting or changing places; try again in a moment.")
