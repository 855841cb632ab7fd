"""People who never stop: each sends tasks at fixed times, whatever becomes of them, and notes what the page shows."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

from _report import Figures, summary
from urllib3.exceptions import HTTPError

from ligan.page import Event, Page
from ligan.problem import Problem
from ligan.wire.event import EventName

_ENDS = (EventName.ON_RESULT, EventName.ON_ERROR)
_PLAN = (0.0, 0.3, 0.0, 0.0, 1.0, 0.0)
"""Seconds that the tasks keep their backend busy, in turn."""
_LOOK = 0.1
"""Seconds between looks at the session."""
_RECONNECT = 0.2
_CUT = (Problem, OSError, HTTPError)
"""What a page sees of a server that is away; of requests, of urllib3, of the stream itself."""


@dataclass
class Sent:
    """A task that was acknowledged; times are CLOCK_MONOTONIC."""

    seconds: float
    at: float
    ends: list[tuple[float, str]] = field(default_factory=list)
    """Arrival and name of each terminal event that the page showed."""


@dataclass(frozen=True)
class Look:
    """What `GET session` said; no answer counts as not ready."""

    at: float
    ready: bool
    generation: int


class Person:
    """One session under load."""

    def __init__(self, url: str, every_s: float) -> None:
        self.page = Page(url)
        self.sent: dict[str, Sent] = {}
        self.refused: list[str] = []
        self.looks: list[Look] = []
        self.began = 0.0
        self._seen: int | None = None
        self._early: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
        self._every_s = every_s
        self._sending = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._send_all, daemon=True),
            threading.Thread(target=self._watch, daemon=True),
            threading.Thread(target=self._look_on, daemon=True),
        ]

    def start(self) -> None:
        """Wait for the first backend, then begin."""
        self.page.wait_ready()
        self._seen = self.page.session_event_id()  # the first task may have ended before the stream is open
        self.began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def finish(self, patience_s: float) -> None:
        """Send no more, wait for what is under way, then stop watching."""
        self._sending.set()
        self._threads[0].join(60)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and any(not sent.ends for sent in self.sent.values()):
            time.sleep(0.1)
        time.sleep(1.0)  # a result shown twice would come now
        self._over.set()
        self._threads[2].join(60)

    # What the threads do ---------------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        due = time.monotonic()
        for seconds in cycle(_PLAN):
            if self._sending.wait(max(0.0, due - time.monotonic())):
                return
            due += self._every_s
            self._send(seconds)

    def _send(self, seconds: float) -> None:
        at = time.monotonic()
        try:
            task_id = self.page.submit("noop", seconds=seconds)
        except _CUT as error:
            self.refused.append(f"{at - self.began:.1f} s: {error}")
            return
        with self._lock:
            self.sent[task_id] = Sent(seconds, at, self._early.pop(task_id, []))

    def _watch(self) -> None:
        """Follow the stream; on a cut go on after the last event seen, as a browser does."""
        while not self._over.is_set():
            try:
                page = self._second_page()
                for event in page.events(3600.0, self._seen):
                    self._seen = event.id or self._seen
                    self._note(event, time.monotonic())
                    if self._over.is_set():
                        return
            except _CUT:
                pass  # the page tries again
            self._over.wait(_RECONNECT)

    def _note(self, event: Event, at: float) -> None:
        task_id = event.data.get("task_id")
        if event.name not in _ENDS or task_id is None:
            return
        with self._lock:
            ends = self.sent[task_id].ends if task_id in self.sent else self._early[task_id]
            ends.append((at, event.name))

    def _look_on(self) -> None:
        page = self._second_page()
        while not self._over.wait(_LOOK):
            self.looks.append(self._look(page))

    def _look(self, page: Page) -> Look:
        try:
            backend = page.session().backend
        except _CUT:
            return Look(time.monotonic(), ready=False, generation=0)
        return Look(time.monotonic(), backend.ready, backend.generation)

    def _second_page(self) -> Page:
        """The same person on connections of its own."""
        return Page(self.page.url, self.page.http.cookies)


@contextmanager
def under_load(url: str, people: int, every_s: float, patience_s: float) -> Iterator[list[Person]]:
    """`people` sessions under load while the block runs; at its end all that is under way has ended, or is lost."""
    crowd = [Person(url, every_s) for _ in range(people)]
    starts = [threading.Thread(target=person.start) for person in crowd]
    _together(starts)
    if not all(person.began for person in crowd):
        raise TimeoutError("not every session got its first backend")
    yield crowd
    _together([threading.Thread(target=person.finish, args=(patience_s,)) for person in crowd])


def _together(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---- what came of it ------------------------------------------------------------------------------


def counts(crowd: list[Person]) -> Figures:
    """Tasks by what became of them; `lost` were acknowledged and never ended, `failed` ended with an error."""
    sent = [task for person in crowd for task in person.sent.values()]
    return {
        "acknowledged": len(sent),
        "done": sum(any(name == EventName.ON_RESULT for _, name in task.ends) for task in sent),
        "lost": sum(not task.ends for task in sent),
        "failed": sum(any(name == EventName.ON_ERROR for _, name in task.ends) for task in sent),
        "refused": sum(len(person.refused) for person in crowd),
        "shown_twice": sum(len(task.ends) > 1 for task in sent),
    }


def lost_at(crowd: list[Person]) -> list[float]:
    """When each lost task was sent, in seconds since its person began."""
    return [round(task.at - person.began, 2) for person in crowd for task in person.sent.values() if not task.ends]


def round_trips(crowd: list[Person]) -> Figures:
    """Milliseconds from the submit of a task that takes no time to its result."""
    ended = (task for person in crowd for task in person.sent.values() if task.ends and not task.seconds)
    return summary([(task.ends[0][0] - task.at) * 1000 for task in ended], 1)


def longest_gap(person: Person) -> float:
    """Longest time in seconds in which looks at the session found no ready backend, or nobody who answered."""
    longest, last_ready, ready = 0.0, person.began, True
    for look in person.looks:
        if not (ready and look.ready):
            longest = max(longest, look.at - last_ready)
        if look.ready:
            last_ready = look.at
        ready = look.ready
    return longest


def stalls(person: Person) -> list[tuple[float, float]]:
    """For each ended task, when it ended, and the seconds it waited although no earlier one was being worked on.

    It includes what the way through the system costs when all is well.
    """
    free_at = person.began
    waits = []
    for task in sorted((task for task in person.sent.values() if task.ends), key=lambda task: task.ends[0]):
        end = task.ends[0][0]
        waits.append((end, max(0.0, end - task.seconds - max(task.at, free_at))))
        free_at = end
    return waits
