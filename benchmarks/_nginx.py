"""nginx with files of its own, as the usual reverse proxy or as a server that costs next to nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from _elsewhere import HERE, Host
from _process import Emitter, end, wait_for

_NGINX = """
daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes {workers};
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  {further}
  server {{
    listen unix:{folder}/ready.socket;
    listen {address}:{port} backlog=2048;
    {listening}
    location / {{ {location} }}
  }}
}}
"""
_KEEPALIVE = "upstream other {{ server {host}; keepalive 64; keepalive_requests 1000000000; }}"
_PROXY = """proxy_pass http://other; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_read_timeout 1h;"""


@dataclass(frozen=True)
class Keys:
    """Files of a server that speaks TLS, and its name."""

    name: str
    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Role:
    """Lines of the configuration."""

    location: str
    further: str = ""
    workers: str = "auto"
    listening: str = ""
    host: Host = HERE


def before(upstream: str, workers: str = "auto") -> Role:
    """A reverse proxy before the server at that URL: unbuffered, HTTP/1.1, kept connections."""
    return Role(_PROXY, _KEEPALIVE.format(host=urlsplit(upstream).netloc), workers)


def before_tls(upstream: str, keys: Keys) -> Role:
    """The same before a server that speaks TLS, whose certificate it verifies."""
    verified = f"""proxy_ssl_verify on; proxy_ssl_trusted_certificate {keys.authority}; proxy_ssl_protocols TLSv1.3;
      proxy_ssl_name {keys.name}; proxy_ssl_server_name on;"""
    location = _PROXY.replace("http://", "https://") + verified
    return Role(location, _KEEPALIVE.format(host=urlsplit(upstream).netloc), "1")


def of_files(folder: Path, keys: Keys, tls_port: int, host: Host = HERE) -> Role:
    """A server of files on that host, with one worker; at `tls_port` the same over TLS."""
    listening = f"""listen {host.address}:{tls_port} ssl backlog=2048; ssl_protocols TLSv1.3;
    ssl_certificate {keys.certificate}; ssl_certificate_key {keys.key};"""
    return Role(f"root {folder};", "open_file_cache max=100;", "1", listening, host)


@contextmanager
def nginx(role: Role) -> Iterator[Emitter | None]:
    """nginx in that role, with files of its own; None where there is none."""
    program = installed("nginx", "nginx-light")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        conf = _NGINX.format(
            folder=folder,
            address=role.host.address,
            port=port,
            location=role.location,
            further=role.further,
            workers=role.workers,
            listening=role.listening,
        )
        (Path(folder) / "nginx.conf").write_text(conf)
        argv = [*role.host.prefix, program, "-p", folder, "-c", "nginx.conf", "-e", "stderr"]
        process = subprocess.Popen(argv, text=True)
        try:
            wait_for((Path(folder) / "ready.socket").exists, process)
            yield Emitter(process, f"http://{role.host.address}:{port}/", [])
        finally:
            process.send_signal(signal.SIGTERM)
            end(process)


def installed(program: str, package: str) -> str | None:
    """A program, from its package where it is missing and this is root; None where it cannot be had."""
    if shutil.which(program) is None and os.geteuid() == 0 and shutil.which("apt-get") is not None:
        argv = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return shutil.which(program)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
