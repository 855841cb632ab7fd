"""Requests as no two servers could read differently (RFC 9112): what a gateway may send on. Pure."""

from __future__ import annotations

import re

_LINE = re.compile(rb"[A-Z]+ ([!-~]+) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")


class AmbiguousError(Exception):
    """Bytes that could be read in another way; the text says which."""


def targets(data: bytes) -> list[str]:
    """The targets of the requests in `data`, which is read to its very end. Raises AmbiguousError."""
    found = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        if not separator:
            raise AmbiguousError(f"no head: {head[:100]!r}")
        target, length = _read_head(head)
        data = _after_chunks(data) if length is None else data[length:]
        found.append(target)
    return found


def _read_head(head: bytes) -> tuple[str, int | None]:
    """(target, bytes of the body; None for chunks)."""
    first, *lines = head.split(b"\r\n")
    line = _LINE.fullmatch(first)
    fields = [_FIELD.fullmatch(each) for each in lines]
    if line is None or not all(fields):
        raise AmbiguousError(f"a line of its head: {head[:200]!r}")
    pairs = [(field[1].lower(), field[2]) for field in fields if field]
    lengths, encodings, hosts = (_values(pairs, name) for name in (b"content-length", b"transfer-encoding", b"host"))
    if len(lengths) + len(encodings) > 1 or len(hosts) != 1 or encodings not in ([], [b"chunked"]):
        raise AmbiguousError(f"its framing: {head[:200]!r}")
    if not all(length.isdigit() for length in lengths):
        raise AmbiguousError(f"its length: {lengths}")
    return line[1].decode(), None if encodings else int(lengths[0]) if lengths else 0


def _values(pairs: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value.strip(b" \t") for key, value in pairs if key == name]


def _after_chunks(data: bytes) -> bytes:
    while True:
        size, separator, data = data.partition(b"\r\n")
        if not separator or not _SIZE.fullmatch(size):
            raise AmbiguousError(f"a chunk's size: {size[:50]!r}")
        length = int(size, 16)
        if data[length : length + 2] != b"\r\n":
            raise AmbiguousError("a chunk's end")
        data = data[length + 2 :]
        if not length:
            return data
