"""Serve a Flask application on waitress, on a port of the kernel's choice."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from waitress.server import create_server

from ligan.doorbell import BACKLOG

_LOOK = 0.05
"""Seconds between looks at what is in flight."""
_QUIET_LOOKS = 4
"""So often nothing must be seen: what has just reached the kernel is not read yet."""
_CONNECTIONS = 4096
"""At once. Waitress's own 100 are gone when as many pages upload slowly, and then nobody is heard."""


@dataclass(frozen=True)
class Server:
    """A listening server; connections queue in the kernel until `run` or `start`."""

    host: str
    port: int
    _waitress: Any
    _closed: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Serve until `close`."""
        try:
            self._waitress.run()
        except (OSError, ValueError):  # its loop was waiting on what `close` has closed
            if not self._closed.is_set():
                raise

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.run, name=f"server-{self.port}", daemon=True).start()

    def drain(self, timeout_s: float) -> bool:
        """Wait until no request is on its way in or out; False when that takes longer than `timeout_s` seconds.

        New ones are taken all the while: it is for the daemon to send them elsewhere.
        """
        return wait_quiet(self._busy, timeout_s)

    def _busy(self) -> bool:
        # Flask's own hooks would not see an upload before its last byte, nor an answer that waits to be sent.
        channels = list(self._waitress.active_channels.values())
        return any(channel.request or channel.requests or channel.total_outbufs_len for channel in channels)

    def close(self) -> None:
        self._closed.set()
        self._waitress.close()


def wait_quiet(busy: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until a server is not `busy` and stays so for a moment; False when `timeout_s` seconds are over first."""
    deadline = time.monotonic() + timeout_s
    quiet = 0
    while quiet < _QUIET_LOOKS and time.monotonic() <= deadline:
        time.sleep(_LOOK)
        quiet = 0 if busy() else quiet + 1
    return quiet == _QUIET_LOOKS


def listen(app: Flask, host: str, port: int = 0, threads: int = 8) -> Server:
    """Bind and listen. Raises OSError when `port` is taken; port 0 never is."""
    return serve_on(socket.create_server((host, port), backlog=BACKLOG), app, threads)


def serve_on(listener: socket.socket, app: Flask, threads: int = 8) -> Server:
    """A server on a socket that listens already; who has knocked there waits until `run` or `start`."""
    server = create_server(
        app,
        sockets=[listener],
        threads=threads,
        ident=None,
        clear_untrusted_proxy_headers=True,
        max_request_body_size=app.config["MAX_CONTENT_LENGTH"],
        inbuf_overflow=1 << 20,
        channel_timeout=120,
        connection_limit=_CONNECTIONS,
        asyncore_use_poll=True,  # select(2) cannot watch a descriptor above 1023
        backlog=BACKLOG,
    )
    host, port = listener.getsockname()[:2]
    return Server(str(host), int(port), server)
