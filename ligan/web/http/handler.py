"""What a connection asks of whoever handles a request; and the two that only get rid of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ligan.intervals import MAX_DRAIN
from ligan.problem import Problem
from ligan.web.http.answer import Answer, problem_answer

if TYPE_CHECKING:
    from ligan.web.http.answering import Answering


class Handler(Protocol):
    """One request's. It ends with `Answering.answer`, `finish` or `fail`."""

    max_body: int

    def take(self, piece: bytes, done: bool) -> None:
        """The next piece of the body, maybe empty; `done` with the last one. Called once at least."""
        ...

    def cut(self) -> None:
        """The caller is gone, or its request was refused: stop, and answer nothing."""
        ...

    def full(self) -> None:
        """The caller reads too slowly: send nothing more for now."""
        ...

    def room(self) -> None:
        """There is room again."""
        ...

    def look(self, now: float) -> None:
        """A turn of the server's clock (seconds of the loop's)."""
        ...


class Quiet:
    """A handler to which most things do not matter."""

    __slots__ = ()

    def cut(self) -> None:
        """Nothing is under way."""

    def full(self) -> None:
        """It sends one answer, which the connection holds."""

    def room(self) -> None:
        """As above."""

    def look(self, now: float) -> None:
        """It waits for nobody."""


class Ready(Quiet):
    """The answer is known; the body is read for no other reason than that it comes before the next request."""

    __slots__ = ("_answer", "_connection", "max_body")

    def __init__(self, connection: Answering, answer: Answer) -> None:
        self._connection = connection
        self._answer = answer
        self.max_body = MAX_DRAIN

    def take(self, _piece: bytes, _done: bool) -> None:
        self._connection.answer(self._answer)


class Answered(Quiet):
    """The answer is given; the rest of the body is dropped."""

    __slots__ = ("_connection", "max_body")

    def __init__(self, connection: Answering) -> None:
        self._connection = connection
        self.max_body = MAX_DRAIN

    def take(self, _piece: bytes, done: bool) -> None:
        if done:
            self._connection.next()


class Refused(Quiet):
    """A body over its limit: it is read, for a browser shows the answer only then, but not for ever."""

    __slots__ = ("_answer", "_connection", "max_body")

    def __init__(self, connection: Answering) -> None:
        self._connection = connection
        self._answer = problem_answer(too_large())
        self.max_body = MAX_DRAIN

    def take(self, _piece: bytes, done: bool) -> None:
        if done:
            self._connection.answer(self._answer)


def too_large() -> Problem:
    return Problem("file-too-large", "At most 25 MB are taken; save the photo as JPEG or make it smaller.")
