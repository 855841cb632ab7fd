"""`make docs`: no warning, no dead link, nothing from another host, readable by everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.axe import violations
from tests.docs.site import HtmlPage, build, dead_links, pages
from tests.system.browser import chromium

REMOTE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
IN_CSS = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
LOOKED_AT = ("index.html", "accounts.html", "events.html")
"""A page with pictures, one with code and tables, a generated one; axe-core takes seconds for each."""
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site's folder."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(site: Path) -> dict[Path, HtmlPage]:
    return pages(site)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_every_page_is_there(site: Path, found: dict[Path, HtmlPage]) -> None:
    assert {site / name for name in LOOKED_AT} <= set(found)


def test_no_link_is_dead(found: dict[Path, HtmlPage]) -> None:
    assert sum(len(page.links) for page in found.values()) > 500
    assert list(dead_links(found)) == []


def test_nothing_is_loaded_from_another_host(site: Path, found: dict[Path, HtmlPage]) -> None:
    remote = [(page.path.name, load) for page in found.values() for load in page.loads if REMOTE.match(load)]
    remote += [(path.name, url) for path in site.rglob("*.css") for url in IN_CSS.findall(path.read_text())]
    remote += [(path.name, url) for path in found for url in IN_CSS.findall(path.read_text())]
    assert remote == []


def test_headings_are_in_order_and_pictures_have_words(found: dict[Path, HtmlPage]) -> None:
    skipped = [page.path.name for page in found.values() if any(b > a + 1 for a, b in pairwise(page.headings))]
    silent = [page.path.name for page in found.values() if not all(page.pictures)]
    several = [page.path.name for page in found.values() if page.headings.count(1) != 1 and page.path.stem != "search"]
    assert (skipped, silent, several) == ([], [], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(browser: Browser, site: Path, scheme: str) -> None:
    """axe-core's rules of WCAG 2 A and AA, contrast included."""
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    found = {name: _violations(context, site / name) for name in LOOKED_AT}
    context.close()
    assert {name: words for name, words in found.items() if words} == {}


def _violations(context: BrowserContext, path: Path) -> list[str]:
    page = context.new_page()
    page.goto(path.as_uri())
    found = violations(page)
    page.close()
    return found


def test_it_asks_no_other_host_and_fits_a_phone(browser: Browser, site: Path, found: dict[Path, HtmlPage]) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    wide = []
    for path in found:
        page.goto(path.as_uri())
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide.append(path.name)
    context.close()
    assert len(asked) > len(found)
    assert [url for url in asked if not url.startswith("file:")] == []
    assert wide == []


def test_search_works_from_the_files_alone(browser: Browser, site: Path) -> None:
    page = browser.new_page()
    page.goto((site / "search.html").as_uri() + "?q=handover")
    expect(page.locator("#search-results ul.search li").first).to_be_visible()
    page.close()


def test_it_is_read_without_javascript(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.get_by_role("link", name="For cluster operators", exact=True).first.click()
    expect(page.get_by_role("heading", name="For cluster operators")).to_be_visible()
    expect(page.get_by_text("No daemon runs as root")).to_be_visible()
    context.close()
