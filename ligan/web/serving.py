"""Serve a Flask application on waitress, on a port of the kernel's choice."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from waitress.server import create_server

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

    def close(self) -> None:
        self._closed.set()
        self._waitress.close()


def listen(app: Flask, host: str, port: int = 0, threads: int = 8) -> Server:
    """Bind and listen. Raises OSError when `port` is taken; port 0 never is."""
    listener = socket.create_server((host, port), backlog=1024)
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
    )
    return Server(host, int(listener.getsockname()[1]), server)
