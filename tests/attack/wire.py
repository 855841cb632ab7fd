"""Bytes on a connection as an attacker writes them, and the answers that come back (RFC 9112)."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Address = tuple[str, int]
_QUIET_S = 0.08
"""Without a further byte for so long after a whole answer, no second one comes."""
_PAUSE_S = 0.002
"""Between two pieces, so that they come apart."""
_BODILESS = (204, 304)


@dataclass(frozen=True)
class Answer:
    """One whole answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; of several the last."""
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def exchange(address: Address, *pieces: bytes, timeout_s: float = 5.0, source: str = "") -> list[Answer]:
    """Send the pieces one after the other; the answers that come within `timeout_s`, or before all is quiet.

    `source`: from that address of this machine.
    """
    with socket.create_connection(address, timeout_s, (source, 0)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for number, piece in enumerate(pieces):
                if number:
                    time.sleep(_PAUSE_S)
                line.sendall(piece)
        except OSError:  # it closes before it has heard all, as it may
            pass
        return list(answers(_heard(line, timeout_s)))


def request(
    address: Address, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """One request, its target byte for byte as given; status 0 where nothing came back."""
    head = {"Host": f"{address[0]}:{address[1]}", "Connection": "close", **(headers or {})}
    if body is not None:
        head["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    found = exchange(address, f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b""))
    return found[0] if found else Answer(0)


def answers(data: bytes) -> Iterator[Answer]:
    """The whole answers at the beginning of `data`; those before a final one (1xx) are left out."""
    while (end := data.find(b"\r\n\r\n")) >= 0:
        status, headers = _head(data[:end])
        rest = data[end + 4 :]
        if 100 <= status < 200 and status != 101:
            data = rest
            continue
        body, whole, data = _body(status, headers, rest)
        if not whole:
            return
        yield Answer(status, headers, body)


def _heard(line: socket.socket, timeout_s: float) -> bytes:
    """All that comes before the end, the time's end, or a silence behind a whole answer."""
    heard, deadline = b"", time.monotonic() + timeout_s
    while (left := deadline - time.monotonic()) > 0:
        line.settimeout(min(left, _QUIET_S) if any(answers(heard)) else left)
        try:
            piece = line.recv(65536)
        except OSError:
            break
        if not piece:
            break
        heard += piece
    return heard


def _head(data: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = data.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    status = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0
    return status, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _body(status: int, headers: Mapping[str, str], data: bytes) -> tuple[bytes, bool, bytes]:
    """(body, is it whole, what follows)."""
    if status in _BODILESS or status == 101:
        return b"", True, data
    if headers.get("transfer-encoding") == "chunked":
        return _chunks(data)
    if "content-length" in headers:
        length = int(headers["content-length"])
        return data[:length], len(data) >= length, data[length:]
    return data, True, b""


def _chunks(data: bytes) -> tuple[bytes, bool, bytes]:
    body = b""
    while b"\r\n" in data:
        size, _, data = data.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length:
            return body, data.startswith(b"\r\n"), data[2:]
        body, data = body + data[:length], data[length + 2 :]
    return body, False, b""
