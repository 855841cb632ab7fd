"""Another host for a server: a network namespace of this machine, behind a link of its own (a veth pair)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_HERE, _THERE = "198.18.0.1", "198.18.0.2"
"""Of the network for benchmarks (RFC 2544)."""


@dataclass(frozen=True)
class Host:
    """Where a server listens, and the words before a command that is to run there."""

    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


HERE = Host()


@contextmanager
def another() -> Iterator[Host | None]:
    """None where this is not root, or there are no network namespaces."""
    name = f"lgb-{os.getpid()}"
    try:
        made = os.geteuid() == 0 and shutil.which("ip") is not None and _make(name)
        yield Host(_THERE, ("ip", "netns", "exec", name)) if made else None
    finally:
        _ip(f"netns del {name}")


def _make(name: str) -> bool:
    return all(
        _ip(words)
        for words in (
            f"netns add {name}",
            f"link add {name} type veth peer name eth0 netns {name}",
            f"addr add {_HERE}/30 dev {name}",
            f"link set {name} up",
            f"-n {name} addr add {_THERE}/30 dev eth0",
            f"-n {name} link set eth0 up",
            f"-n {name} link set lo up",
        )
    )


def _ip(words: str) -> bool:
    return subprocess.run(["ip", *words.split()], capture_output=True).returncode == 0
