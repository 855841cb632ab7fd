"""The express way: hot calls answered without Flask, by the functions of Flask's routes, in the same words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import BaseModel

from ligan.web.front import SMALL, is_small, is_small_json
from ligan.web.guard import FRONTEND_HEADER, JOB_HEADER, TOKEN_HEADER
from ligan.web.http.answer import Answer
from ligan.web.http.fields import Fields
from ligan.web.http.head import RequestHead
from ligan.web.http.route import File, Whole
from ligan.web.http.threads import Crew
from ligan.web.reading import read
from ligan.wire.image import NewImage
from ligan.wire.job import Heartbeat, ReportedError, ReportedPreview, ReportedProgress, ReportedResult
from ligan.wire.task import NewTask
from master_daemon.api import artifacts, frontend, life, new_task, public, reports, tasks
from master_daemon.api.asked import Asked
from master_daemon.api.caller import Claim
from master_daemon.observe import logs
from master_daemon.parts import Parts

_JSON = ((b"content-type", b"application/json"),)
PNG: Fields = ((b"content-type", b"image/png"), (b"cache-control", b"private, max-age=3600, immutable"))
_TASK = re.compile(r"/api/v1/tasks/(t-[0-9a-z]{22})")
_JOB, _TOKEN = JOB_HEADER.lower().encode(), TOKEN_HEADER.lower().encode()
_FRONTEND = FRONTEND_HEADER.lower().encode()
_PHOTO = "/cluster/v1/images"
_ARTIFACT = re.compile(r"/cluster/v1/artifacts/([0-9a-f]{64})")
_REPORTS: dict[str, tuple[type[BaseModel], Callable[[Parts, Claim, Any], Asked]]] = {
    "/cluster/v1/on-progress": (ReportedProgress, reports.progressed),
    "/cluster/v1/on-preview": (ReportedPreview, reports.previewed),
    "/cluster/v1/on-result": (ReportedResult, reports.resulted),
    "/cluster/v1/on-error": (ReportedError, reports.failed),
    "/cluster/v1/heartbeat": (Heartbeat, life.heard),
}
"""What jobs say often: the message, and who takes it."""


class Express:
    """Looks a request up by its head. What it does not know, or what is not as usual, is for Flask."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def public(self, head: RequestHead, session_id: str | None) -> Whole | None:
        """A page's call through the gateway; `session_id` is of its cookie."""
        if session_id is None:
            return None
        asked = head.method, head.target
        if asked == ("POST", "/api/v1/tasks") and is_small_json(head):
            return _whole(lambda body: new_task.take(self._parts, session_id, read(NewTask, body)))
        if head.method != "GET" or head.chunked or head.content_length:
            return None
        if head.target == "/api/v1/session":
            return _whole(lambda _: Asked(public.session(self._parts, session_id)))
        named = _TASK.fullmatch(head.target)
        return named and _whole(lambda _: Asked(tasks.task(self._parts, session_id, named[1])))

    async def image(self, session_id: str, image_id: str) -> File:
        """The file of a page's image. Raises Problem."""
        parts = self._parts
        return File(parts.artifacts.path(await asyncio.to_thread(public.artifact_of, parts, session_id, image_id)), PNG)

    def cluster(self, head: RequestHead) -> Whole | None:
        """A job's call."""
        claimed = Claim(head.get(_JOB) or "", head.get(_TOKEN) or "")
        artifact = _ARTIFACT.fullmatch(head.target)
        if artifact and head.method == "PUT" and is_small(head):
            return _whole(lambda body: artifacts.stored(self._parts, claimed, artifact[1], body))
        if head.method != "POST" or not is_small_json(head):
            return None
        if head.target == _PHOTO:
            return self._photo(claimed, head.get(_FRONTEND) or "")
        if head.target not in _REPORTS:
            return None
        message, take = _REPORTS[head.target]
        return _whole(lambda body: take(self._parts, claimed, read(message, body)))

    def _photo(self, claimed: Claim, frontend_id: str) -> Whole:
        """On threads of its own: it waits for a backend, which meanwhile asks for the photo here."""
        parts = self._parts
        take = partial(frontend.taken, parts, claimed, frontend_id)
        return _whole(lambda body: take(read(NewImage, body)), parts.looks.threads)


class _Call:
    """One call, on a thread of the server's."""

    def __init__(self, take: Callable[[bytes], Asked]) -> None:
        self._take = take
        self._then: Callable[[], object] = _nothing

    def answer(self, body: bytes) -> Answer:
        logs.forget()  # a thread serves one caller after the other
        asked = self._take(body)
        self._then = asked.then
        return Answer(asked.status, asked.message.model_dump_json().encode(), _JSON)

    def after(self) -> None:
        self._then()


def _whole(take: Callable[[bytes], Asked], threads: Crew | None = None) -> Whole:
    call = _Call(take)
    return Whole(call.answer, SMALL, call.after, threads=threads)


def _nothing() -> None:
    pass
