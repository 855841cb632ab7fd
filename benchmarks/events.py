"""Many open pages, each with its event stream: how quickly an event reaches them, and what that takes.

- daemon: the gateway as it runs, a session for each page; a burst is one stored transaction with one event for each;
- nginx: the usual reverse proxy (unbuffered, HTTP/1.1) before an asyncio server that does nothing but write one event
  to every stream; it stores nothing and knows no sessions;
- bare: that server without nginx, the floor.

The same client opens the same number of pages at each, in one process, from addresses of this machine only. Times are
milliseconds from the moment of emission (for the daemon: its commit) until the client has read the event; each burst
counts every page. `stored_one_by_one` is the daemon with a transaction of its own for every event, as results come in.

nginx is installed by apt when it is missing and this is root; without it its row is left out.

    python benchmarks/events.py [--json] [--pages 1000] [--bursts 20]
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from _report import Figures, machine, parser_of, resident_mib, show, summary
from _sse_pages import Pages

HERE = Path(__file__).parent
_NGINX = """
daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes auto;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    listen unix:{folder}/ready.socket;
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 1h;
    }}
  }}
}}
"""


@dataclass
class Emitter:
    """A server of streams in a process of its own, which emits when told."""

    process: subprocess.Popen[str]
    url: str
    cookies: list[str]

    def tell(self, word: str) -> list[float]:
        """Emit; the moments of emission."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        times: list[float] = _line(self.process)["sent"]
        return times


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--bursts", type=int, default=20)
    arguments = parser.parse_args()
    _allow_open_files()
    show(measure(arguments.pages, arguments.bursts), arguments.json)


def measure(pages: int, bursts: int) -> Figures:
    figures: Figures = {"machine": machine(), "pages": pages}
    with emitter("_sse_emitter.py") as bare:
        figures["bare"] = uvloop.run(deliver(bare, bare.url, pages, bursts, bare.process.pid))
        with nginx(bare.url) as proxy:
            if proxy is None:
                figures["nginx"] = "left out: it is not installed here"
            else:
                figures["nginx"] = uvloop.run(deliver(bare, proxy.url, pages, bursts, proxy.process.pid))
    with emitter("_sse_daemon.py", str(pages)) as daemon:
        figures["daemon"] = uvloop.run(deliver(daemon, daemon.url, pages, bursts, daemon.process.pid, "tasks"))
    return figures


async def deliver(emitter: Emitter, url: str, count: int, bursts: int, server: int, one_by_one: str = "") -> Figures:
    """Figures of one server, which is the process `server`; nginx has children."""
    children = url != emitter.url
    empty = resident_mib(server, children)
    pages = Pages(url, emitter.cookies, count)
    await pages.open()
    try:
        delays = [delay for _ in range(bursts) for delay in await _burst(emitter, pages, "burst")]
        figures: Figures = {"burst_ms": summary(delays)}
        if one_by_one:
            figures["stored_one_by_one_ms"] = summary(await _burst(emitter, pages, one_by_one))
        figures["resident_mib"] = {"empty": empty, "with_pages": resident_mib(server, children)}
    finally:
        pages.close()
    return figures


async def _burst(emitter: Emitter, pages: Pages, word: str) -> list[float]:
    """Milliseconds from emission to arrival; emissions and arrivals of a burst are paired in order."""
    telling = asyncio.create_task(asyncio.to_thread(emitter.tell, word))
    arrived = await pages.take()
    sent = await telling
    await asyncio.sleep(0.05)  # a burst of its own, not the tail of the last
    return [(end - begin) * 1000 for begin, end in zip(sorted(sent), sorted(arrived), strict=True)]


@contextmanager
def emitter(script: str, *arguments: str) -> Iterator[Emitter]:
    """A server script of this folder; it ends when its standard input does."""
    argv = [sys.executable, str(HERE / script), *arguments]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        said = _line(process)
        yield Emitter(process, said["url"], said["cookies"])
    finally:
        assert process.stdin is not None
        process.stdin.close()
        _end(process)


@contextmanager
def nginx(upstream: str) -> Iterator[Emitter | None]:
    """nginx before `upstream`, with files of its own; None where there is none."""
    program = shutil.which("nginx") or _install_nginx()
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        (Path(folder) / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port, upstream=upstream))
        argv = [program, "-p", folder, "-c", "nginx.conf", "-e", "stderr"]
        process = subprocess.Popen(argv, text=True)
        try:
            _wait_for(Path(folder) / "ready.socket", process)
            yield Emitter(process, f"http://127.0.0.1:{port}/", [])
        finally:
            process.send_signal(signal.SIGTERM)
            _end(process)


def _install_nginx() -> str | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    argv = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "nginx-light"]
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return shutil.which("nginx")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert process.poll() is None, "nginx ended at its start; what it printed above says why"
        assert time.monotonic() < deadline, "nginx did not begin to listen within 10 s"
        time.sleep(0.01)


def _line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{process.args!r} ended; what it printed above says why"
    said: dict[str, Any] = json.loads(line)
    return said


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _allow_open_files() -> None:
    """Here and, inherited, in the servers: two descriptors for each page."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 16384), hard))


if __name__ == "__main__":
    main()
