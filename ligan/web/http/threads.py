"""Threads that work is handed to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Protocol

Work = Callable[[], object]


class Crew(Protocol):
    """Where work can be handed in, such as a concurrent.futures.Executor."""

    def submit(self, work: Work, /) -> object: ...


class Threads:
    """A fixed number of them, which take work in the order of its arrival.

    Nobody can ask what came of it: futures and the locks around them are most of what a ThreadPoolExecutor costs. Work
    sees to its errors itself; what it raises all the same goes to `threading.excepthook`, and costs a thread.
    """

    def __init__(self, number: int, name: str) -> None:
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._number = number
        for index in range(number):
            threading.Thread(target=self._run, name=f"{name}_{index}", daemon=True).start()

    def submit(self, work: Work, /) -> None:
        """Any thread may call it."""
        self._queue.put(work)

    def close(self) -> None:
        """Work that is under way goes on; what waits is dropped."""
        try:
            while True:
                self._queue.get_nowait()
        except Empty:
            for _ in range(self._number):
                self._queue.put(None)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()
            del work  # what it holds is not kept until the next comes
