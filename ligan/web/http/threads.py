"""Threads that work is handed to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

Work = Callable[[], object]


class Crew(Protocol):
    """Where work can be handed in, such as a concurrent.futures.Executor."""

    def submit(self, work: Work, /) -> object: ...


class _Place:
    """Where one thread waits for work: a lock of its own, so that no other is woken with it."""

    __slots__ = ("_news", "_work")

    def __init__(self) -> None:
        self._news = threading.Lock()
        self._news.acquire()
        self._work: Work | None = None

    def give(self, work: Work | None) -> None:
        self._work = work
        self._news.release()

    def take(self) -> Work | None:
        self._news.acquire()
        work, self._work = self._work, None
        return work


class Threads:
    """A fixed number of them, which take work in the order of its arrival; the one that rested least goes first.

    Nobody can ask what came of it: futures and the locks around them are most of what a ThreadPoolExecutor costs. A
    queue for all would wake two threads for each piece of work (queue.SimpleQueue does), and the second would only take
    the interpreter from the first. Work sees to its errors itself; what it raises all the same goes to
    `threading.excepthook`, and costs a thread.
    """

    def __init__(self, number: int, name: str) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Work] = deque()
        self._idle: list[_Place] = []
        self._closed = False
        for index in range(number):
            threading.Thread(target=self._run, args=(_Place(),), name=f"{name}_{index}", daemon=True).start()

    def submit(self, work: Work, /) -> None:
        """Any thread may call it. Once it is closed, work is dropped."""
        with self._lock:
            if self._closed:
                return
            if not self._idle:
                self._waiting.append(work)
                return
            place = self._idle.pop()
        place.give(work)

    def close(self) -> None:
        """Work that is under way goes on; what waits is dropped."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            idle, self._idle = self._idle, []
        for place in idle:
            place.give(None)

    def _run(self, place: _Place) -> None:
        while (work := self._next(place)) is not None:
            work()
            del work  # what it holds is not kept until the next comes

    def _next(self, place: _Place) -> Work | None:
        """What waits longest, else what comes; None once it is closed."""
        with self._lock:
            if self._closed:
                return None
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(place)
        return place.take()
