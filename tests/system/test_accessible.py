"""Everybody can read and use the pages: axe-core's rules of WCAG 2 A and AA, contrast included, in both schemes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.axe import violations
from tests.system.at_the_page import READY_MS, generate, pick
from tests.system.running import System


def open_page(browser: Browser, quick: System, scheme: str, path: str = "") -> Page:
    page = browser.new_context(color_scheme=scheme).new_page()  # type: ignore[arg-type]
    page.goto(quick.url + path)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_empty_at_work_and_with_faces(browser: Browser, quick: System, scheme: str) -> None:
    page = open_page(browser, quick, scheme)
    found = {"empty": violations(page)}
    pick(page)
    generate(page)
    expect(page.get_by_test_id("result-image")).to_have_count(16, timeout=READY_MS)
    found["faces"] = violations(page)
    page.get_by_test_id("result-image").first.click()
    menu = page.get_by_role("menu")
    expect(menu).to_be_visible()
    found["menu"] = violations(page)
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    for tab in page.get_by_role("tab").all():
        tab.click()
        found[tab.inner_text()] = violations(page)
    page.get_by_role("tab", name="Refine").click()
    pick(page)
    generate(page)
    expect(page.get_by_test_id("preview")).to_be_visible(timeout=READY_MS)
    found["at work"] = violations(page)
    page.context.close()
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_operator_page(browser: Browser, quick: System, scheme: str) -> None:
    page = open_page(browser, quick, scheme, "operator")
    found = {"locked": violations(page)}
    page.get_by_label("Operator token").fill((quick.state_dir / "operator-token").read_text().strip())
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("READY").first).to_be_visible(timeout=READY_MS)
    found["open"] = violations(page)
    page.context.close()
    assert {name: words for name, words in found.items() if words} == {}
