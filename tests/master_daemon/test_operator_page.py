"""The operator page in a real browser: it asks for the token, shows what is, drains, explains, and keeps quiet."""

from __future__ import annotations

import os
from pathlib import Path

import requests
from playwright.sync_api import Page, expect

from master_daemon.observe.session_tag import session_tag
from tests.master_daemon.running import House

SCREENSHOTS = os.environ.get("LIGAN_SCREENSHOTS", "")
"""Folder for pictures of the page, for whoever wants to look at it."""


def enter(page: Page, token: str) -> None:
    page.get_by_label("Operator token").fill(token)
    page.get_by_role("button", name="Open").click()


def picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


def test_only_with_the_token(page: Page, token: str) -> None:
    expect(page.get_by_text("At a glance")).to_be_hidden()
    picture(page, "operator-entry")
    enter(page, "0" * 64)
    expect(page.get_by_role("alert").filter(has_text="not the operator token")).to_be_visible()
    enter(page, token)
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
    assert token not in page.url
    assert token not in page.content()
    page.reload()
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
    page.get_by_role("button", name="Forget the token").click()
    expect(page.get_by_label("Operator token")).to_be_focused()
    page.reload()
    expect(page.get_by_label("Operator token")).to_be_visible()


def test_it_shows_what_is_and_what_becomes(house: House, page: Page, token: str, browser: requests.Session) -> None:
    enter(page, token)
    expect(page.get_by_role("status")).to_have_text("Live")
    backend = house.backend(browser)
    waiting = house.page()
    pending = house.requested_backend(waiting)
    tag = session_tag(house.key(house.session_of(waiting)["session_id"]))
    jobs = page.get_by_role("region", name="Jobs")
    expect(
        jobs.get_by_role("row").filter(has_text=house.manager.job(backend.bootstrap.nonce).job_id).first
    ).to_be_visible()
    expect(page.locator(f'#job-rows [data-explain="{backend.bootstrap.nonce}"]')).to_be_visible()
    queue = page.get_by_role("region", name="Waiting for a backend").get_by_role("row").filter(has_text=tag)
    expect(queue).to_contain_text("not known")
    session = page.get_by_role("region", name="Sessions").get_by_role("row").filter(has_text=tag)
    expect(session).to_contain_text("127.0.0.1")
    expect(session).to_contain_text("for ")
    picture(page, "operator-page")
    page.locator(f'#job-rows [data-explain="{pending.nonce}"]').click()
    expect(page.get_by_role("dialog")).to_contain_text(f"backend for session {tag}, generation 1")
    picture(page, "operator-explain")
    page.get_by_role("button", name="Close").click()
    house.manager.finish(pending.nonce, "FAILED")
    expect(page.locator(f'#job-rows [data-explain="{pending.nonce}"]')).to_be_hidden(timeout=20_000)


def test_the_drain_switch(house: House, page: Page, token: str) -> None:
    enter(page, token)
    page.get_by_label("For the people who wait").fill('Maintenance <b id="evil">now</b>')
    page.get_by_role("button", name="Start no backend for new sessions").click()
    expect(page.get_by_role("alert").filter(has_text="Draining")).to_be_visible()
    expect(page.get_by_text('“Maintenance <b id="evil">now</b>”')).to_be_visible()
    assert page.locator("#evil").count() == 0
    picture(page, "operator-drain")
    page.get_by_role("button", name="Start backends again").click()
    expect(page.get_by_text("Off: backends are started")).to_be_visible()


def test_a_silent_daemon_is_said_to_be_silent(page: Page, token: str) -> None:
    enter(page, token)
    expect(page.get_by_role("status")).to_have_text("Live")
    page.route("**/api/v1/admin/**", lambda route: route.abort())
    expect(page.get_by_role("status")).to_contain_text("No answer")
    page.unroute("**/api/v1/admin/**")
    expect(page.get_by_role("status")).to_have_text("Live")


def test_a_daemon_that_hangs_is_said_to_be_silent_too(page: Page, token: str) -> None:
    """Its patience is made short: a clock of the page's own has no hold of it."""
    enter(page, token)
    expect(page.get_by_role("status")).to_have_text("Live")
    page.evaluate("const later = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = () => later(300)")
    page.route("**/api/v1/admin/**", lambda _route: None)
    expect(page.get_by_role("status")).to_have_text("No answer from the daemon; what is shown may be old.")
    page.unroute("**/api/v1/admin/**")
    expect(page.get_by_role("status")).to_have_text("Live")
