"""axe-core on a page: its rules of WCAG 2 A and AA."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def violations(page: Page) -> list[str]:
    """Each rule that the page breaks, with the first place where it does."""
    told = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]})
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in told.response["violations"]]
