"""Whole answers, and how the head of any answer is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from ligan.problem import MEDIA_TYPE, Problem
from ligan.web.http.fields import Fields

_RETRY_AFTER = 2
"""Seconds after which a page asks again, where the problem does not say."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; names of `headers` in lower case. `close`: the connection ends with it."""

    status: int
    body: bytes = b""
    headers: Fields = ()
    close: bool = False


class Heads:
    """Writes heads. `always`: fields of every answer that does not have them itself; names in lower case."""

    def __init__(self, always: Fields) -> None:
        self._always = always
        self._names = frozenset(name for name, _ in always)
        self._block = block(always)

    def lines(self, status: int, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
        """A head without its lines about body and connection, and without the empty one."""
        given = list(fields)
        names = {name for name, _ in given}
        rest = self._block if self._names.isdisjoint(names) else self._others(names)
        return b"%b%b%b" % (_status_line(status), block(given), rest)

    def _others(self, names: set[bytes]) -> bytes:
        return block(field for field in self._always if field[0] not in names)


def block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header lines."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


@lru_cache(1)
def date(now: int) -> bytes:
    """IMF-fixdate of a second since the epoch (RFC 9110, section 5.6.7)."""
    return formatdate(now, usegmt=True).encode()


def problem_answer(problem: Problem) -> Answer:
    """Its document (RFC 9457); who should come again is told when."""
    document = problem.document
    headers: Fields = ((b"content-type", MEDIA_TYPE.encode()),)
    if document.status in (429, 503):
        seconds = (document.model_extra or {}).get("retry_after_s", _RETRY_AFTER)
        headers += ((b"retry-after", str(seconds).encode()),)
    return Answer(document.status, document.model_dump_json().encode(), headers)


@lru_cache(1024)
def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {_phrase(status)}\r\n".encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""  # it may be empty (RFC 9112, section 4)
