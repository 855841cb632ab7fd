"""A second request hidden in the first, which only one of two servers sees. After RFC 9112 section 11.2 and
PortSwigger's "HTTP desync attacks". Whatever is sent here is one request at most: a second answer is a way in.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.framing import AmbiguousError, targets
from tests.attack.house import House
from tests.attack.recorder import Notes
from tests.attack.wire import Address, Answer, exchange, request

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
_PATHS = ("/echo", "/api/v1/tasks", "/api/v1/session", "/api/v1/uploads", "/login")
_AT_ONCE = 48
"""Most of them wait: a request that is not complete gets no answer."""
_PATIENCE_S = 3.0
_HONEST = 5
"""Requests without any fault, by which it shows that the frontend is reached and noted."""
_REFUSED = (400, 404, 408, 413, 417, 426, 431, 501, 505)
"""Said of something that is no request, or of none that is answered here."""

_CODINGS = (
    "chunked", "Chunked", "CHUNKED", " chunked", "\tchunked", "chunked ", "chunked\t", "  chunked  ",
    "chunked, identity", "identity, chunked", "chunked, chunked", "gzip, chunked", ", chunked", "chunked,",
    "identity", "xchunked", "x-chunked", "chunkedx", "chunked;q=1", "chunked;foo", "chun ked", '"chunked"',
    "'chunked'", "cow", "", "\x0bchunked", "chunked\x0b", "\x0cchunked", "chunked\x00", "\x00chunked", "\x85chunked",
    "\xa0chunked", "chunked\xff", "chunked\r\n ", "chunked\r\n\t", "\r\n chunked", "\r\n\tchunked",
    "identity\r\n chunked", "chunked\r", "\rchunked",
)  # fmt: skip
_CODING_NAMES = (
    *("Transfer-Encoding ", "Transfer-Encoding\t", " Transfer-Encoding", "\tTransfer-Encoding", "Transfer_Encoding"),
    *("transfer-encoding", "TRANSFER-ENCODING", "tRANSFER-eNCODING", "Transfer-Encoding\x00", "Transfer\x00-Encoding"),
    *("Transfer-\xcbncoding", "X: y\nTransfer-Encoding", "X: y\rTransfer-Encoding", "X: y\r\n Transfer-Encoding"),
    *("X: y\r\n\x00Transfer-Encoding", "X: y\x00Transfer-Encoding", "X\r\nTransfer-Encoding", "\x0bTransfer-Encoding"),
    *("Transfer Encoding", "Transfer-Encoding:", "TE\r\nTransfer-Encoding", "Content-Encoding", "TE"),
)  # fmt: skip
_NOTHING = (
    "+0",
    "-0",
    "0,0",
    "0, 0",
    "0x0",
    "0e0",
    "0.0",
    "0\x00",
    "\x000",
    "0_0",
    "0 0",
    "0;",
    "\xb20",
    "\u0660",
    "",
    "null",
)
_LENGTHS = (
    "+%d", "-%d", "%d,%d", "%d, %d", "0x%x", "%de0", "%d.0", "%d\x00", "%d;", "%d a", "1_%d", "%d\r\n %d",
    "999999999999999999999999", "18446744073709551616", "-1", "%d\x0b",
)  # fmt: skip
_SIZES = (
    "+%x", "-%x", "0x%x", "0X%x", " %x", "%x ", "\t%x", "%x\t", "%x,%x", "%x\x00", "\x00%x", "%x_", "%x.", "%xg",
    "ffffffffffffffff%x", "-1", "", "%x\r", "%x\n", "\n%x", "%x;\n", "%x;a\nb", "%x;\rb", "%x;\x00",
    '%x;a="\r\n0\r\n\r\n"', "%x;a=\n0\n\n",
)  # fmt: skip
_ENDINGS = ("\n", "\r", "\n\r", "\r\r\n", "\x00\r\n", "\x0b\r\n", "\x85", "\u2028")


def _post(path: str, *lines: str, version: str = "1.1") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"POST {path} HTTP/{version}", "Host: x", *lines))
    return f"{head}\r\n".encode("latin-1", "replace")


def two_framings(path: str) -> Iterator[tuple[str, bytes]]:
    """Content-Length and Transfer-Encoding, each way round, the second written oddly."""
    ended, chunked = b"0\r\n\r\n" + HIDDEN, b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    codings = [f"Transfer-Encoding: {value}" for value in _CODINGS]
    for line in (*codings, *(f"{name}: chunked" for name in _CODING_NAMES)):
        for body, length in ((ended, len(ended)), (chunked, 4)):
            given = f"Content-Length: {length}"
            whole = length == len(body)
            if not whole and line.startswith(("Content-Enc", "TE:", "Transfer_")):
                continue  # its length is the only framing that there is, and what follows is another request
            yield f"{given} and {line!r}", _post(path, given, line) + body
            yield f"{line!r} and {given}", _post(path, line, given) + body
    for one, other in itertools.permutations(("chunked", "identity", "x", "Chunked"), 2):
        lines = (f"Transfer-Encoding: {one}", f"Transfer-Encoding: {other}")
        yield f"Transfer-Encoding {one} and {other}", _post(path, *lines) + chunked
    yield "HTTP/1.0 with chunks", _post(path, "Transfer-Encoding: chunked", version="1.0") + chunked
    lines = ("Connection: keep-alive", "Transfer-Encoding: chunked", "Content-Length: 4")
    yield "HTTP/1.0 kept, both", _post(path, *lines, version="1.0") + chunked


def lengths(path: str) -> Iterator[tuple[str, bytes]]:
    """Lengths that are none, given twice or in an odd way."""
    size = len(HIDDEN)
    for value in _NOTHING:
        yield f"Content-Length: {value!r}", _post(path, f"Content-Length: {value}") + HIDDEN
    for value in _LENGTHS:
        given = value % ((size,) * value.count("%"))
        yield f"Content-Length: {given!r}", _post(path, f"Content-Length: {given}") + HIDDEN
    for one, other in ((0, size), (size, 0), (size, size), (0, 0)):
        lines = (f"Content-Length: {one}", f"content-length: {other}")
        yield f"Content-Length {one} and {other}", _post(path, *lines) + HIDDEN
    for name in (
        "Content-Length ",
        "Content-Length\t",
        "Content-Length\x00",
        "X: y\nContent-Length",
        "X: y\rContent-Length",
    ):
        yield f"{name!r}", _post(path, f"Content-Length: {size}", f"{name}: 0") + HIDDEN
        yield f"{name!r} alone", _post(path, f"{name}: {size}") + HIDDEN
    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        lines = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        yield f"{method} with a body", lines.encode() + HIDDEN


def chunks(path: str) -> Iterator[tuple[str, bytes]]:
    """Chunks whose size, extension or end can be read in two ways."""
    head, size = _post(path, "Transfer-Encoding: chunked"), len(HIDDEN)
    for value in _SIZES:
        line = (value % ((size,) * value.count("%"))).encode("latin-1")
        for end in (b"\r\n", b"\n"):
            yield f"size {line!r} {end!r}", head + line + end + HIDDEN + b"\r\n0\r\n\r\n"
    for end in (b"", b"\n", b"\r", b"xx", b"\r\r\n", b"\x00\r\n"):
        yield f"a chunk's end {end!r}", head + b"1\r\na" + end + HIDDEN + b"0\r\n\r\n"
        yield f"the last chunk's end {end!r}", head + b"0" + end + HIDDEN
    for line in (
        "Content-Length: 0",
        "Transfer-Encoding: identity",
        "X: y\n\nGET /hidden",
        "Host: evil",
        "X-Ligan-Session: s-1",
    ):
        yield f"trailer {line!r}", head + f"0\r\n{line}\r\n".encode() + b"\r\n"
    yield "extension without end", head + b"1;" + b"a" * 200_000 + HIDDEN


def lines(path: str) -> Iterator[tuple[str, bytes]]:
    """Lines that end, begin or fold oddly."""
    rest = HIDDEN.decode()
    for end in _ENDINGS:
        for text in (
            f"GET {path} HTTP/1.1{end}Host: x{end}{end}{rest}",
            f"GET {path} HTTP/1.1\r\nHost: x{end}{end}{rest}",
            f"GET {path} HTTP/1.1\r\nHost: x\r\nX: y{end}{end}{rest}",
            f"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(HIDDEN)}{end}X: y\r\n\r\n{rest}",
            f"GET {path}{end}{rest}",
        ):
            yield f"lines that end in {end!r}: {text[:40]!r}", text.encode("utf-8")
    for first in (
        f"GET  {path} HTTP/1.1", f"GET\t{path}\tHTTP/1.1", f" GET {path} HTTP/1.1", f"GET {path} HTTP/1.1 ",
        f"GET {path}", f"GET {path} HTTP/0.9", f"GET {path} HTTP/1.2", f"GET {path} HTTP/2.0",
        f"GET {path} HTTP/11.1", f"get {path} HTTP/1.1", f"GET\x00 {path} HTTP/1.1", f"GET {path}\x00 HTTP/1.1",
        f"GET {path} x HTTP/1.1", f"GET {path} HTTP/1.1 GET /hidden HTTP/1.1", f"GET {path} http/1.1",
        "PRI * HTTP/2.0", f"GET {path}#a HTTP/1.1", f"BREW {path} HTTP/1.1", f"GET {path} RTSP/1.0",
        f"G\x0bET {path} HTTP/1.1", "CONNECT hidden:80 HTTP/1.1",
    ):  # fmt: skip
        for ahead in ("", "SM\r\n\r\n"):
            if "HTTP/1.1 " not in first and "#" not in first and ahead:
                continue
            yield (
                f"first line {first!r}",
                f"{first}\r\nHost: x\r\nContent-Length: {len(rest)}\r\n\r\n{rest}".encode("latin-1"),
            )
    for field in (
        "X y",
        ": y",
        "X : y",
        " X: y",
        "X: y\r\n z",
        "X: y\x00z",
        "X\x00: y",
        "Host : x",
        "Host: y",
        "(X): y",
        "X\xff: y",
    ):
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\n{field}\r\nContent-Length: {len(rest)}\r\n\r\n{rest}"
        yield f"field {field!r}", head.encode("latin-1")
    yield "no host", f"GET {path} HTTP/1.1\r\nContent-Length: {len(rest)}\r\n\r\n{rest}".encode()


def promises(path: str) -> Iterator[tuple[str, bytes]]:
    """Expect, Upgrade, and requests sent ahead behind one that is refused."""
    size = len(HIDDEN)
    for value in ("100-continue", "100-Continue", "100-continue ", "x 100-continue", "100-continue, x", "y"):
        yield f"Expect: {value!r}", _post(path, f"Expect: {value}", f"Content-Length: {size}") + HIDDEN
        yield f"Expect: {value!r}, too large", _post(path, f"Expect: {value}", "Content-Length: 999999999") + HIDDEN
    for value in ("h2c", "websocket", "TLS/1.0", "HTTP/2.0", "h2c, websocket"):
        lines = (f"Upgrade: {value}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
        key = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
        yield f"Upgrade: {value}", _post(path, *lines, *key, f"Content-Length: {size}") + HIDDEN
    for line in ("Content-Length: x", "Transfer-Encoding: x", "Host: y", "X Y", f"X: {'y' * 40_000}"):
        yield f"behind a refused {line[:20]!r}", _post(path, line) + HIDDEN * 3
    yield "behind a head of too many fields", _post(path, *(f"X-{number}: y" for number in range(200))) + HIDDEN


KINDS = (two_framings, lengths, chunks, lines, promises)


class Victim:
    """Somebody who does nothing wrong meanwhile, and must get their own answers."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.asked = 0
        self.wrong: list[str] = []

    def __enter__(self) -> Victim:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(20)

    def _work(self) -> None:
        while not self._stopping.wait(0.01):
            self.asked += 1
            answer = request(self._address, "GET", f"/login?victim={self.asked}&next=/v{self.asked}")
            if answer.status != 200 or f'"/v{self.asked}"' not in answer.text:
                self.wrong.append(f"{answer.status} {answer.text[:200]}")


