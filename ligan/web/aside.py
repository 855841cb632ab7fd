"""A front on a thread of its own, for a part that has no event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

from ligan.web.front import Front
from ligan.web.serving import wait_quiet

T = TypeVar("T")
_CLOSE_GRACE = 1.0
"""Seconds for requests on their way when it is closed."""


class Aside:
    """Serves once it is started, until it is closed."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._loop = uvloop.new_event_loop()  # its TLS takes half of the time
        self._thread = threading.Thread(target=self._loop.run_forever, name="front", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._on_loop(self._front.start())

    def drain(self, timeout_s: float) -> bool:
        """Wait until no request is on its way in or out; False when that takes longer than `timeout_s` seconds."""
        return wait_quiet(lambda: self._on_loop(self._busy()), timeout_s)

    def close(self) -> None:
        self._on_loop(self._front.close(_CLOSE_GRACE))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _busy(self) -> bool:
        return self._front.busy

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
