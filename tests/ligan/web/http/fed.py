"""A stream that a test feeds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from ligan.web.http.route import Listener, Writer
from tests.ligan.web.http.running import Running


class Fed:
    """A stream that the test feeds, on the loop of its server."""

    def __init__(self) -> None:
        self.writer: Writer | None = None
        self.rooms = 0
        self.ended = threading.Event()

    def opened(self, writer: Writer) -> Listener:
        self.writer = writer
        writer.send(b"first\n")
        return self

    def room(self) -> None:
        self.rooms += 1

    def closed(self) -> None:
        self.ended.set()

    def on(self, ours: Running, act: Callable[[Writer], Any]) -> Any:
        async def run() -> Any:
            assert self.writer is not None
            return act(self.writer)

        return asyncio.run_coroutine_threadsafe(run(), ours.loop).result(10)
