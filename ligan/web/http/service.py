"""What all connections of one server share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import InitVar, dataclass, field
from heapq import nsmallest
from typing import TYPE_CHECKING, TypeVar

from ligan.intervals import MAX_CONNECTIONS
from ligan.problem import Problem
from ligan.web.http.answer import Heads
from ligan.web.http.head import KEPT, KEPT_ANSWERS, AnswerHead, RequestHead, read_answer, read_request, remembering
from ligan.web.http.room import descriptors, giving_way
from ligan.web.http.route import Router
from ligan.web.http.threads import Crew
from ligan.web.http.upstream import Upstreams

if TYPE_CHECKING:
    from ligan.web.http.connection import Connection

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(eq=False)
class Service:
    """`known` gives the problem that an exception of the site's making means, such as a full disk."""

    loop: asyncio.AbstractEventLoop
    route: Router
    heads: Heads
    threads: Crew
    known: Callable[[BaseException], Problem | None]
    kept: InitVar[int] = KEPT
    upstreams: Upstreams = field(default_factory=Upstreams)
    connections: set[Connection] = field(default_factory=set)
    closing: bool = False
    read_request: Callable[[bytes, str, bool], RequestHead] = field(init=False)
    read_answer: Callable[[bytes], AnswerHead] = field(default_factory=lambda: remembering(read_answer, KEPT_ANSWERS))
    """Both are each server's own, so that no other server's notes stand in a head."""

    def __post_init__(self, kept: int) -> None:
        self.read_request = remembering(read_request, kept)
        self._descriptors = descriptors()

    def has_room(self, descriptor: int) -> bool:
        """Whether one more caller may stay, whose connection has this number. Where there is no room, those give way of
        whom nothing was heard for longest while it was their turn: who holds thousands of silent connections keeps
        nobody out.
        """
        if len(self.connections) < MAX_CONNECTIONS and descriptor < self._descriptors:
            return True
        silent = [each for each in self.connections if each.is_awaited]
        for each in nsmallest(giving_way(len(silent)), silent, key=lambda each: each.heard):
            self.connections.discard(each)
            each.abort()
        return bool(silent)

    def problem(self, error: BaseException) -> Problem:
        """What a caller is told of an error; one that nobody foresaw is logged with its traceback."""
        if isinstance(error, Problem):
            return error
        if known := self.known(error):
            log.warning("a request failed: %s", str(error).partition("\n")[0])
            return known
        log.error("a request failed", exc_info=error)
        return Problem("internal-error", "This is a fault of the service, not yours; try again.")

    def on_thread(
        self,
        work: Callable[[], T],
        then: Callable[[T | BaseException], None],
        after: Callable[[], object] | None = None,
        threads: Crew | None = None,
    ) -> None:
        """Run `work` on one of `threads`, else of the server's.

        `then` gets what it returned or raised, on the loop; meanwhile `after` follows it.
        """

        def run() -> None:
            try:
                outcome: T | BaseException = work()
            except BaseException as error:  # noqa: BLE001 (a request's edge)
                self._tell(then, error)
                return
            self._tell(then, outcome)
            if after is not None:
                self._follow(after)

        (threads or self.threads).submit(run)

    def _tell(self, then: Callable[[T | BaseException], None], outcome: T | BaseException) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(then, outcome)

    def _follow(self, after: Callable[[], object]) -> None:
        try:
            after()
        except Exception:  # a request's edge: its answer is given
            log.exception("what follows a request failed")
