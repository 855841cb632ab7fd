"""axe-core on a page: its rules of WCAG 2 A and AA."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def violations(page: Page) -> list[str]:
    """Each rule that the page breaks, with the first place where it does, once everything has come to rest: colours
    that fade in are no colours yet.
    """
    page.evaluate("Promise.allSettled(document.getAnimations().map(one => one.finished))")
    told = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]})
    first = [(one["id"], one["nodes"][0]) for one in told.response["violations"]]
    return [f"{rule}: {node['html'][:200]} {node['failureSummary']}" for rule, node in first]
