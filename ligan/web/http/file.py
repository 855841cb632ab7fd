"""A file as an answer, read by threads so that a slow disk holds up nobody else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from ligan.problem import Problem
from ligan.web.http.handler import Quiet
from ligan.web.http.route import File

if TYPE_CHECKING:
    from ligan.web.http.answering import Answering

_PIECE = 1024 * 1024


class Sending(Quiet):
    """Piece after piece, the next one when the caller has taken the last."""

    __slots__ = ("_connection", "_cut", "_file", "_left", "_open", "_reading", "max_body")

    def __init__(self, connection: Answering, file: File) -> None:
        self._connection = connection
        self._file = file
        self._open: BinaryIO | None = None
        self._left = 0
        self._reading = self._cut = False
        self.max_body = 0

    def take(self, _piece: bytes, done: bool) -> None:
        if done:
            self._connection.service.on_thread(self._begin, self._begun)

    def _begin(self) -> tuple[int, bytes]:
        try:
            self._open = self._file.path.open("rb")
        except FileNotFoundError as error:
            raise Problem("not-found", "This file is gone.") from error
        return os.fstat(self._open.fileno()).st_size, self._open.read(_PIECE)

    def _begun(self, outcome: tuple[int, bytes] | BaseException) -> None:
        head = self._connection.head
        if self._cut or head is None:
            self._close()
        elif isinstance(outcome, BaseException):
            self._close()
            self._connection.fail(outcome)
        else:
            size, piece = outcome
            self._left = 0 if head.method == "HEAD" else size - len(piece)
            self._connection.begin(200, self._file.headers, b"content-length: %d\r\n" % size, piece)
            self._go_on()

    def room(self) -> None:
        if self._open is not None and not self._reading:
            self._go_on()

    def _go_on(self) -> None:
        if not self._left:
            self._close()
            self._connection.finish()
        elif not self._connection.is_full and self._open is not None:
            self._reading = True
            file = self._open
            self._connection.service.on_thread(lambda: file.read(min(_PIECE, self._left)), self._read)

    def _read(self, outcome: bytes | BaseException) -> None:
        self._reading = False
        if self._cut:
            self._close()
        elif isinstance(outcome, BaseException) or not outcome:
            self._close()
            self._connection.abort()  # its length was promised
        else:
            self._left -= len(outcome)
            self._connection.write(outcome)
            self._go_on()

    def cut(self) -> None:
        self._cut = True
        if not self._reading:
            self._close()

    def _close(self) -> None:
        file, self._open = self._open, None
        if file is not None:
            file.close()
