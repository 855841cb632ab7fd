"""The public port: an asyncio server that knows sessions, carries tunnel and events, and thinks nothing itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from aiohttp import ClientSession, web

from ligan.problem import Problem
from ligan.web.guard import FRONTEND_HEADER, SESSION_HEADER, TOKEN_HEADER, bearer
from master_daemon.api.caller import GATEWAY_HEADER, gateway_token
from master_daemon.api.public import SEND_HEADER
from master_daemon.parts import Parts
from master_daemon.state import sessions
from master_daemon.state.trouble import storage_problem
from master_daemon.tunnel import proxy
from master_daemon.tunnel.cookie import NAME, SessionCookie, set_cookie
from master_daemon.tunnel.hub import Hub
from master_daemon.tunnel.stream import stream

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# What the daemon's own API answers; everything else is the frontend's (the catch-all).
_OWN = (
    "/api/v1/session",
    "/api/v1/start-of-interaction",
    "/docs{_:.*}",
    "/{_:[a-z-]+-api-docs}{rest:(/.*)?}",
)
_OPERATORS = ("/metrics", "/operator{rest:(/.*)?}", "/api/v1/admin/{rest:.*}")
"""The daemon's own too, for whoever holds the operator's token; a session has no part in it."""
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'self'",
}
_KEPT_KEYS = 4096
"""Session IDs whose key is remembered; every load of the page makes a new one."""
_COOKIE = web.RequestKey("cookie", str)
_BEGUN = web.RequestKey("begun", bool)
_STARTING = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<title>LiGAN is starting</title></head><body><h1>LiGAN is starting</h1>
<p>The web server is on its way; this page reloads by itself.</p></body></html>"""


