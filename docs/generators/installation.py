"""A daemon without a cluster, asked over HTTP for what it says of itself."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import requests

from ligan.settings import DaemonSettings, Settings
from master_daemon.cluster.fake import FakeManager
from master_daemon.daemon import Daemon, new_event_loop

_TIMEOUT = 120.0  # seconds; cold disks, while the backend's package is asked


def answers(*paths: str) -> dict[str, str]:
    """What a fresh daemon answers at each path. Raises requests.RequestException."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_answers(Path(folder), paths))


async def _answers(folder: Path, paths: tuple[str, ...]) -> dict[str, str]:
    daemon = Daemon(Settings(daemon=DaemonSettings(port=0)), folder, FakeManager(time.time))
    await daemon.start()
    try:
        return {path: await asyncio.to_thread(_get, daemon.url + path) for path in paths}
    finally:
        await daemon.stop(end_jobs=True)


def _get(url: str) -> str:
    answer = requests.get(url, timeout=_TIMEOUT)
    answer.raise_for_status()
    return answer.text
