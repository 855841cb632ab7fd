"""Photos uploaded one after the other while things go wrong; those that were acknowledged must be there afterwards."""

from __future__ import annotations

import io
import threading
from types import TracebackType

import numpy as np
from PIL import Image

from ligan.page import Page
from tests.faults.person import TROUBLE, Person
from tests.ligan.stub import wait_until


class Uploads:
    """A second tab of the person's, which uploads without a pause inside the block."""

    def __init__(self, person: Person) -> None:
        self._page = Page(person.page.url, person.page.http.cookies)
        self._photo = _photo()
        self.acknowledged: list[str] = []
        self.failed = 0
        """Uploads without an acknowledgement, which the person sees and repeats."""
        self._in_flight = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Uploads:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(60)

    def wait_in_flight(self) -> None:
        """Until one is on its way, after the first was acknowledged."""
        wait_until(lambda: self.acknowledged and self._in_flight, "an upload on its way")

    def wait_next(self) -> None:
        """Until one more is acknowledged."""
        before = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) > before, "the next upload", 120)

    def missing(self) -> list[str]:
        """A sentence for each acknowledged photo that is not there."""
        findings = []
        for image_id in self.acknowledged:
            try:
                self._page.image(image_id)
            except TROUBLE as trouble:
                findings.append(f"the photo {image_id} was acknowledged and is gone: {trouble}")
        return findings

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._in_flight = True
            try:
                self.acknowledged.append(self._page.upload(self._photo, "photo.png").image_id)
            except TROUBLE:
                self.failed += 1
                self._stopping.wait(0.2)
            finally:
                self._in_flight = False


def _photo() -> bytes:
    """Noise, of a few megabytes, so that an upload takes a moment."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()
