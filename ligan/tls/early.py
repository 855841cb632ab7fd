"""TLS for a job's first words (`ligan.doorbell`): `ssl` is imported only where it is used, for it takes 10 ms."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

FIELDS = frozenset({"authority", "certificate", "key"})
"""Of `ligan.wire.job.TlsCredentials`: PEM texts."""

Credentials = Mapping[str, str]
Greet = Callable[[socket.socket], socket.socket]


def dial(tls: Credentials | None, address: tuple[str, int], timeout_s: float) -> socket.socket:
    """A line to the daemon, and with `tls` to nobody else. Raises OSError, of which ssl.SSLError is one."""
    line = socket.create_connection(address, timeout_s)
    if tls is None:
        return line
    from ligan.tls.contexts import DAEMON, trusting

    try:
        line = trusting(tls["authority"]).wrap_socket(line, server_hostname=DAEMON)
    except BaseException:
        line.close()
        raise
    line.settimeout(0)
    return line


def greeter(tls: Credentials | None) -> Greet:
    """What makes a line of a caller: the handshake is part of the first reading, and nobody is waited for."""
    if tls is None:
        return lambda caller: caller
    from ligan.tls.contexts import serving

    context = serving(tls["certificate"], tls["key"])

    def greet(caller: socket.socket) -> socket.socket:
        caller.settimeout(0)
        return context.wrap_socket(caller, server_side=True, do_handshake_on_connect=False)

    return greet


def read(line: socket.socket) -> bytes | None:
    """What has come on a line that can be read; None for a part of TLS that is no data yet. Raises OSError."""
    try:
        return line.recv(65536)
    except OSError as error:
        if type(error).__name__ != "SSLWantReadError":  # without `ssl` there is none
            raise
        return None
