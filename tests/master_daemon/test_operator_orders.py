"""The operator page in a real browser: announcements, maintenance, GPU hours."""

from __future__ import annotations

import time
from pathlib import Path

import requests
from playwright.sync_api import Page, expect
from sqlalchemy import update

from master_daemon.state.schema import jobs
from tests.master_daemon.running import House
from tests.master_daemon.test_operator_page import enter, picture


def test_an_announcement_is_made_and_taken_away(page: Page, token: str) -> None:
    enter(page, token)
    page.get_by_label("Text on every page").fill('Disks are new <b id="evil">!</b>')
    page.get_by_label("Level").select_option("Warning")
    page.get_by_role("button", name="Announce", exact=True).click()
    expect(page.get_by_text('On every page: “Disks are new <b id="evil">!</b>”')).to_be_visible()
    assert page.locator("#evil").count() == 0
    expect(page.get_by_label("Text on every page")).to_have_value("")
    page.get_by_role("button", name="Take it away").click()
    expect(page.get_by_role("button", name="Take it away")).to_be_hidden()


def test_maintenance_is_planned_begun_and_ended(page: Page, token: str) -> None:
    enter(page, token)
    banner = page.get_by_role("alert").filter(has_text="Maintenance")
    page.get_by_label("From (empty: now)").fill("2100-01-01T06:00")
    page.get_by_label("Until (optional)").last.fill("2100-01-01T05:00")
    page.get_by_label("Message of the maintenance").fill("New disks.")
    page.get_by_role("button", name="Submit no jobs").click()
    expect(page.get_by_role("alert").filter(has_text="after the beginning")).to_be_visible()
    page.get_by_label("Until (optional)").last.fill("2100-01-01T08:00")
    page.get_by_role("button", name="Submit no jobs").click()
    expect(banner).to_contain_text("Maintenance planned from Jan 1, 2100")
    expect(banner).to_contain_text("“New disks.”")
    page.get_by_label("End backends once").check()
    page.get_by_role("button", name="Submit no jobs").click()
    expect(banner).to_contain_text("Maintenance since")
    expect(banner).to_contain_text("backends end once their tasks are done")
    picture(page, "operator-maintenance")
    page.get_by_role("button", name="End the maintenance").click()
    expect(page.get_by_text("None: jobs are submitted.")).to_be_visible()
    expect(banner).to_be_hidden()


def test_gpu_hours_are_shown_and_downloaded(house: House, page: Page, token: str, browser: requests.Session) -> None:
    backend = house.backend(browser)
    now = time.time()
    with house.daemon.database.write() as transaction:
        long_ago = update(jobs).where(jobs.c.nonce == backend.bootstrap.nonce).values(started_at=now - 7200)
        transaction.connection.execute(long_ago)
    enter(page, token)
    row = page.locator("#usage-rows tr").filter(has_text="127.0.0.1")
    expect(row).to_contain_text("2.0")
    expect(page.get_by_role("img", name="GPU hours on each of the last 30 days")).to_be_visible()
    assert page.locator("#usage-plot rect").count() == 30
    picture(page, "operator-usage")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert download.value.suggested_filename == "ligan-usage-30-days.csv"
    assert "127.0.0.1" in Path(download.value.path()).read_text()
