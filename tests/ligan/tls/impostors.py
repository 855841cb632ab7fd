"""Servers in a job's place, each not quite who it should be, that write down every byte of a request they get."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ligan.tls.contexts import DAEMON, name_of
from tests.certificates import another, shown
from tests.ligan.accepting import accepting


def _old_tls() -> ssl.SSLContext:
    context = shown()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


IMPOSTORS: dict[str, Callable[[], ssl.SSLContext | None]] = {
    "no TLS": lambda: None,
    "an authority of its own": lambda: shown(another()),
    "another job's certificate": lambda: shown(name=name_of("1" * 22)),
    "the daemon's certificate": lambda: shown(name=DAEMON),
    "a certificate that has ended": lambda: shown(begins=-5, ends=-1),
    "a certificate that has not begun": lambda: shown(begins=3, ends=4),
    "an old version of TLS": _old_tls,
}


@dataclass
class Impostor:
    """Where it listens, and what it was told."""

    address: tuple[str, int]
    ended: int = 0
    """Calls that are over."""
    heard: list[bytes] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.address[1]

    def serve(self, line: socket.socket, tls: ssl.SSLContext | None) -> None:
        try:
            with line, suppress(OSError):
                line.settimeout(5)
                with line if tls is None else tls.wrap_socket(line, server_side=True) as spoken:
                    said = spoken.recv(65536)
                    if tls or not said.startswith(b"\x16"):  # of the handshake all may know
                        self.heard.append(said)
                    spoken.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}')
        finally:
            self.ended += 1


@contextmanager
def impostor(tls: ssl.SSLContext | None, port: int = 0) -> Iterator[Impostor]:
    with socket.create_server(("127.0.0.1", port)) as listener:
        here = Impostor(listener.getsockname()[:2])
        with accepting(listener, lambda line: here.serve(line, tls)):
            yield here