class Gateway:
    """Routes of the public port. `api_url` is where the daemon's own Flask API listens."""

    def __init__(self, parts: Parts, hub: Hub, api_url: str) -> None:
        self._parts = parts
        self._hub = hub
        self._api_url = api_url
        self._cookie = SessionCookie(parts.secret)
        self._keys: dict[str, str] = {}
        self._client: ClientSession | None = None

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_problems], client_max_size=0)
        app.cleanup_ctx.append(self._connected)
        app.router.add_get("/", self._page)
        app.router.add_get("/api/v1/events", self._events)
        app.router.add_get("/api/v1/images/{image_id}", self._image)
        for path in _OWN:
            app.router.add_route("*", path, self._own)
        for path in _OPERATORS:
            app.router.add_route("*", path, self._operator)
        app.router.add_route("*", "/{path:.*}", self._frontend)
        app.on_response_prepare.append(_secure)
        return app

    def forget(self, keys: Collection[str]) -> None:
        """These sessions are no more."""
        self._keys = {session_id: key for session_id, key in self._keys.items() if key not in keys}

    async def _connected(self, _app: web.Application) -> AsyncIterator[None]:
        self._client = proxy.connect()
        yield
        await self._client.close()

    # Handlers ------------------------------------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.StreamResponse:
        """The start page: every load gets a session ID of its own, which inherits what the last one had."""
        old_id = self._cookie.open(request.cookies.get(NAME))
        session_id = await asyncio.to_thread(self._renew, old_id, request.remote or "")
        request[_COOKIE] = self._cookie.seal(session_id)
        return await self._frontend(request)

    def _renew(self, old_id: str | None, address: str) -> str:
        """`address` stands for the user; behind another proxy all have the same."""
        with self._parts.database.write() as transaction:
            return sessions.renew(transaction, old_id, self._parts.now(), address)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        session_id = self._session_id(request)
        return await stream(request, self._parts, self._hub, await self._key(session_id))

    async def _image(self, request: web.Request) -> web.StreamResponse:
        async with await proxy.call(request, self._http, self._api_url, await self._own_headers(request)) as answer:
            sha256 = answer.headers.get(SEND_HEADER)
            if sha256 is None:
                return await proxy.relay(request, answer)
        headers = {"Content-Type": "image/png", "Cache-Control": "private, max-age=3600, immutable"}
        return web.FileResponse(self._parts.artifacts.path(sha256), headers=headers)

    async def _own(self, request: web.Request) -> web.StreamResponse:
        return await proxy.forward(request, self._http, self._api_url, await self._own_headers(request))

    async def _operator(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get(TOKEN_HEADER, "")
        headers = {GATEWAY_HEADER: gateway_token(self._parts.secret), TOKEN_HEADER: given}
        return await proxy.forward(request, self._http, self._api_url, headers)

    async def _frontend(self, request: web.Request) -> web.StreamResponse:
        job = self._parts.supervisor.frontend
        if job is None or not job.ready:
            return _not_ready(request)
        headers = {
            TOKEN_HEADER: bearer(self._parts.launcher.token(job)),
            FRONTEND_HEADER: job.instance_id,
            **await self._session_headers(request),
        }
        try:
            return await proxy.forward(request, self._http, self._parts.lines.url(job), headers)
        except Problem as problem:
            if problem.slug == "unreachable":
                self._parts.supervisor.hint()
            raise

    # What they need ------------------------------------------------------------------------------------------------

    @property
    def _http(self) -> ClientSession:
        assert self._client is not None  # noqa: S101 (made before the first request)
        return self._client

    async def _own_headers(self, request: web.Request) -> dict[str, str]:
        token = gateway_token(self._parts.secret)
        return {GATEWAY_HEADER: token, **await self._session_headers(request)}

    async def _session_headers(self, request: web.Request) -> dict[str, str]:
        session_id = self._cookie.open(request.cookies.get(NAME))
        if session_id is None:
            return {}
        try:
            key = await self._key(session_id)
        except Problem:
            return {}  # a cookie that outlived its session is as good as none: the start page gives a new one
        self._parts.presence.touch(key, self._parts.now())
        return {SESSION_HEADER: session_id}

    def _session_id(self, request: web.Request) -> str:
        session_id = self._cookie.open(request.cookies.get(NAME))
        if session_id is None:
            raise Problem("no-session", "Open the start page first: its answer sets the session's cookie.")
        return session_id

    async def _key(self, session_id: str) -> str:
        """The session's key, which never changes once it is issued. Raises Problem `no-session`."""
        key = self._keys.pop(session_id, "") or await asyncio.to_thread(self._read_key, session_id)
        self._keys[session_id] = key  # last: the most recently used
        if len(self._keys) > _KEPT_KEYS:
            del self._keys[next(iter(self._keys))]
        return key

    def _read_key(self, session_id: str) -> str:
        with self._parts.database.read() as connection:
            return sessions.key_of(connection, session_id)


def _not_ready(request: web.Request) -> web.StreamResponse:
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(text=_STARTING, status=503, content_type="text/html", headers={"Retry-After": "1"})
    raise Problem("frontend-not-ready", "The web server is starting or changing places; try again in a moment.")


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as problem:
        return proxy.problem_response(problem.document)
    except web.HTTPNotFound:
        return proxy.problem_response(Problem("not-found", "There is nothing at this address.").document)
    except web.HTTPException:
        raise
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception as error:
        known = storage_problem(error)
        log.log(logging.WARNING if known else logging.ERROR, "a request failed at the gateway", exc_info=error)
        if _BEGUN in request:  # a second answer would look like the rest of the first; a cut connection does not
            raise ConnectionResetError("the answer broke off") from error
        fault = Problem("internal-error", "This is a fault of the service, not yours; try again.")
        return proxy.problem_response((known or fault).document)


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    request[_BEGUN] = True
    for name, value in _SECURITY.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "LiGAN"
    if _COOKIE in request:  # as a header: at this point aiohttp has written its own cookies already
        response.headers.add("Set-Cookie", set_cookie(request[_COOKIE], request.secure))
