"""What may become of a request: a route says, and a handler does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ligan.tls.peer import Peer
from ligan.web.http.answer import Answer
from ligan.web.http.fields import Fields
from ligan.web.http.head import AnswerHead, RequestHead
from ligan.web.http.passed import Carried
from ligan.web.http.threads import Crew


@dataclass(frozen=True, slots=True)
class Secured:
    """Where somebody answers over TLS, and who that has to be. Kept connections are told apart by both."""

    host: str
    port: int
    peer: Peer

    def __str__(self) -> str:
        return f"{self.peer.name} at {self.host}:{self.port}"


Address = tuple[str, int] | str | Secured
"""Host and port, the path of a unix socket, or TLS."""


@dataclass(slots=True)
class Whole:
    """Read the whole body, then let a thread of the server's pool answer. `handle` may raise Problem.

    `after` is called on the same thread once the answer is on its way, if there was one. `at_once`: `handle` waits for
    nothing, and is called on the loop. `threads` are others than the server's: what may wait long gets its own.
    """

    handle: Callable[[bytes], Answer]
    max_body: int
    after: Callable[[], object] | None = None
    at_once: bool = False
    threads: Crew | None = None


@dataclass(slots=True)
class Pass:
    """Carry the request to another server and its answer back, as bytes come.

    `ours` are ready header lines for the server (`answer.block` writes them), whose names `carried` drops or has as
    private: a caller cannot send them too. `answer_fields` go to the caller. `instead` may put another answer in the
    place of the server's once its head is there. `on_unreachable` is told when the server did not answer.
    """

    to: Address
    carried: Carried
    max_body: int
    ours: bytes = b""
    answer_fields: Fields = ()
    instead: Callable[[AnswerHead], Answer | File | None] | None = None
    on_unreachable: Callable[[], None] | None = None


@dataclass(slots=True)
class File:
    """A file, read by the server's threads. Raises Problem `not-found` at the caller when it is not there."""

    path: Path
    headers: Fields


class Writer(Protocol):
    """The sending end of a stream; use from the loop only."""

    @property
    def stalled(self) -> bool:
        """The caller reads too slowly: send nothing before `Listener.room`."""
        ...

    def send(self, data: bytes) -> None:
        """Write it now."""
        ...

    def end(self) -> None:
        """The stream is complete; the listener hears `closed` no more."""
        ...


class Listener(Protocol):
    """Who feeds a stream."""

    def room(self) -> None:
        """There is room again."""
        ...

    def closed(self) -> None:
        """The caller is gone."""
        ...


@dataclass(slots=True)
class Stream:
    """An answer that goes on until somebody ends it, such as Server-Sent Events. `opened` gets its sending end."""

    headers: Fields
    opened: Callable[[Writer], Listener]


Route = Answer | Whole | Pass | File | Stream
Router = Callable[[RequestHead], Route | Awaitable[Route]]
"""May raise Problem. Synchronous where it can be: awaiting costs a Task."""
