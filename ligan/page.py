"""A page without a browser: what scripts, tests and benchmarks use to walk the public API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import requests

from ligan.problem import MEDIA_TYPE, Problem, ProblemDocument
from ligan.web.frame import fields_of
from ligan.wire.event import EventName
from ligan.wire.image import Upload
from ligan.wire.session import Session
from ligan.wire.task import Task, TaskCreated, TaskKinds

_READ_TIMEOUT = 30.0  # of the event stream, which is never silent for so long


@dataclass(frozen=True)
class Event:
    """One event of the stream. `id` is 0 where the stream gave none."""

    id: int
    name: str
    data: dict[str, Any]


class Page:
    """One person's browser session, by its cookie; with `cookies` of an earlier one it goes on as the same person.

    `headers` go with every request, such as `Authorization: Bearer TOKEN`. Every method raises Problem as the service
    says it.
    """

    def __init__(self, url: str, cookies: CookieJar | None = None, headers: Mapping[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        self.http = requests.Session()
        self.http.cookies.update(cookies or {})
        self.http.headers.update({"Origin": self.url, **(headers or {})})  # as a browser says on the page itself
        self.http.trust_env = False
        self.load()

    def load(self) -> None:
        """Open the start page, or reload it: a new session ID that inherits what the last one had."""
        _checked(self.http.get(self.url + "/", timeout=_READ_TIMEOUT))

    def session(self) -> Session:
        return Session.model_validate_json(self.get("/session").content)

    def start(self) -> Session:
        """Ask for a backend."""
        return Session.model_validate_json(self._send("POST", "/start-of-interaction").content)

    def wait_ready(self, timeout_s: float = 120.0) -> Session:
        """Ask for a backend and wait for `on-ready`. Raises TimeoutError with the last state."""
        session = self.start()
        for event in self.events(timeout_s):
            if event.name == EventName.ON_READY:
                return self.session()
            session = self.session()
        raise TimeoutError(f"no backend within {timeout_s} s: {session.backend}")

    def upload(self, photo: Path | bytes, name: str = "photo.jpg", face: int | None = None) -> Upload:
        body = photo if isinstance(photo, bytes) else photo.read_bytes()
        data = {} if face is None else {"face": str(face)}
        return Upload.model_validate_json(
            self._send("POST", "/uploads", files={"file": (name, body)}, data=data).content
        )

    def kinds(self) -> TaskKinds:
        return TaskKinds.model_validate_json(self.get("/tasks/kinds").content)

    def submit(self, kind: str, /, **params: Any) -> str:  # noqa: ANN401 (a task's own parameters)
        """Start a task and return its ID."""
        answer = self._send("POST", "/tasks", json={"kind": kind, "params": params})
        return TaskCreated.model_validate_json(answer.content).task_id

    def task(self, task_id: str) -> Task:
        return Task.model_validate_json(self.get(f"/tasks/{task_id}").content)

    def cancel(self, task_id: str) -> Task:
        return Task.model_validate_json(self._send("DELETE", f"/tasks/{task_id}").content)

    def image(self, image_id: str) -> bytes:
        """PNG bytes."""
        return self.get(f"/images/{image_id}").content

    def wait_task(self, task_id: str, timeout_s: float = 120.0) -> Task:
        """Follow the events until the task has ended. Raises TimeoutError with its last state."""
        last = self.session_event_id()
        task = self.task(task_id)
        if task.state.terminal:
            return task
        for event in self.events(timeout_s, last):
            if event.data.get("task_id") == task_id and event.name in (EventName.ON_RESULT, EventName.ON_ERROR):
                return self.task(task_id)
        raise TimeoutError(f"task {task_id} did not end within {timeout_s} s: {self.task(task_id)}")

    def session_event_id(self) -> int:
        """The id of the newest event."""
        return next(self.events(_READ_TIMEOUT)).id

    def events(self, timeout_s: float, last_id: int | None = None) -> Iterator[Event]:
        """Events until `timeout_s` is over: first where things stand, or what came after `last_id`; then live."""
        deadline = time.monotonic() + timeout_s
        headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        with self.http.get(
            self.url + "/api/v1/events", headers=headers, stream=True, timeout=_READ_TIMEOUT
        ) as response:
            _checked(response)
            buffer = b""
            while time.monotonic() < deadline:
                # read1 hands on what has come; iter_lines would wait for more.
                chunk = response.raw.read1()
                if not chunk:
                    return
                *frames, buffer = (buffer + chunk).split(b"\n\n")
                yield from filter(None, map(_parse, frames))

    def get(self, path: str) -> requests.Response:
        return self._send("GET", path)

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:  # noqa: ANN401 (of requests)
        response = self.http.request(method, f"{self.url}/api/v1{path}", timeout=_READ_TIMEOUT, **arguments)
        return _checked(response)


def _checked(response: requests.Response) -> requests.Response:
    if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
        raise Problem.of(ProblemDocument.model_validate_json(response.content))
    response.raise_for_status()
    return response


def _parse(frame: bytes) -> Event | None:
    fields = fields_of(frame)
    if "data" not in fields:
        return None
    return Event(int(fields.get("id", 0)), fields.get("event", "message"), json.loads(fields["data"]))