def _let_in(answers: list[Answer]) -> str:
    """Why it looks as if a second request was answered, or another protocol taken."""
    if any(answer.status == 101 or b"/hidden" in answer.body for answer in answers):
        return f"the hidden request's answer: {answers}"
    further = [answer.status for answer in answers[1:] if answer.status not in _REFUSED or answer.status == 404]
    return f"further answers: {further}" if further else ""


def _try(count: Count, lock: threading.Lock, what: str, address: Address, data: bytes) -> None:
    head = data.find(b"\r\n") + 5
    apart = ((data[:head], data[head:]), (data[:-7], data[-7:])) if b" /echo " in data else ()
    for pieces in ((data,), *apart):
        answers = exchange(address, *pieces, timeout_s=_PATIENCE_S)
        with lock:
            count.attack(f"{what} to {address[1]}", _let_in(answers))
            for answer in answers:
                if answer.status >= 500 and answer.status not in (501, 505, 503):
                    count.crash(f"{what}: answered {answer.status}")


@family(recorded=True)
def smuggling(house: House, count: Count) -> None:
    """a second request hidden in the first, at every port; what the frontend saw is read again, byte by byte"""
    house.prey("alice", images=False)
    cookie = f"Cookie: ligan_session={house.people['alice'].cookie}\r\nOrigin: {house.url}\r\n".encode()
    backend = house.ask("SELECT host, port FROM jobs WHERE role = 'backend' AND state = 'READY'")[0]
    doors: list[tuple[Address, tuple[str, ...], bytes]] = [
        (house.public, _PATHS, cookie),
        (house.public, ("/echo",), b""),
        (house.cluster, ("/cluster/v1/heartbeat", "/nowhere"), b""),
        ((str(backend[0]), int(backend[1])), ("/tasks", "/healthz"), b""),
    ]
    lock = threading.Lock()
    before = len(Notes(house.folder).seen())
    honest = {"Cookie": f"ligan_session={house.people['alice'].cookie}", "Origin": house.url}
    for number in range(_HONEST):
        request(house.public, "POST", f"/honest/{number}", honest, b"nothing is hidden here")
    with Victim(house.public) as victim, ThreadPoolExecutor(_AT_ONCE) as pool:
        number = itertools.count()
        step = round(100 / house.many(100))
        for address, paths, proof in doors:
            for path, kind in itertools.product(paths, KINDS):
                for what, data in kind(path):
                    if next(number) % step == 0:
                        pool.submit(
                            _try, count, lock, what, address, data.replace(b"Host: x\r\n", b"Host: x\r\n" + proof, 1)
                        )
    count.attack(f"{victim.asked} answers to somebody else", victim.wrong or (not victim.asked and "no victim"))
    _read_again(house, count, before)


def _read_again(house: House, count: Count, before: int) -> None:
    """Every byte that reached the frontend can be read in one way only, and says what its application understood."""
    notes, read = Notes(house.folder), []
    for line in notes.lines():
        try:
            read += targets(line)
        except AmbiguousError as error:
            count.attack("bytes that reached the frontend", f"can be read in two ways: {error}")
    seen = [request["target"] for request in notes.seen()]
    asked = [target for target in read if target not in ("/challenge", "/healthz", "/leave")]
    count.attack("requests that reached the frontend", sorted(seen) != sorted(asked) and f"{len(seen)}, {len(asked)}")
    count.attack("hidden requests that reached it", [target for target in seen if "hidden" in target])
    count.attack("requests reached it at all", len(seen) - before < _HONEST and "too few: nothing was proved")
