"""Heads of requests, as the public port reads them."""

from __future__ import annotations

from ligan.web.http.head import RequestHead, read_request


def head(method: str = "GET", target: str = "/", peer: str = "10.1.2.3", *fields: tuple[str, str]) -> RequestHead:
    """Through the very parser that the gateway uses; a Host is added where there is none."""
    hosts = () if any(name.lower() == "host" for name, _ in fields) else (("Host", "ligan.example.org"),)
    lines = [f"{name}: {value}\r\n" for name, value in (*hosts, *fields)]
    return read_request(f"{method} {target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1"), peer)
