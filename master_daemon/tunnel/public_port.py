"""Listening on the public port."""

from __future__ import annotations

import socket

from ligan.doorbell import BACKLOG


def listen(host: str, port: int) -> list[socket.socket]:
    """One listener for each address that `host` means; port 0 lets the kernel choose, the same for all.

    Raises OSError when the port is taken, or the host is not this one.
    """
    listeners: list[socket.socket] = []
    try:
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            chosen = listeners[0].getsockname()[1] if listeners else address[1]
            listeners.append(socket.create_server((address[0], chosen), family=family, backlog=BACKLOG))
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners
