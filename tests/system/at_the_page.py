"""What a person does at the page, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.system.photos import portrait

READY_MS = 90_000
"""A backend with its face model takes its time on a busy machine."""


@contextmanager
def opened(browser: Browser, url: str, height: int = 900, script: bool = True) -> Iterator[Page]:
    """A new person's page, with or without JavaScript. Fails when a script of it did, or when a load was refused."""
    context = browser.new_context(viewport={"width": 1280, "height": height}, java_script_enabled=script)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    page.goto(url)
    yield page
    context.close()
    assert faults == []


def pick(page: Page, body: bytes | None = None, name: str = "photo.jpg") -> None:
    """Choose a photo for the first slot: a portrait, or what `body` is."""
    photo = FilePayload(name=name, mimeType="image/jpeg", buffer=body or portrait("JPEG"))
    page.get_by_test_id("photo-input").first.set_input_files(photo)


def generate(page: Page) -> None:
    """Press the button as soon as it can be pressed."""
    expect(page.get_by_test_id("generate")).to_be_enabled(timeout=READY_MS)
    page.get_by_test_id("generate").click()
