"""Which header fields are carried through, and how they are written for the next server (RFC 9110, section 7.6.1)."""

from __future__ import annotations

from ligan.web.http.answer import block
from ligan.web.http.fields import Fields, FieldSet
from ligan.web.http.head import AnswerHead, RequestHead

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Each side's own, or written anew: length and host."""
_NAMES_NOTHING = frozenset({b"keep-alive", b"close", b""})


class Carried:
    """What goes through; make one and keep it. All names in lower case.

    `dropped`: further fields of a request that stay here; `private`: a prefix of names that no caller may send or see;
    `hidden`: fields of an answer that stay here.
    """

    def __init__(
        self,
        dropped: frozenset[bytes] = frozenset(),
        private: bytes = b"",
        hidden: frozenset[bytes] = frozenset({b"server"}),
    ) -> None:
        self._from_caller = _HOP_BY_HOP | dropped
        self._from_server = _HOP_BY_HOP | hidden
        self._private = private

    def request(self, head: RequestHead, host: bytes, ours: bytes) -> bytes:
        """The head that goes to the next server. `ours`: ready lines, whose names are among what no caller may send."""
        fields = head.fields
        if fields.kept[0] is not self:
            fields.kept = self, block(self._kept(fields, self._from_caller))
        start = f"{head.method} {head.target} HTTP/1.1\r\nhost: ".encode("latin-1")
        return b"%b%b\r\n%b%b%b\r\n" % (start, host, fields.kept[1], ours, _framing(fields))

    def answer(self, head: AnswerHead) -> list[tuple[bytes, bytes]]:
        """The fields that go back to the caller."""
        return self._kept(head.fields, self._from_server)

    def _kept(self, fields: FieldSet, away: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
        if b"connection" in fields.names:
            away = _with_named(fields.all, away)
        kept = [field for field in fields.all if field[0] not in away]
        if self._private and self._private in fields.names:
            return [field for field in kept if not field[0].startswith(self._private)]
        return kept


def _with_named(fields: Fields, away: frozenset[bytes]) -> frozenset[bytes]:
    """With what the sender itself names as meant for us only."""
    for name, value in fields:
        if name == b"connection" and value.lower() not in _NAMES_NOTHING:
            away |= {word.strip().lower() for word in value.split(b",")}
    return away


def _framing(fields: FieldSet) -> bytes:
    if fields.chunked:
        return b"transfer-encoding: chunked\r\n"
    return b"" if fields.content_length is None else b"content-length: %d\r\n" % fields.content_length
