"""How this package wants asyncio's transports: prompt, with small buffers, and with TLS not for longer than needed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, cast

from ligan.intervals import HANDSHAKE, LINGER

_BUFFER = 64 * 1024
"""Bytes that are held for who reads slowly, as asyncio does without TLS; with it, it would hold eight times as many.
Over TLS also the most that is written at once.
"""


def tune(transport: asyncio.BaseTransport) -> None:
    """Send without waiting for acknowledgements (TCP_NODELAY). asyncio itself does so only where `proto` is set, which
    it is not on sockets from `socket.create_server`; a small answer would wait 40 ms for a delayed one.
    """
    line = transport.get_extra_info("socket")
    if line.family in (socket.AF_INET, socket.AF_INET6):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if is_secure(transport):
        cast(asyncio.Transport, transport).set_write_buffer_limits(_BUFFER)


def send(transport: asyncio.WriteTransport, data: bytes) -> None:
    """Write it all. What OpenSSL has encrypted waits in a buffer of its own (BIO_s_mem(3)) that grows to the largest
    write and never shrinks: in pieces, or each kept connection would come to hold the largest photo it ever carried.
    """
    if len(data) <= _BUFFER or not is_secure(transport):
        transport.write(data)
        return
    whole = memoryview(data)
    for begin in range(0, len(data), _BUFFER):
        transport.write(whole[begin : begin + _BUFFER])


def is_secure(transport: asyncio.BaseTransport) -> bool:
    """Whether it speaks TLS."""
    return transport.get_extra_info("sslcontext") is not None


def tls_options(context: ssl.SSLContext | None) -> dict[str, Any]:
    """Of asyncio's calls that make a connection. One that closes waits for the other side's word, but not for long."""
    if context is None:
        return {}
    return {"ssl": context, "ssl_handshake_timeout": HANDSHAKE, "ssl_shutdown_timeout": LINGER}
