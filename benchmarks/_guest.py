"""A person at the page: opens it, sends a photo, looks at fillers, and does what people do besides."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from _browser import Answer, BrokenError, Browser, Event
from _ledger import Ledger, Told

_API = "/api/v1"
_PAGE = 16
"""Images of a page."""
_BOUNDARY = "ligan-load"
_TASK_PATIENCE = 60.0
"""Seconds until a task that has not ended, or whose end nobody told of, counts as lost."""
_READY_PATIENCE = 120.0
_RETRY = 1.0
"""Seconds until a browser opens a broken stream again, as the service itself asks for."""
_AWAY = (10.0, 30.0)
"""Seconds, at least and at most, that somebody who left stays away."""


@dataclass(frozen=True)
class World:
    """What all people share. `think_s` is the mean time that one looks at a page of faces."""

    url: str
    ledger: Ledger
    photos: Sequence[bytes]
    assets: Sequence[str]
    think_s: float
    over: asyncio.Event


class Guest:
    """One person. Everything that is decided by chance comes from `seed`."""

    def __init__(self, world: World, number: int, headers: Mapping[str, str], seed: int) -> None:
        self._world = world
        self._ledger = world.ledger
        self._browser = Browser(world.url, headers)
        self._chance = random.Random(f"{seed}-{number}")
        self._name = f"guest {number}"
        self._told = Told()
        self._ready = asyncio.Event()
        self._news = asyncio.Condition()
        self._listening: asyncio.Task[None] | None = None
        self._photos: list[str] = []
        self._tasks: set[str] = set()
        self._asked_at = self._fresh_at = self._open_since = 0.0
        self._steps: Mapping[Callable[[], Awaitable[None]], float] = {
            self._look_at_a_page: 0.80,
            self._send_photo: 0.05,
            self._reload: 0.05,
            self._lose_the_line: 0.03,
            self._change_their_mind: 0.03,
            self._go_and_come_back: 0.03,
            self._erase: 0.01,
        }

    async def live(self, after_s: float) -> None:
        """Come `after_s` seconds from now, stay until it is over, wait for what is under way, and leave."""
        try:
            if await self._think(after_s):
                await self._come()
                while await self._think(self._chance.lognormvariate(0, 0.5) * self._world.think_s * 0.88):
                    (step,) = self._chance.choices(list(self._steps), list(self._steps.values()))
                    await step()
                await self._check_tasks("GET tasks, everybody at once")
        except BrokenError as error:
            self._fault(f"gave up: {error}")
        finally:
            await self._close()

    # What people do --------------------------------------------------------------------------------------------------

    async def _come(self) -> None:
        for path in self._world.assets:  # their browser keeps them
            await self._call("GET", path, "GET asset")
        await self._open()
        await self._begin()

    async def _begin(self) -> None:
        """The first photo is what asks for a backend."""
        began = time.monotonic()
        await self._call("POST", f"{_API}/start-of-interaction", "POST start-of-interaction", b"{}")
        sending = asyncio.create_task(self._send_photo())
        await self._wait(self._ready.is_set, _READY_PATIENCE, "a ready backend")
        self._ledger.note("start of interaction to ready", time.monotonic() - began)
        await sending

    async def _look_at_a_page(self) -> None:
        began = time.monotonic()
        task_id = await self._ask()
        if task_id and await self._ended(task_id):
            self._ledger.note("task, from the click to its result", time.monotonic() - began)
            await self._fetch(task_id)

    async def _send_photo(self) -> None:
        photo = self._chance.choice(self._world.photos)
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'
        body = head.encode() + photo + f"\r\n--{_BOUNDARY}--\r\n".encode()
        answer = await self._call(
            "POST", f"{_API}/uploads", "POST upload", body, 201, f"multipart/form-data; boundary={_BOUNDARY}"
        )
        if answer:
            self._ledger.counts[f"faces {answer.json()['face']['state']}"] += 1
            self._photos.append(answer.json()["image_id"])

    async def _reload(self) -> None:
        """In the middle of a task, as impatient people do."""
        task_id = await self._ask()
        self._ledger.counts["reloads"] += 1
        await self._close()
        await self._open()
        if task_id and await self._ended(task_id):
            await self._fetch(task_id)

    async def _lose_the_line(self) -> None:
        """The browser itself opens the stream again, and says what it knows."""
        task_id = await self._ask()
        self._ledger.counts["lines lost"] += 1
        await self._stop_listening()
        await self._think(_RETRY)
        self._listen()
        if task_id and await self._ended(task_id):
            await self._fetch(task_id)

    async def _change_their_mind(self) -> None:
        task_id = await self._ask()
        if task_id:
            self._ledger.counts["cancelled"] += 1
            await self._call("DELETE", f"{_API}/tasks/{task_id}", "DELETE task", expected=202)
            await self._ended(task_id)

    async def _go_and_come_back(self) -> None:
        self._ledger.counts["left and came back"] += 1
        await self._close()
        if await self._think(self._chance.uniform(*_AWAY)):
            await self._open()
            await self._check_tasks()

    async def _erase(self) -> None:
        """Have everything erased, and begin anew as somebody whom the service does not know."""
        self._ledger.counts["erased"] += 1
        await self._stop_listening()
        await self._call("DELETE", f"{_API}/session", "DELETE session", expected=202)
        self._browser.cookie = ""
        self._told, self._photos, self._tasks = Told(), [], set()
        await self._open()
        await self._begin()

    # The page --------------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        await self._call("GET", "/", "GET start page")
        self._told.begin_anew()
        self._ready.clear()
        self._listen()
        for path in ("session", "tasks/kinds", "tasks"):
            await self._call("GET", f"{_API}/{path}", f"GET {path}")

    async def _close(self) -> None:
        await self._stop_listening()
        self._browser.leave()

    def _listen(self) -> None:
        if self._told.last_id is None:
            self._fresh_at = time.monotonic()
        self._open_since = time.monotonic()
        self._listening = asyncio.create_task(self._follow())

    async def _stop_listening(self) -> None:
        task, self._listening = self._listening, None
        self._browser.cut()
        if task is not None:
            await task

    async def _follow(self) -> None:
        began = time.monotonic() if self._told.last_id is None else None  # else the first event may be long in coming
        try:
            async for event in self._browser.events(f"{_API}/events", self._told.last_id):
                if began is not None:
                    self._ledger.note("GET events, to its first one", time.monotonic() - began)
                    began = None
                await self._hear(event)
        except BrokenError as error:
            self._fault(str(error))

    async def _hear(self, event: Event) -> None:
        self._ledger.counts["events"] += 1
        for words in self._told.hear(event.id, event.name, event.data):
            self._fault(words)
        if event.name == "on-result" and self._asked_at > self._open_since:
            self._ledger.ends[event.data["task_id"]] = time.time()
        if event.name == "on-error" and not str(event.data["problem"]["type"]).endswith("cancelled"):
            self._fault(f"a task failed: {event.data['problem']}")
        if event.name == "on-ready":
            self._ready.set()
        async with self._news:
            self._news.notify_all()

    # Tasks -----------------------------------------------------------------------------------------------------------

    async def _ask(self) -> str:
        """ID of a new task; empty when it was not taken."""
        body = json.dumps(self._wish()).encode()
        answer = await self._call("POST", f"{_API}/tasks", "POST task", body, 202)
        if answer is None:
            return ""
        task_id = str(answer.json()["task_id"])
        self._tasks.add(task_id)
        self._asked_at = time.monotonic()
        return task_id

    def _wish(self) -> dict[str, Any]:
        seed, photos = self._chance.randrange(2**32), self._photos
        if not photos or self._chance.random() < 0.1:
            return {"kind": "random", "params": {"count": _PAGE, "seed": seed}}
        if len(photos) > 1 and self._chance.random() < 0.1:
            first, second = self._chance.sample(photos, 2)
            return {"kind": "interpolate", "params": {"image_a": first, "image_b": second}}
        params = {"image": photos[-1], "page": self._chance.randint(1, 9), "count": _PAGE, "seed": seed}
        return {"kind": "similar", "params": params}

    async def _ended(self, task_id: str) -> bool:
        """Wait until the page knows that it has ended. Whether it has a result."""
        if self._asked_at > self._fresh_at or not await self._found_ended(task_id):
            await self._wait(lambda: task_id in self._told.ended, _TASK_PATIENCE, f"the end of {task_id}")
        return self._told.ended.get(task_id) != "on-error"

    async def _found_ended(self, task_id: str) -> bool:
        """A page that was loaded since looks itself: what ended before that, its stream does not tell."""
        await self._wait(lambda: self._told.last_id is not None, _TASK_PATIENCE, "the first event")
        answer = await self._call("GET", f"{_API}/tasks/{task_id}", "GET task")
        return answer is not None and answer.json()["state"] == "done"

    async def _fetch(self, task_id: str) -> None:
        answer = await self._call("GET", f"{_API}/tasks/{task_id}", "GET task")
        if answer is None:
            return
        task = answer.json()
        images = [image["image_id"] for image in (task["result"] or {"images": []})["images"]]
        if task["state"] != "done" or len(set(images)) not in (10, _PAGE):
            self._fault(f"{task_id} is {task['state']} with {len(set(images))} images")
        began = time.monotonic()
        await asyncio.gather(*(self._fetch_image(image_id) for image_id in images))
        self._ledger.note("a page's images, all of them", time.monotonic() - began)
        self._ledger.counts["pages seen"] += 1

    async def _fetch_image(self, image_id: str) -> None:
        answer = await self._call("GET", f"{_API}/images/{image_id}", "GET image")
        if answer and not (answer.body.startswith(b"\x89PNG") and answer.body.endswith(b"IEND\xaeB`\x82")):
            self._fault(f"{image_id} is no whole PNG")

    async def _check_tasks(self, kind: str = "GET tasks") -> None:
        """Every task that was acknowledged is there, and has ended: each was waited for."""
        answer = await self._call("GET", f"{_API}/tasks", kind)
        if answer is None:
            return
        states = {task["task_id"]: task["state"] for task in answer.json()["tasks"]}
        for task_id in self._tasks:
            if states.get(task_id) not in ("done", "cancelled"):
                self._fault(f"{task_id} is {states.get(task_id, 'lost')} in the end")

    # Plumbing --------------------------------------------------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        kind: str,
        body: bytes = b"",
        expected: int = 200,
        content_type: str = "application/json",
    ) -> Answer | None:
        """None when it was not answered as it should be, which is noted."""
        began = time.monotonic()
        try:
            answer = await self._browser.call(method, path, body, content_type)
        except BrokenError as error:
            self._fault(f"{kind}: {error}")
            return None
        self._ledger.note(kind, time.monotonic() - began)
        if answer.status != expected:
            self._fault(f"{kind}: {answer.status} {answer.body[:300].decode(errors='replace')}")
            return None
        return answer

    async def _wait(self, ready: Callable[[], bool], patience_s: float, what: str) -> None:
        try:
            async with asyncio.timeout(patience_s), self._news:
                await self._news.wait_for(ready)
        except TimeoutError:
            self._fault(f"waited {patience_s:g} s in vain for {what}")

    async def _think(self, seconds: float) -> bool:
        """Whether it goes on after that."""
        try:
            async with asyncio.timeout(seconds):
                await self._world.over.wait()
        except TimeoutError:
            return True
        return False

    def _fault(self, words: str) -> None:
        self._ledger.fault(f"{self._name}: {words}")
