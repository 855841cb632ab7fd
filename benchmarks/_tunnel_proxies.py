"""The proxies that `tunnel.py` measures, each before the same server of files."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil
from _elsewhere import Host
from _nginx import Keys, before, before_tls, free_port, nginx, of_files
from _peers import LeftOutError, proxy_program
from _process import Emitter, emitter, end, wait_for
from _report import Figures
from _wrk import Seen, load

from ligan.ids import new_id
from ligan.tls.contexts import name_of
from master_daemon.authority.authority import Authority

_SMALL, _LARGE = 1000, 20_000_000
_DAY = 86400.0


@dataclass
class Proxy:
    """One of them, and what was seen of it."""

    url: str
    pid: int
    cookie: str = ""
    one: list[Seen] = field(default_factory=list)
    many: list[Seen] = field(default_factory=list)
    fresh: list[Seen] = field(default_factory=list)
    large: list[Seen] = field(default_factory=list)
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    """Processor time of the proxy for each request of `many` and `fresh`, which neighbours on a busy machine change
    least.
    """

    def turn(self, wrk: str, seconds: float) -> None:
        for seen, name in ((self.one, "small"), (self.large, "large")):
            seen.append(load(wrk, self.url + name, 1, seconds, self.cookie))
        for seen, what in ((self.many, "small"), (self.fresh, "fresh")):
            begin = cpu_s(self.pid)
            seen.append(load(wrk, self.url + "small", 32, seconds, self.cookie, fresh=what == "fresh"))
            self.cpu_us.setdefault(what, []).append((cpu_s(self.pid) - begin) / seen[-1].requests * 1e6)

    def figures(self) -> Figures:
        return {
            "small_1_p50_us": _median(self.one, lambda seen: seen.p50_us),
            "small_1_per_s": _median(self.one, lambda seen: seen.per_s),
            "small_32_per_s": _median(self.many, lambda seen: seen.per_s),
            "small_32_cpu_us": round(statistics.median(self.cpu_us["small"]), 1),
            "fresh_32_per_s": _median(self.fresh, lambda seen: seen.per_s),
            "fresh_32_cpu_us": round(statistics.median(self.cpu_us["fresh"]), 1),
            "large_mb_per_s": _median(self.large, lambda seen: seen.mb_per_s),
        }


class Files(NamedTuple):
    """The server of files, and where it speaks TLS."""

    server: Emitter
    tls_url: str
    keys: Keys


@contextmanager
def files_on(host: Host) -> Iterator[Files]:
    """nginx with the two files, on that host."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker is another user
        (folder / "small").write_bytes(bytes(_SMALL))
        (folder / "large").write_bytes(bytes(_LARGE))
        keys, tls_port = keys_in(folder), free_port()
        with nginx(of_files(folder, keys, tls_port, host)) as server:
            assert server is not None, "nginx was there a moment ago"
            yield Files(server, f"https://{host.address}:{tls_port}/", keys)


def keys_in(folder: Path) -> Keys:
    """Files of a job's certificate."""
    authority, name, now = Authority.new(time.time()), name_of(new_id()), time.time()
    issued = authority.issue(name, now, now + _DAY)
    keys = Keys(name, folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
    for path, text in (
        (keys.authority, authority.certificate),
        (keys.certificate, issued.certificate),
        (keys.key, issued.key),
    ):
        path.write_text(text)
    return keys


@contextmanager
def proxies(files: Files) -> Iterator[dict[str, Proxy]]:
    """All of them before that server; `direct` is the server itself."""
    url, keys = files.server.url, files.keys
    ways = {
        "nginx": nginx(before(url, "1")),
        "configurable-http-proxy": configurable_http_proxy(url),
        "floor": emitter("_tunnel_floor.py", *place(url)),
        "bare": emitter("_tunnel_bare.py", *place(url)),
        "nginx-tls": nginx(before_tls(files.tls_url, keys)),
        "bare-tls": emitter("_tunnel_bare.py", *place(files.tls_url), keys.name, str(keys.authority)),
        "daemon": emitter("_tunnel_daemon.py", *place(url)),
    }
    with ExitStack() as stack:
        found = {"direct": Proxy(url, files.server.process.pid)}
        for name, way in ways.items():
            proxy = stack.enter_context(way)
            if proxy is not None:
                found[name] = Proxy(proxy.url, proxy.process.pid, *proxy.cookies[:1])
        yield found


def place(url: str) -> tuple[str, str]:
    """Host and port, as words."""
    parts = urlsplit(url)
    return str(parts.hostname), str(parts.port)


@contextmanager
def configurable_http_proxy(other: str) -> Iterator[Emitter | None]:
    """JupyterHub's proxy before that server; None where it cannot be had."""
    try:
        program = proxy_program()
    except LeftOutError:
        yield None
        return
    port = free_port()
    argv = [str(program), "--ip=127.0.0.1", f"--port={port}", f"--api-port={free_port()}", f"--default-target={other}"]
    argv += ["--log-level=error"]
    process = subprocess.Popen(argv, text=True, env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": "x"})
    try:
        wait_for(lambda: _listens(port), process)
        yield Emitter(process, f"http://127.0.0.1:{port}/", [])
    finally:
        process.terminate()
        end(process)


def _listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def cpu_s(pid: int) -> float:
    """Processor time of a process and its children so far, in seconds."""
    process = psutil.Process(pid)
    times = [member.cpu_times() for member in (process, *process.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))


def _median(seen: list[Seen], value: Callable[[Seen], float]) -> float:
    return round(statistics.median(map(value, seen)), 1)
