"""A daemon that hangs, as a person's page sees it: no connection breaks, and no word comes."""

from __future__ import annotations

import os
import signal

from playwright.sync_api import expect

from tests.system.browser import chromium
from tests.system.running import System


def test_the_page_says_so_and_comes_back_by_itself(quick: System) -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.goto(quick.url)
        state, lost = page.get_by_test_id("backend-state"), page.get_by_test_id("connection-lost")
        expect(state).to_have_attribute("data-state", "NONE")
        expect(lost).to_have_count(0)
        os.kill(quick.process.pid, signal.SIGSTOP)
        try:
            expect(lost).to_be_visible()
        finally:
            os.kill(quick.process.pid, signal.SIGCONT)
        expect(lost).to_have_count(0)
        page.get_by_role("tab", name="Random").click()
        page.get_by_test_id("generate").click()
        expect(state).to_have_attribute("data-state", "READY", timeout=60_000)
        page.get_by_test_id("generate").click()
        expect(page.get_by_test_id("result-image").first).to_be_visible()
