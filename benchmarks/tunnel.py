"""The way of a page's request through the gateway, beside nginx and JupyterHub's configurable-http-proxy.

Every proxy stands before the same server (nginx with one worker and two files), which is measured without a proxy
too. All of this is on loopback, where a request costs a proxy little more than its system calls. In every round each
one gets its turn; figures are the medians of the rounds.

- bare: the server of `ligan.web.http` with one route, in a process of its own;
- daemon: the whole daemon, a page with a session, its frontend replaced by that server;
- nginx-tls, bare-tls: the same two where the server speaks TLS, and its certificate is verified;
- small: a file of 1 kB over 1 connection (p50) and over 32; large: 20 MB over one;
- pages: open event streams through the proxy, from a server that writes one event to each of them (of the daemon:
  its own streams, one stored transaction): milliseconds until the pages have read it, and what the proxy's memory
  grows by. The client that reads all pages is one process and part of these times.

nginx and wrk are installed by apt where they are missing and this is root, the proxy by npm under build/peers.

    python benchmarks/tunnel.py [--json] [--rounds 5] [--seconds 2] [--pages 1000]
"""

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
import uvloop
from _nginx import Keys, before, before_tls, free_port, installed, nginx, of_files
from _peers import LeftOutError, proxy_program
from _process import Emitter, allow_open_files, emitter, end, wait_for
from _report import Figures, machine, parser_of, show
from _wrk import Seen, load
from events import deliver

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
    large: list[Seen] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    """Processor time of the proxy for each request of `many`, which neighbours on a busy machine change least."""

    def turn(self, wrk: str, seconds: float) -> None:
        for seen, name in ((self.one, "small"), (self.large, "large")):
            seen.append(load(wrk, self.url + name, 1, seconds, self.cookie))
        begin = cpu_s(self.pid)
        self.many.append(load(wrk, self.url + "small", 32, seconds, self.cookie))
        self.cpu_us.append((cpu_s(self.pid) - begin) / self.many[-1].requests * 1e6)

    def figures(self) -> Figures:
        return {
            "small_1_p50_us": _median(self.one, lambda seen: seen.p50_us),
            "small_1_per_s": _median(self.one, lambda seen: seen.per_s),
            "small_32_per_s": _median(self.many, lambda seen: seen.per_s),
            "small_32_cpu_us": round(statistics.median(self.cpu_us), 1),
            "large_mb_per_s": _median(self.large, lambda seen: seen.mb_per_s),
        }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--pages", type=int, default=1000)
    arguments = parser.parse_args()
    allow_open_files()
    show(measure(arguments.rounds, arguments.seconds, arguments.pages), arguments.json)


def measure(rounds: int, seconds: float, pages: int) -> Figures:
    wrk = installed("wrk", "wrk")
    if wrk is None or installed("nginx", "nginx-light") is None:
        return {"machine": machine(), "left_out": "nginx or wrk is not installed here"}
    figures: Figures = {"machine": machine(), "rounds": rounds}
    with files() as folder:
        keys, tls_port = keys_in(folder), free_port()
        with nginx(of_files(folder, keys, tls_port)) as other:
            assert other is not None, "nginx was there a moment ago"
            figures |= beside(other, Secure(keys, tls_port), wrk, rounds, seconds)
    figures["ratios"] = {name: _ratios(figures, name) for name in ("bare", "daemon")}
    figures["pages"] = streams(pages)
    figures["load_after"] = round(os.getloadavg()[0], 1)
    return figures


def beside(other: Emitter, secure: Secure, wrk: str, rounds: int, seconds: float) -> Figures:
    """All proxies before that server, in turn."""
    with proxies(other, secure) as measured:
        for _ in range(rounds):
            for proxy in measured.values():
                proxy.turn(wrk, seconds)
        return {name: proxy.figures() for name, proxy in measured.items()}


class Secure(NamedTuple):
    """The same server over TLS."""

    keys: Keys
    port: int


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
def files() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # nginx's worker is another user
        (Path(folder) / "small").write_bytes(bytes(_SMALL))
        (Path(folder) / "large").write_bytes(bytes(_LARGE))
        yield Path(folder)


@contextmanager
def proxies(other: Emitter, secure: Secure) -> Iterator[dict[str, Proxy]]:
    """All of them before that server; `direct` is the server itself."""
    port = str(urlsplit(other.url).port)
    with ExitStack() as stack:
        found = {"direct": Proxy(other.url, other.process.pid)}
        proxy = stack.enter_context(nginx(before(other.url, "1")))
        if proxy is not None:
            found["nginx"] = Proxy(proxy.url, proxy.process.pid)
        chp = stack.enter_context(configurable_http_proxy(other.url))
        if chp is not None:
            found["configurable-http-proxy"] = Proxy(chp.url, chp.process.pid)
        bare = stack.enter_context(emitter("_tunnel_bare.py", port))
        found["bare"] = Proxy(bare.url, bare.process.pid)
        tls = stack.enter_context(nginx(before_tls(secure.port, secure.keys)))
        if tls is not None:
            found["nginx-tls"] = Proxy(tls.url, tls.process.pid)
        named = (str(secure.port), secure.keys.name, str(secure.keys.authority))
        bare_tls = stack.enter_context(emitter("_tunnel_bare.py", *named))
        found["bare-tls"] = Proxy(bare_tls.url, bare_tls.process.pid)
        daemon = stack.enter_context(emitter("_tunnel_daemon.py", port))
        found["daemon"] = Proxy(daemon.url, daemon.process.pid, daemon.cookies[0])
        yield found


def streams(count: int) -> Figures:
    """Open pages through each proxy."""
    figures: Figures = {}
    with emitter("_sse_emitter.py") as source:
        ways = {
            "nginx": nginx(before(source.url, "1")),
            "configurable-http-proxy": configurable_http_proxy(source.url),
            "bare": emitter("_tunnel_bare.py", str(urlsplit(source.url).port)),
        }
        for name, way in ways.items():
            with way as proxy:
                if proxy is not None:
                    figures[name] = uvloop.run(deliver(source, proxy.url, count, 20, proxy.process.pid))
    with emitter("_sse_daemon.py", str(count)) as daemon:
        figures["daemon"] = uvloop.run(deliver(daemon, daemon.url, count, 20, daemon.process.pid))
    return figures


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


def _ratios(figures: Figures, name: str) -> Figures:
    ours = figures[name]
    ratios: Figures = {}
    for peer in ("nginx", "configurable-http-proxy"):
        if peer in figures:
            for what in ("small_32_per_s", "large_mb_per_s"):
                ratios[f"{what}_to_{peer}"] = round(ours[what] / figures[peer][what], 2)
            ratios[f"small_32_cpu_of_{peer}"] = round(ours["small_32_cpu_us"] / figures[peer]["small_32_cpu_us"], 2)
            ratios[f"small_1_p50_us_more_than_{peer}"] = round(
                ours["small_1_p50_us"] - figures[peer]["small_1_p50_us"], 1
            )
    return ratios


if __name__ == "__main__":
    main()
