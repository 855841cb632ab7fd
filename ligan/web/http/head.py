"""Heads of requests and answers. llhttp reads their fields; `FieldSet` and the first line's pattern forbid the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ParamSpec, TypeVar

import httptools

from ligan.problem import Problem
from ligan.web.http.fields import Fields, FieldSet, MalformedError, TooManyError

P = ParamSpec("P")
T = TypeVar("T")
MAX_HEAD = 32 * 1024
"""Bytes of a head; browsers and servers in use stop at 8 to 64 KiB."""
SMALL = 2 * 1024
"""Bytes of a head that may be remembered, which bounds what one caller can make a server keep."""
KEPT = 1024
"""Requests' heads that a server remembers."""
KEPT_ANSWERS = 128
"""Answers' heads. Most hold the second they were written in, and come again only within it."""
_KEPT_SETS = 512
"""Requests' fields that are remembered, of at most SMALL bytes each."""
_SMALL_FIELD = 256
_KEPT_FIELDS = 256
"""Of answers. Some come again and again; dates and lengths are new, and reading one costs a microsecond."""
_LINE = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT) ([!\"$-~]+) HTTP/1\.([01])")
"""llhttp would also take further spaces, RTSP and HTTP/2.0. A target has no "#" (RFC 9112, section 3.2): whoever reads
it next might end it there.
"""
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Za-z:.%]+\])(?::[0-9]*)?")
"""RFC 3986, section 3.2.2; any other has to be refused (RFC 9112, section 3.2), for whoever reads it next might see a
path or a user in it.
"""
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?")
_NO_PROXY = "This server is no proxy: ask it for a path."
"""RFC 9112, section 3.2.2, would have the absolute form taken, too. But clients send it to proxies alone, and it names
a host beside the Host field: whoever comes next might follow the other one.
"""
BODILESS = frozenset({204, 304})
"""Statuses whose answers have no body (RFC 9110, sections 15.3.5 and 15.4.5); nor have those to HEAD."""


@dataclass(slots=True, eq=False)
class RequestHead:
    """What a caller asks for. It does not change but for its notes, for the same one stands for every request that
    begins with the same bytes, from the same address.
    """

    method: str
    target: str
    """Origin form (RFC 9112, section 3.2.1), byte for byte as it came (latin-1)."""
    http11: bool
    keep_alive: bool
    peer: str
    """The caller's address, "" for a unix socket."""
    fields: FieldSet
    secure: bool = False
    """It came over TLS that ends here."""
    note: object = None
    """The router's own: what it would only find out again."""
    sent: tuple[object, bytes] = (None, b"")
    """(a route, what was sent to its server for this head)."""

    @property
    def headers(self) -> Fields:
        return self.fields.all

    @property
    def content_length(self) -> int | None:
        return self.fields.content_length

    @property
    def chunked(self) -> bool:
        return self.fields.chunked

    def get(self, name: bytes) -> str | None:
        """The first value of a field; `name` in lower case."""
        return self.fields.get(name)

    @property
    def path(self) -> str:
        """The target without its query, not decoded."""
        return self.target.partition("?")[0]

    def cookie(self, name: str) -> str | None:
        """The last value of a cookie (RFC 6265, section 5.4), without quotation marks."""
        if (given := self.get(b"cookie")) is None or name not in given:
            return None
        pairs = (pair.partition("=") for pair in given.split(";"))
        found = [value.strip() for key, _, value in pairs if key.strip() == name]
        return found[-1].strip('"') if found else None


@dataclass(slots=True, eq=False)
class AnswerHead:
    """What another server answers; the same one for all answers that begin with the same bytes."""

    status: int
    keep_alive: bool
    fields: FieldSet
    length: int | None
    """Bytes of the body, if the request was not HEAD; None where only chunks or the connection's end tell."""
    written: tuple[object, bytes] = (None, b"")
    """(whoever carries it on, the lines that go on)."""

    def get(self, name: bytes) -> str | None:
        """The first value of a field; `name` in lower case."""
        return self.fields.get(name)


