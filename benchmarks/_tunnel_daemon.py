"""The daemon as it runs, with another server in the frontend job's place. `tunnel.py` starts it.

    python _tunnel_daemon.py HOST PORT

It prints its address and a page's cookie, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from _sse_daemon import people, say

from ligan.memory import settle
from ligan.settings import DaemonSettings, Settings
from ligan.wire.session import JobState
from master_daemon.cluster.fake import FakeManager
from master_daemon.daemon import Daemon, new_event_loop
from master_daemon.state import jobs
from master_daemon.state.jobs import Job


async def serve(host: str, port: int, state_dir: Path) -> None:
    manager = FakeManager(time.time)
    daemon = Daemon(Settings(daemon=DaemonSettings(port=0)), state_dir, manager)
    _, cookies = people(daemon, 1)
    await daemon.start()
    settle()  # as `ligan up`
    try:
        await play_frontend(daemon, manager, host, port)
        say({"url": daemon.url, "cookies": cookies})
        await asyncio.to_thread(sys.stdin.readline)
    finally:
        await daemon.stop(end_jobs=True)


async def play_frontend(daemon: Daemon, manager: FakeManager, host: str, port: int) -> None:
    """The frontend job is ready, and that server is it."""
    async with asyncio.timeout(30):
        while not manager.submissions:
            await asyncio.sleep(0.05)
    nonce = manager.submissions[0].nonce
    manager.start(nonce)

    def ready(job: Job) -> Job:
        return replace(job, state=JobState.READY, host=host, port=port)

    daemon.parts.supervisor.change(nonce, ready, time.time())
    with daemon.database.read() as connection:
        assert jobs.find(connection, nonce)
    async with asyncio.timeout(30):
        while not daemon.frontend_ready():
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(sys.argv[1], int(sys.argv[2]), Path(folder) / "state"))
