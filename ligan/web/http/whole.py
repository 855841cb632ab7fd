"""A request that is read whole and answered by a thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ligan.web.http.answer import Answer
from ligan.web.http.handler import Quiet
from ligan.web.http.route import Whole

if TYPE_CHECKING:
    from ligan.web.http.answering import Answering


class Reading(Quiet):
    """Collects the body, then hands it to the server's threads."""

    __slots__ = ("_connection", "_cut", "_pieces", "_whole", "max_body")

    def __init__(self, connection: Answering, whole: Whole) -> None:
        self._connection = connection
        self._whole = whole
        self._pieces: list[bytes] = []
        self._cut = False
        self.max_body = whole.max_body

    def take(self, piece: bytes, done: bool) -> None:
        self._pieces.append(piece)
        if done:
            body = b"".join(self._pieces)
            whole = self._whole
            if whole.at_once:
                self._handle(body)
            else:
                service = self._connection.service
                service.on_thread(partial(whole.handle, body), self._handled, whole.after, whole.threads)

    def cut(self) -> None:
        self._cut = True

    def _handle(self, body: bytes) -> None:
        try:
            answer = self._whole.handle(body)
        except Exception as error:  # noqa: BLE001 (a request's edge)
            self._handled(error)
            return
        self._handled(answer)
        if self._whole.after is not None:
            self._whole.after()

    def _handled(self, outcome: Answer | BaseException) -> None:
        if self._cut:
            return
        if isinstance(outcome, BaseException):
            self._connection.fail(outcome)
        else:
            self._connection.answer(outcome)
