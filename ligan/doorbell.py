"""A job's first words, before any import that takes long: listen, register, answer the daemon's challenge.

Only the standard library's light half is used here: `http.client` alone would take as long as all of this. The
listening socket then goes to the real server; what comes in between waits in the kernel's backlog.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Mapping

from ligan import PROTOCOL
from ligan.identity import answer, matches
from ligan.intervals import CALL_TIMEOUT
from ligan.tls import early

BACKLOG = 1024
"""Connections that the kernel holds until the server takes them."""
_PAUSE = 0.2
"""Seconds between tries to register."""
_FAREWELL = 0.2
"""Seconds for callers in the middle of their request once the daemon has heard."""
_MAX_REQUEST = 16384
"""Bytes of a request that is answered here: a challenge has 300."""
_NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "nonce": str,
    "token": str,
    "daemon_url": str,
    "bind_host": str,
    "orphan_lease_s": (int, float),
}
_TITLES = {
    "not-authorised": (403, "This caller may not do that"),
    "invalid-parameters": (422, "Some parameters are not valid"),
    "backend-not-ready": (503, "The backend is not ready yet"),
    "frontend-not-ready": (503, "The web server is starting"),
    "trial-not-ready": (503, "The test job is starting"),
}
"""As in `ligan.problem.CATALOGUE`, which would bring pydantic in."""
_REASONS = {200: "OK", 403: "Forbidden", 422: "Unprocessable Entity", 503: "Service Unavailable"}

Document = Mapping[str, object]


class Doorbell:
    """The job's listening socket, and who it belongs to."""

    def __init__(self, text: str, role: str) -> None:
        """`text` is the bootstrap document. Raises SystemExit as `ligan.job.parse_bootstrap`, OSError as bind(2)."""
        self._document = _plain(text, role) or _checked(text, role)
        self.listener = socket.create_server((str(self._document["bind_host"]), 0), backlog=BACKLOG)

    def ring(self) -> None:
        """Register where this job listens. Raises SystemExit when the daemon refuses or the lease is over."""
        guests = Guests(self.listener, self._document)
        announce(self._document, self.listener.getsockname()[1], guests)
        guests.see_off()


class NotHeardError(Exception):
    """The daemon did not take a call."""

    def __init__(self, message: str, final: bool = False) -> None:
        self.final = final
        """It said no. A fault of its own (5xx) says nothing of this job and passes."""
        super().__init__(message)


def announce(document: Document, port: int, guests: Guests | None = None) -> None:
    """Tell the daemon that this job listens on `port`, until it hears or the lease is over (SystemExit).

    `guests` answers the challenge meanwhile; without it, a server that runs already does.
    """
    deadline = time.monotonic() + float(str(document["orphan_lease_s"]))
    while True:
        try:
            return _register(document, port, guests)
        except (NotHeardError, OSError) as error:
            refusal = error if isinstance(error, NotHeardError) else _unreachable(error)
            if refusal.final or time.monotonic() > deadline:
                raise SystemExit(f"The daemon does not take this job: {refusal}") from refusal
            time.sleep(_PAUSE)


def _register(document: Document, port: int, guests: Guests | None) -> None:
    host, at, path = _split(str(document["daemon_url"]))
    with early.dial(_tls(document), (host, at), CALL_TIMEOUT) as line:
        message = {
            "host": line.getsockname()[0],  # the address of this host from which the daemon's is reached
            "port": port,
            "pid": os.getpid(),
            "job_id": os.environ.get("SLURM_JOB_ID"),
            "protocol": PROTOCOL,
        }
        # Version 1.0: the answer comes in one piece, and ends with the connection
        head = (
            f"POST {path}/cluster/v1/register HTTP/1.0",
            f"Host: {host}:{at}",
            f"Authorization: Bearer {document['token']}",
            f"X-Ligan-Job: {document['nonce']}",
        )
        line.sendall(_message(head, "application/json", message))
        _judge(_receive(line, guests, time.monotonic() + CALL_TIMEOUT))


def _receive(line: socket.socket, guests: Guests | None, deadline: float) -> bytes:
    """All that comes on `line`. Raises TimeoutError at `deadline` (time.monotonic()), OSError when it breaks."""
    answer = b""
    while True:
        ready = _ready([line, *(guests.sockets if guests else ())], deadline)
        if not ready:
            raise TimeoutError("no answer in time")
        if line in ready:
            chunk = early.read(line)
            answer += chunk or b""
            if chunk == b"":
                return answer
        if guests:
            guests.attend(ready)


def _judge(response: bytes) -> None:
    """Raises NotHeardError unless it is an answer of 2xx."""
    head, _, body = response.partition(b"\r\n\r\n")
    status_line, *headers = head.decode("latin-1").split("\r\n")
    status = status_line.partition(" ")[2]
    if status.startswith("2"):
        return
    problem = _json(body) if "content-type: application/problem+json" in "\n".join(headers).lower() else None
    if not isinstance(problem, dict):
        raise NotHeardError(f"unreachable: POST /register answered {status or 'nothing'}.")
    slug, final = str(problem.get("type")).rpartition(":")[2], status < "5"
    raise NotHeardError(f"{slug}: {problem.get('detail')}", final)


def _unreachable(error: OSError) -> NotHeardError:
    return NotHeardError(f"unreachable: POST /register: {type(error).__name__}; try again in a moment.")


