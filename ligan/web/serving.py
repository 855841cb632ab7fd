"""Serve a Flask application on waitress, on a port of the kernel's choice."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import Any

from flask import Flask
from waitress.server import create_server


@dataclass(frozen=True)
class Server:
    """A listening server; connections queue in the kernel until `run` or `start`."""

    host: str
    port: int
    _waitress: Any

    def run(self) -> None:
        """Serve until `close`."""
        self._waitress.run()

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.run, name=f"server-{self.port}", daemon=True).start()

    def close(self) -> None:
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
    )
    return Server(host, int(listener.getsockname()[1]), server)
