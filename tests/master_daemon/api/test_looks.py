"""Photos that backends look at: while they do, nobody else has to wait."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from flask import Response

from ligan.web.app import make_app, reply
from ligan.wire.image import Box, Face, FaceState, NewImage, Upload
from ligan.wire.job import Done, Ready
from tests.ligan.stub import wait_until
from tests.master_daemon.running import House, Played

BODY = b"a photo's bytes"
SHA = hashlib.sha256(BODY).hexdigest()
_PAGES = 5
_LOOKS = 4
"""For each page's backend; it is asked for no more at once."""


class Gazing:
    """Backends that look for as long as `over` is not set, and then fetch the photo, as real ones do."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.over = threading.Event()
        self.looking = threading.Semaphore(0)

    def backend(self, browser: requests.Session) -> Played:
        app = make_app("backend", "Backend", "Played.", 1 << 20)
        played = self._house.play(self._house.requested_backend(browser), app, ready=False)

        def look() -> Response:
            self.looking.release()
            self.over.wait(20)
            assert played.cluster().get_bytes(f"/artifacts/{SHA}") == BODY
            return reply(Face(state=FaceState.FOUND, box=Box(left=0, top=0, right=9, bottom=9, score=1), count=1))

        app.add_url_rule("/faces", view_func=look, methods=["POST"])
        played.home.register(played.server)
        played.home.client.post("/on-ready", Ready(), Done)
        return played


@pytest.fixture
def gazing(house: House) -> Iterator[Gazing]:
    made = Gazing(house)
    yield made
    made.over.set()


@pytest.fixture
def pages(house: House, frontend: Played, gazing: Gazing) -> Iterator[list[requests.Session]]:
    opened = [house.page() for _ in range(_PAGES)]
    for page in opened:
        gazing.backend(page)
    yield opened
    for page in opened:
        page.close()


def test_looks_hold_up_neither_each_other_nor_other_calls(
    house: House, frontend: Played, gazing: Gazing, pages: list[requests.Session]
) -> None:
    frontend.cluster().put_bytes(f"/artifacts/{SHA}", BODY)
    line = frontend.cluster()
    news = [NewImage(session_id=house.session_of(page)["session_id"], sha256=SHA, width=9, height=9) for page in pages]
    with ThreadPoolExecutor(_PAGES * _LOOKS) as together:
        sent = [together.submit(line.post, "/images", new, Upload) for new in news for _ in range(_LOOKS)]
        for _ in sent:
            assert gazing.looking.acquire(timeout=8), "all look at once"
        tasks = pages[0].get(f"{house.url}/api/v1/tasks", timeout=8)
        assert (tasks.status_code, tasks.json()) == (200, {"tasks": []})
        gazing.over.set()
        faces = [upload.result(20).face.state for upload in sent]
    assert faces == [FaceState.FOUND] * len(sent)
    wait_until(lambda: not house.daemon.parts.looks._asked, "nothing is kept of them")