class Guests:
    """Who calls before the server is there: the daemon with its challenge; anybody else is told to come later."""

    def __init__(self, listener: socket.socket, document: Document) -> None:
        self._listener = listener
        self._token = str(document["token"])
        self._not_ready = f"{document['role']}-not-ready"
        self._greet = early.greeter(_tls(document))
        self._heard: dict[socket.socket, bytes] = {}

    @property
    def sockets(self) -> list[socket.socket]:
        """What to wait for until something can be read."""
        return [self._listener, *self._heard]

    def attend(self, ready: list[socket.socket]) -> None:
        """Take new callers, read on, and answer whose request is whole."""
        if self._listener in ready:
            self._let_in(self._listener.accept()[0])
        for guest in [guest for guest in self._heard if guest in ready]:
            try:
                self._listen_to(guest)
            except OSError:  # it hung up: its own affair
                self._close(guest)

    def see_off(self) -> None:
        """Finish with those who are here, for a moment; new ones are the server's."""
        deadline = time.monotonic() + _FAREWELL
        while self._heard and (ready := _ready(list(self._heard), deadline)):
            self.attend(ready)
        for guest in list(self._heard):
            self._close(guest)

    def _let_in(self, caller: socket.socket) -> None:
        try:
            self._heard[self._greet(caller)] = b""
        except OSError:  # as above
            caller.close()

    def _listen_to(self, guest: socket.socket) -> None:
        chunk = early.read(guest)
        if chunk is None:
            return
        self._heard[guest] += chunk
        request = _whole(self._heard[guest])
        if request is not None:
            guest.sendall(self._answer(*request))
        if request is not None or not chunk or len(self._heard[guest]) > _MAX_REQUEST:
            self._close(guest)

    def _close(self, guest: socket.socket) -> None:
        del self._heard[guest]
        guest.close()

    def _answer(self, start: str, headers: Mapping[str, str], body: bytes) -> bytes:
        method, path = (*start.split(" "), "", "")[:2]
        if (method, path) == ("POST", "/challenge"):
            return self._prove(_json(body))
        if path == "/healthz":
            return _response(200, {"ok": True})
        if not matches(headers.get("authorization", ""), f"Bearer {self._token}"):
            return _problem("not-authorised", "This address is for the LiGAN daemon that started this job.")
        return _problem(self._not_ready, "It is starting; ask again in a second.")

    def _prove(self, message: object) -> bytes:
        challenge = message.get("challenge") if isinstance(message, dict) else None
        if not isinstance(challenge, str) or not 16 <= len(challenge) <= 128:
            return _problem("invalid-parameters", "challenge: Input should be a string of 16 to 128 characters.")
        return _response(200, {"answer": answer(self._token, challenge)})


def _ready(sockets: list[socket.socket], deadline: float) -> list[socket.socket]:
    return select.select(sockets, (), (), max(0.0, deadline - time.monotonic()))[0]


def _whole(request: bytes) -> tuple[str, dict[str, str], bytes] | None:
    """(request line, headers by lower-case name, body), or None while something is missing."""
    head, end, body = request.partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "0")
    missing = not end or (length.isdecimal() and len(body) < int(length))
    return None if missing else (start, headers, body)


def _response(status: int, content: object, kind: str = "application/json", *more: str) -> bytes:
    head = (f"HTTP/1.1 {status} {_REASONS[status]}", "Connection: close", *more)
    return _message(head, kind, content)


def _problem(slug: str, detail: str) -> bytes:
    status, title = _TITLES[slug]
    document = {"type": f"urn:ligan:problem:{slug}", "title": title, "status": status, "detail": detail}
    later = ("Retry-After: 1",) if status == 503 else ()
    return _response(status, document, "application/problem+json", *later)


def _message(head: tuple[str, ...], kind: str, content: object) -> bytes:
    body = json.dumps(content).encode()
    lines = (*head, f"Content-Type: {kind}", f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(lines).encode("latin-1") + body


def _json(text: str | bytes) -> object:
    """What the text says, or None where it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _split(url: str) -> tuple[str, int, str]:
    """(host, port, path without a slash at its end) of an http or https address, which names its port."""
    place, _, path = url.partition("://")[2].partition("/")
    host, _, port = place.partition(":")
    return host, int(port or 80), f"/{path}".rstrip("/")


def _plain(text: str, role: str) -> Document | None:
    """The document when it is plainly one for this role. The job itself reads it in full once it has registered."""
    document = _json(text)
    if not isinstance(document, dict) or document.get("role") != role:
        return None
    fits = all(isinstance(document.get(name), kind) for name, kind in _NEEDED.items())
    scheme = "http://" if document.get("tls") is None else "https://"
    return document if fits and _tls_fits(document) and str(document["daemon_url"]).startswith(scheme) else None


def _tls(document: Document) -> early.Credentials | None:
    tls = document.get("tls")
    return tls if isinstance(tls, dict) else None


def _tls_fits(document: Document) -> bool:
    tls = document.get("tls")
    if not isinstance(tls, dict):
        return tls is None
    return tls.keys() == early.FIELDS and all(isinstance(text, str) for text in tls.values())


def _checked(text: str, role: str) -> Document:
    """The slow way, for whatever is not plain: all defaults filled in, or words for what is wrong."""
    from ligan.job import parse_bootstrap

    bootstrap = parse_bootstrap(text, role)
    checked: Document = json.loads(bootstrap.model_dump_json())
    return checked
