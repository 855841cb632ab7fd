"""A person at a page while things go wrong: posts a task now and then, and keeps all that the page is shown."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.client import HTTPException
from itertools import pairwise

import requests
import urllib3

from ligan.page import Event, Page
from ligan.problem import Problem
from ligan.wire.event import EventName

TERMINAL = (EventName.ON_RESULT, EventName.ON_ERROR)
_PERIOD_S = 0.25
"""Between posts; recovery times are as fine as this."""
_AT_ONCE = 3
"""Open tasks at which it waits: a page makes one at a time."""
TROUBLE = (Problem, OSError, ValueError, requests.RequestException, urllib3.exceptions.HTTPError, HTTPException)
"""What a page may meet while a part is gone or answers nonsense; it tries again."""


@dataclass(frozen=True)
class Shown:
    """A terminal event as it came over the stream."""

    event_id: int
    name: str
    task_id: str
    at: float
    slug: str = ""
    """Of the problem; empty for a result."""


class Person:
    """One session with two connections: one posts, one follows. Times are time.monotonic()."""

    def __init__(self, url: str, task_s: float) -> None:
        self._poster = Page(url)
        self._follower = Page(url, self._poster.http.cookies)
        self._task_s = task_s
        self.posted: dict[str, float] = {}
        """Acknowledged tasks: ID and the time of the acknowledgement."""
        self.refused: list[tuple[float, str]] = []
        """Posts that were not acknowledged: when and why. The person knows, so nothing is lost."""
        self.shown: list[Shown] = []
        self.repeated_events = 0
        """Events that came a second time under the same number, or out of order."""
        self._stopping = threading.Event()
        self._paused = False
        self._turn = threading.Lock()
        """Held while a post is on its way."""
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._post, self._follow)]

    def start(self) -> None:
        """Ask for a backend, and post at once: what comes before the backend is ready waits for it."""
        self._poster.start()
        for thread in self._threads:
            thread.start()

    @property
    def page(self) -> Page:
        """To look at what the page is told, from the thread of the row."""
        return self._follower

    def pause(self, paused: bool = True) -> None:
        """Post nothing more, from the return of this call on; what was posted is followed still."""
        with self._turn:
            self._paused = paused

    def stop(self) -> None:
        self._stopping.set()
        for page in (self._poster, self._follower):
            page.http.close()

    def open_tasks(self) -> list[str]:
        """Acknowledged, and no end shown yet."""
        ended = {shown.task_id for shown in self.shown}
        return [task_id for task_id in list(self.posted) if task_id not in ended]

    def next_done(self, since: float) -> float | None:
        """When the first result of a task that was posted after `since` was shown."""
        done = [
            shown.at
            for shown in list(self.shown)
            if shown.name == EventName.ON_RESULT and self.posted.get(shown.task_id, 0) > since
        ]
        return min(done, default=None)

    def longest_stall(self) -> float:
        """Seconds between two results, at most."""
        done = [shown.at for shown in self.shown if shown.name == EventName.ON_RESULT]
        return round(max((after - before for before, after in pairwise(done)), default=0.0), 2)

    def _post(self) -> None:
        while not self._stopping.wait(_PERIOD_S):
            with self._turn:
                if not self._paused and len(self.open_tasks()) < _AT_ONCE:
                    self._post_one()

    def _post_one(self) -> None:
        try:
            task_id = self._poster.submit("noop", seconds=self._task_s)
        except TROUBLE as trouble:
            self.refused.append((time.monotonic(), _name(trouble)))
            self._ask_again()
        else:
            self.posted[task_id] = time.monotonic()

    def _ask_again(self) -> None:
        """A page whose task was refused asks for a backend, as its button does."""
        try:
            self._poster.start()
        except TROUBLE:
            self._stopping.wait(_PERIOD_S)

    def _follow(self) -> None:
        last: int | None = None
        while not self._stopping.is_set():
            try:
                for event in self._follower.events(3600, last):
                    last = self._take(event, last)
            except TROUBLE:
                self._stopping.wait(0.1)

    def _take(self, event: Event, last: int | None) -> int | None:
        if event.name in TERMINAL:
            if last is not None and event.id <= last:
                self.repeated_events += 1
            slug = event.data["problem"]["type"].rpartition(":")[2] if event.name == EventName.ON_ERROR else ""
            self.shown.append(Shown(event.id, event.name, event.data["task_id"], time.monotonic(), slug))
        return max(last or 0, event.id) or None


def _name(trouble: BaseException) -> str:
    return trouble.slug if isinstance(trouble, Problem) else type(trouble).__name__
