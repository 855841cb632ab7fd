"""The daemon as it runs, with sessions made beforehand; told on standard input when to emit. `events.py` starts it.

    python _sse_daemon.py COUNT

It prints its address and the pages' cookies, then answers each line: `burst` (one event to every session, stored in one
transaction) or `tasks` (one transaction for each session's event, as results come) with the times of the commits.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ligan.ids import new_id
from ligan.memory import settle
from ligan.settings import DaemonSettings, Settings
from ligan.wire.event import EventName, Progressed
from master_daemon.cluster.fake import FakeManager
from master_daemon.daemon import Daemon, new_event_loop
from master_daemon.state import events, sessions
from master_daemon.state.database import Database, StoredEvent
from master_daemon.tunnel.cookie import NAME, SessionCookie


class Commits:
    """Seconds (CLOCK_MONOTONIC, which all processes of a machine share) at which events were published."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def note(self, published: list[StoredEvent]) -> None:
        self.times += [time.monotonic()] * len(published)

    def take(self) -> list[float]:
        taken, self.times = self.times, []
        return taken


async def serve(count: int, state_dir: Path) -> None:
    daemon = Daemon(Settings(daemon=DaemonSettings(port=0)), state_dir, FakeManager(time.time))
    commits = Commits()
    daemon.database.subscribe(commits.note)  # before the hub, which is told next
    keys, cookies = people(daemon, count)
    await daemon.start()
    settle()  # as `ligan up`
    try:
        say({"url": daemon.url, "cookies": cookies})
        while word := (await asyncio.to_thread(sys.stdin.readline)).strip():
            commits.take()
            await asyncio.to_thread(EMIT[word], daemon.database, keys)
            say({"sent": commits.take()})
    finally:
        await daemon.stop(end_jobs=True)


def people(daemon: Daemon, count: int) -> tuple[list[str], list[str]]:
    """Session keys and cookie headers of `count` people."""
    cookie = SessionCookie(daemon.parts.secret)
    with daemon.database.write() as transaction:
        ids = [sessions.renew(transaction, None, time.time()) for _ in range(count)]
        keys = [sessions.key_of(transaction.connection, session_id) for session_id in ids]
    return keys, [f"{NAME}={cookie.seal(session_id)}" for session_id in ids]


def burst(database: Database, keys: list[str]) -> None:
    with database.write() as transaction:
        for key in keys:
            events.append(transaction, key, EventName.ON_PROGRESS, _message(), time.time())


def one_by_one(database: Database, keys: list[str]) -> None:
    for key in keys:
        burst(database, [key])


EMIT: dict[str, Callable[[Database, list[str]], None]] = {"burst": burst, "tasks": one_by_one}


def _message() -> Progressed:
    return Progressed(task_id=new_id("t"), percent=50.0, eta_s=1.0)


def say(words: object) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), Path(folder) / "state"))