class _Seen:
    """What llhttp reports while it reads one head."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))


def read_request(data: bytes, peer: str, secure: bool = False) -> RequestHead:
    """The head in `data`, which ends with its empty line.

    Raises Problem `malformed-request`, `head-too-large` or, for what only a proxy answers, `not-found`.
    """
    end = data.find(b"\r\n")
    line = _LINE.fullmatch(data, 0, end)
    try:
        if line is None:
            raise MalformedError("it must begin with METHOD TARGET HTTP/1.1")
        method, target, minor = line.groups()
        fields = _read_fields(data[end + 2 :])
        http11 = _checked(fields, minor)
        if fields.hosts > 1 or (http11 and not fields.hosts):  # RFC 9112, section 3.2
            raise MalformedError("it must name its Host once")
    except TooManyError as error:
        raise Problem("head-too-large", f"Send fewer: {error}.") from error
    except MalformedError as error:
        raise Problem("malformed-request", f"This is no request of HTTP/1.1: {error}.") from error
    if method == b"CONNECT" or not target.startswith(b"/"):
        raise Problem("not-found", _NO_PROXY)
    return RequestHead(method.decode(), target.decode(), http11, http11 and not fields.closes, peer, fields, secure)


def read_answer(data: bytes) -> AnswerHead:
    """The head in `data`, which ends with its empty line. Raises MalformedError."""
    first, *lines = data[:-4].split(b"\r\n")
    line = _STATUS.fullmatch(first)
    if line is None:
        raise MalformedError("it must begin with HTTP/1.1 and a status")
    fields = FieldSet([_kept_field(line) if len(line) <= _SMALL_FIELD else _field(line) for line in lines])
    http11 = _checked(fields, line[1])
    status = int(line[2])
    return AnswerHead(status, http11 and not fields.closes, fields, 0 if status in BODILESS else fields.content_length)


def _checked(fields: FieldSet, minor: bytes) -> bool:
    """True for HTTP/1.1, False for 1.0."""
    if minor == b"1":
        return True
    if fields.chunked:
        raise MalformedError("HTTP/1.0 has no chunks")
    return False


def remembering(read: Callable[P, T], kept: int = KEPT) -> Callable[P, T]:
    """`read` for heads of at most SMALL bytes, the same bytes only once; what it raises is raised each time.

    For `read_request` and `read_answer`: a page sends the same head again and again, and reading is most of the work.
    """
    return lru_cache(kept)(read)  # type: ignore[return-value]  # called as `read` is


def _read_fields(data: bytes) -> FieldSet:
    return _kept_fields(data) if len(data) <= SMALL else _parse_fields(data)


def _parse_fields(data: bytes) -> FieldSet:
    """The fields of a request. Raises MalformedError."""
    fields = FieldSet(_parsed(data))
    if not _HOST.fullmatch(fields.get(b"host") or ""):
        raise MalformedError("its Host must be a name or an address, and perhaps a port")
    return fields


def _field(line: bytes) -> tuple[bytes, bytes]:
    """A field of an answer. Raises MalformedError."""
    parsed = _parsed(line + b"\r\n\r\n")
    if len(parsed) != 1:
        raise MalformedError("a line of its head is no field")
    return parsed[0]


def _parsed(data: bytes) -> list[tuple[bytes, bytes]]:
    """Header lines up to the empty one, as llhttp reads them. Raises MalformedError."""
    seen = _Seen()
    try:
        httptools.HttpRequestParser(seen).feed_data(b"POST / HTTP/1.1\r\n" + data)
    except httptools.HttpParserUpgrade:
        pass  # offered, never taken
    except httptools.HttpParserError as error:
        raise MalformedError(str(error)) from error
    return seen.fields


_kept_fields = lru_cache(_KEPT_SETS)(_parse_fields)
"""A page sends the same fields for one thing after the other."""
_kept_field = lru_cache(_KEPT_FIELDS)(_field)
"""Of an answer a few fields are always new, such as its date, and the others always the same."""
