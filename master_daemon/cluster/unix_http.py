"""HTTP over a Unix socket, as an adapter of requests: URLs are `http://localhost/PATH`, the socket is the adapter's."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool


class _Connection(HTTPConnection):
    path = ""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class UnixAdapter(HTTPAdapter):
    """Mount it on a `requests.Session`; every request goes to the socket at `path`."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = type("_ConnectionToPath", (_Connection,), {"path": path})
        pool = type("_PoolToPath", (HTTPConnectionPool,), {"ConnectionCls": connection})
        self._pool: HTTPConnectionPool = pool("localhost")

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> HTTPConnectionPool:
        return self._pool

    def close(self) -> None:
        self._pool.close()
        super().close()
