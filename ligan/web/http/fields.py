"""Header fields of one message, and what they say of the message around them (RFC 9112, section 6.3)."""

from __future__ import annotations

Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields in their order: (name in lower case, value)."""
MAX_FIELDS = 100
_CHUNKED = b"chunked"
_OPTIONAL = b" \t"


class MalformedError(Exception):
    """Bytes that are no HTTP/1.x; the text says why."""


class TooManyError(MalformedError):
    """More fields than are taken."""


class FieldSet:
    """What one message's head holds; it does not change.

    Raises TooManyError, and MalformedError for a length that could be read in two ways, which is how requests are
    smuggled. Names with an underscore go: CGI and WSGI cannot tell them from those with a hyphen (RFC 3875,
    section 4.1.18).
    """

    __slots__ = ("all", "bodily", "chunked", "closes", "content_length", "hosts", "kept", "names")

    def __init__(self, given: list[tuple[bytes, bytes]]) -> None:
        if len(given) > MAX_FIELDS:
            raise TooManyError(f"at most {MAX_FIELDS} header fields are taken")
        names = [name for name, _ in given]
        self.names = b"\n".join(names)
        """All of them, to see at once that there is none of a kind."""
        if b"_" in self.names:
            given = [field for field in given if b"_" not in field[0]]
            names = [name for name, _ in given]
            self.names = b"\n".join(names)
        self.all: Fields = tuple(given)
        self.hosts = names.count(b"host")
        self.chunked = b"transfer-encoding" in names
        self.content_length = _length(self._values(b"content-length")) if b"content-length" in names else None
        if self.chunked and (self.content_length is not None or self._values(b"transfer-encoding") != [_CHUNKED]):
            raise MalformedError("a body has either a Content-Length or the one Transfer-Encoding: chunked")
        self.bodily = self.chunked or bool(self.content_length)
        """Of a request: a body follows."""
        self.closes = b"connection" in names and any(b"close" in value for value in self._values(b"connection"))
        """The sender ends the connection with this message."""
        self.kept: tuple[object, bytes] = (None, b"")
        """(whoever carries fields on, its lines of them)."""

    def get(self, name: bytes) -> str | None:
        """The first value of a field; `name` in lower case."""
        if name in self.names:
            for key, value in self.all:
                if key == name:
                    return value.strip(_OPTIONAL).decode("latin-1")
        return None

    def _values(self, name: bytes) -> list[bytes]:
        return [value.strip(_OPTIONAL).lower() for key, value in self.all if key == name]


def _length(values: list[bytes]) -> int:
    if len(values) > 1 or not values[0].isdigit() or len(values[0]) > 18:
        raise MalformedError("one Content-Length in decimal digits")
    return int(values[0])
