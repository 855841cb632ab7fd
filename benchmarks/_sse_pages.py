"""Many open pages in one process: raw event streams, of which only the moments of arrival are kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

_MARK = b"event: on-progress"
_OPENED = b"event: on-queue"
_PATIENCE = 60.0
"""Seconds until a page that has not opened, or an event that has not arrived, counts as lost."""


class Page(asyncio.Protocol):
    """One stream. An event is short and comes in one piece or two, so that its first line marks it."""

    def __init__(self, pages: Pages, head: bytes) -> None:
        self._pages = pages
        self._head = head

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        self._pages.arrived(data.count(_MARK), time.monotonic())
        if _OPENED in data:
            self._pages.opened += 1

    def connection_lost(self, _: Exception | None) -> None:
        self._pages.lost += 1


class Pages:
    """Open `count` streams at `url`, the nth with the nth cookie header."""

    def __init__(self, url: str, cookies: list[str], count: int) -> None:
        self._url = urlsplit(url)
        self._cookies = cookies
        self._count = count
        self._open: list[Page] = []
        self._times: list[float] = []
        self.opened = 0
        self.lost = 0

    def arrived(self, events: int, at: float) -> None:
        self._times += [at] * events

    async def open(self) -> None:
        """Raises TimeoutError when not all of them answer."""
        loop = asyncio.get_running_loop()
        for number in range(self._count):
            head = self._head(self._cookies[number] if self._cookies else "none=1")
            _, page = await loop.create_connection(lambda: Page(self, head), self._url.hostname, self._url.port)  # noqa: B023
            self._open.append(page)
        await self._wait(lambda: self.opened)

    async def take(self) -> list[float]:
        """Seconds (CLOCK_MONOTONIC) at which one event for each page arrived, in the order of arrival."""
        await self._wait(lambda: len(self._times))
        taken, self._times = self._times, []
        return taken

    def close(self) -> None:
        for page in self._open:
            page.transport.abort()

    async def _wait(self, so_far: Callable[[], int]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while so_far() < self._count:
            if time.monotonic() > deadline or self.lost:
                raise TimeoutError(f"{so_far()} of {self._count} came, {self.lost} streams were cut")
            await asyncio.sleep(0.005)

    def _head(self, cookie: str) -> bytes:
        lines = ("GET /api/v1/events HTTP/1.1", f"Host: {self._url.netloc}", f"Cookie: {cookie}", "", "")
        return "\r\n".join(lines).encode()
