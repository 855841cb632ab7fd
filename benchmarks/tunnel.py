"""The way of a page's request through the gateway, beside nginx and JupyterHub's configurable-http-proxy.

Every proxy stands before the same server (nginx with one worker and two files), which is measured without a proxy
too. That server is once on loopback, where a request costs a proxy little more than its system calls, and once on
another host: a network namespace behind a link of its own, as root. In every round each proxy gets its turn; figures
are the medians of the rounds.

- floor: a relay of bytes in Python that reads none of them, over connections made beforehand: what Python costs;
- bare: the server of `ligan.web.http` with one route, in a process of its own;
- daemon: the whole daemon, a page with a session, its frontend replaced by that server;
- nginx-tls, bare-tls: the same two where the server speaks TLS, and its certificate is verified;
- small: a file of 1 kB over 1 connection (p50) and over 32; fresh: the same, each with a target that was never asked
  for before; large: 20 MB over one;
- pages: open event streams through the proxy, from a server that writes one event to each of them (of the daemon:
  its own streams, one stored transaction): milliseconds until the pages have read it, and what the proxy's memory
  grows by. The client that reads all pages is one process and part of these times.

nginx and wrk are installed by apt where they are missing and this is root, the proxy by npm under build/peers.

    python benchmarks/tunnel.py [--json] [--rounds 5] [--seconds 2] [--pages 1000]
"""

from __future__ import annotations

import os

import uvloop
from _elsewhere import HERE, Host, another
from _nginx import before, installed, nginx
from _process import allow_open_files, emitter
from _report import Figures, count, machine, parser_of, show
from _tunnel_proxies import configurable_http_proxy, files_on, place, proxies
from events import deliver

_BURSTS = 20
_PEERS = ("nginx", "configurable-http-proxy", "floor")
_NOT_HERE = "left out: it needs root and network namespaces"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=count, default=5)
    parser.add_argument("--seconds", type=count, default=2)
    parser.add_argument("--pages", type=count, default=1000)
    arguments = parser.parse_args()
    allow_open_files()
    show(measure(arguments.rounds, arguments.seconds, arguments.pages), arguments.json)


def measure(rounds: int, seconds: float, pages: int) -> Figures:
    wrk = installed("wrk", "wrk")
    if wrk is None or installed("nginx", "nginx-light") is None:
        return {"machine": machine(), "left_out": "nginx or wrk is not installed here"}
    figures: Figures = {"machine": machine(), "rounds": rounds}
    figures["loopback"] = beside(HERE, wrk, rounds, seconds)
    with another() as host:
        figures["another_host"] = _NOT_HERE if host is None else beside(host, wrk, rounds, seconds)
    figures["pages"] = streams(pages)
    figures["load_after"] = round(os.getloadavg()[0], 1)
    return figures


def beside(host: Host, wrk: str, rounds: int, seconds: float) -> Figures:
    """All proxies before a server on that host, in turn."""
    with files_on(host) as files, proxies(files) as measured:
        for _ in range(rounds):
            for proxy in measured.values():
                proxy.turn(wrk, seconds)
        figures: Figures = {name: proxy.figures() for name, proxy in measured.items()}
    figures["ratios"] = {name: _ratios(figures, name) for name in ("bare", "daemon")}
    return figures


def streams(count: int) -> Figures:
    """Open pages through each proxy."""
    figures: Figures = {}
    with emitter("_sse_emitter.py") as source:
        ways = {
            "nginx": nginx(before(source.url, "1")),
            "configurable-http-proxy": configurable_http_proxy(source.url),
            "bare": emitter("_tunnel_bare.py", *place(source.url)),
        }
        for name, way in ways.items():
            with way as proxy:
                if proxy is not None:
                    figures[name] = uvloop.run(deliver(source, proxy.url, count, _BURSTS, proxy.process.pid))
    with emitter("_sse_daemon.py", str(count)) as daemon:
        figures["daemon"] = uvloop.run(deliver(daemon, daemon.url, count, _BURSTS, daemon.process.pid))
    return figures


def _ratios(figures: Figures, name: str) -> Figures:
    ours = figures[name]
    ratios: Figures = {}
    for peer in _PEERS:
        if peer in figures:
            for what in ("small_32_per_s", "fresh_32_per_s", "large_mb_per_s"):
                ratios[f"{what}_to_{peer}"] = round(ours[what] / figures[peer][what], 2)
            ratios[f"small_32_cpu_of_{peer}"] = round(ours["small_32_cpu_us"] / figures[peer]["small_32_cpu_us"], 2)
            ratios[f"small_1_p50_us_more_than_{peer}"] = round(
                ours["small_1_p50_us"] - figures[peer]["small_1_p50_us"], 1
            )
    return ratios


if __name__ == "__main__":
    main()
