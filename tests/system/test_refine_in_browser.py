"""Refine as a person uses it, in real Chromium, with the engine that needs no networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.at_the_page import READY_MS, generate, opened, pick
from tests.system.running import ROOT, System

ARTIFACTS = ROOT / "tests" / "artifacts"


@pytest.fixture
def page(browser: Browser, quick: System) -> Iterator[Page]:
    with opened(browser, quick.url) as page:
        yield page


def stored(system: System) -> list[Path]:
    return [file for file in (system.state_dir / "artifacts").rglob("*") if file.is_file()]


def test_stop_and_keep_then_similar_faces_then_erase(page: Page, quick: System) -> None:
    page.get_by_role("tab", name="Refine").click()
    pick(page)
    time = page.get_by_role("slider", name="Time")
    time.press("ArrowRight")
    expect(time).to_have_attribute("aria-valuetext", "1 min 30 s")
    generate(page)

    preview = page.get_by_test_id("preview")
    expect(preview).to_be_visible(timeout=READY_MS)
    first = str(preview.get_attribute("data-image"))
    expect(preview).not_to_have_attribute("data-image", first)
    page.reload()
    expect(preview).to_be_visible()
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "refine.png")

    page.get_by_role("button", name="Stop and keep").press("Enter")
    results = page.get_by_test_id("result-image")
    expect(results).to_have_count(2)
    expect(page.get_by_text("Refined", exact=True)).to_be_visible()
    assert page.request.get(f"{quick.url}/api/v1/images/{first}".replace("//api", "/api")).status == 404

    results.nth(1).click()
    page.get_by_role("menuitem", name="More similar to this").click()
    generate(page)
    expect(results).to_have_count(16, timeout=READY_MS)

    page.get_by_test_id("erase").click()
    page.get_by_test_id("erase-confirm").click()
    expect(page.get_by_test_id("erased")).to_be_visible()
    assert stored(quick) == []
