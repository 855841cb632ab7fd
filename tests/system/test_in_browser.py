"""The page as a person uses it, in real Chromium; the screenshots stay in tests/artifacts/."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from ligan.problem import Problem
from tests.system.at_the_page import READY_MS, generate, opened, pick
from tests.system.photos import two_people
from tests.system.running import ROOT, System

ARTIFACTS = ROOT / "tests" / "artifacts"
RESULT_MS = 60_000


@pytest.fixture
def page(browser: Browser, system: System) -> Iterator[Page]:
    with opened(browser, system.url) as page:
        yield page


def test_the_main_job(page: Page) -> None:
    expect(page.get_by_test_id("generate")).to_be_disabled()
    expect(page.get_by_test_id("generate-reason")).not_to_be_empty()
    pick(page)
    generate(page)
    results = page.get_by_test_id("result-image")
    expect(results).to_have_count(16, timeout=RESULT_MS)
    _expect_loaded(page)
    ARTIFACTS.mkdir(exist_ok=True)
    picture = page.screenshot(path=ARTIFACTS / "main-job.png", full_page=True)
    assert len(picture) > 50_000
    first = _sources(page)
    page.get_by_test_id("next-page").click()
    expect(page.get_by_test_id("page-number")).to_contain_text("2")
    expect(results).to_have_count(16, timeout=RESULT_MS)
    _expect_loaded(page)
    assert not set(first) & set(_sources(page))
    page.get_by_test_id("previous-page").click()
    expect(page.get_by_test_id("page-number")).to_contain_text("1")
    assert _sources(page) == first


def _expect_loaded(page: Page) -> None:
    for image in page.locator("[data-testid=result-image] img").all():
        expect(image).to_have_js_property("naturalWidth", 128, timeout=RESULT_MS)


def _sources(page: Page) -> list[str]:
    return [str(image.get_attribute("src")) for image in page.locator("[data-testid=result-image] img").all()]


def test_a_reload_keeps_results_and_backend(page: Page) -> None:
    pick(page)
    generate(page)
    expect(page.get_by_test_id("result-image")).to_have_count(16, timeout=RESULT_MS)
    before = _sources(page)
    page.reload()
    expect(page.get_by_test_id("result-image")).to_have_count(16, timeout=RESULT_MS)
    assert _sources(page) == before


def test_everything_is_erased(page: Page) -> None:
    """By keyboard alone, and again after a failure."""
    pick(page)
    generate(page)
    expect(page.get_by_test_id("result-image")).to_have_count(16, timeout=RESULT_MS)
    face = page.locator("[data-testid=result-image] img").first
    image = str(face.evaluate("(image) => image.src"))
    assert page.request.get(image).status == 200

    opener, dialog = page.get_by_role("button", name="Erase my data"), page.get_by_role("dialog", name="Erase my data?")
    opener.press("Enter")
    expect(dialog).to_contain_text("It cannot be undone.")
    expect(page.get_by_role("button", name="Keep my data")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    expect(page.get_by_test_id("result-image")).to_have_count(16)

    page.route("**/api/v1/session", _refuse_erasure)
    opener.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("Try again in a few seconds.")
    page.unroute("**/api/v1/session", _refuse_erasure)
    dialog.get_by_role("button", name="Try again").press("Enter")
    expect(page.get_by_test_id("erased")).to_contain_text("All was erased.")
    expect(dialog).to_be_hidden()
    expect(page.get_by_test_id("backend-state")).to_have_attribute("data-state", "NONE")
    expect(page.get_by_test_id("results")).to_contain_text("No results yet.")
    expect(page.get_by_test_id("error")).to_have_count(0)
    assert page.request.get(image).status == 404
    page.reload()
    expect(page.get_by_test_id("results")).to_contain_text("No results yet.")
    expect(page.get_by_test_id("erased")).to_have_count(0)


def _refuse_erasure(route: Route) -> None:
    if route.request.method != "DELETE":
        return route.fallback()
    document = Problem("internal-error", "Try again in a few seconds.").document
    return route.fulfill(status=document.status, json=document.model_dump(mode="json", exclude_none=True))


def test_errors_are_sentences(page: Page) -> None:
    pick(page, b"this is no photo", "letter.jpg")
    error = page.get_by_test_id("error")
    expect(error).to_contain_text("not an image", timeout=20_000)
    expect(page.get_by_test_id("generate")).to_be_disabled()


def test_one_of_several_faces_is_chosen(page: Page) -> None:
    pick(page)  # so that a backend is there to look for faces
    expect(page.get_by_test_id("generate")).to_be_enabled(timeout=READY_MS)
    pick(page, two_people(), "two.png")
    chooser = page.get_by_role("button", name="left")
    expect(chooser.first).to_be_visible(timeout=20_000)
    chooser.first.click()
    generate(page)
    expect(page.get_by_test_id("result-image")).to_have_count(16, timeout=RESULT_MS)


def test_it_fits_a_phone(browser: Browser, system: System) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(system.url)
    expect(page.get_by_test_id("generate")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_the_api_pages_render(browser: Browser, system: System) -> None:
    page = browser.new_page()
    for name, text in (("master-daemon", "start-of-interaction"), ("frontend", "uploads"), ("backend", "/tasks")):
        page.goto(f"{system.url}{name}-api-docs")
        expect(page.locator("#page")).to_contain_text(text, timeout=20_000)
    page.close()
