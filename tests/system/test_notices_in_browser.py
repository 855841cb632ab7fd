"""What operators tell everybody, as a person sees it: at once, over a reload, and over the daemon's sudden death."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.master_daemon.test_operator_command import run
from tests.port import free_port
from tests.system.at_the_page import READY_MS, generate, pick
from tests.system.running import ligan_up


def test_people_are_told_and_keep_what_they_have(browser: Browser, tmp_path: Path) -> None:
    where = ("--state-dir", tmp_path)
    port = ("--port", str(free_port()))
    with ligan_up(tmp_path, *port) as system:
        page = browser.new_page()
        page.goto(system.url)
        pick(page)
        generate(page)
        expect(page.get_by_test_id("result-image")).to_have_count(16, timeout=READY_MS)

        told = page.get_by_role("status").filter(has=page.get_by_test_id("announcement"))
        run("announce", 'Disks <b id="evil">are</b> new.', "--level", "warning", *where)
        expect(told).to_contain_text('Disks <b id="evil">are</b> new.')
        assert page.locator("#evil").count() == 0
        page.get_by_role("button", name="Dismiss the announcement").click()
        expect(told).to_have_count(0)
        page.reload()
        expect(page.get_by_test_id("result-image")).to_have_count(16, timeout=READY_MS)
        expect(told).to_have_count(0)

        run("announce", "A second one.", *where)
        expect(told).to_contain_text("A second one.")
        run("maintenance", "on", "--message", "New disks.", "--drain", *where)
        maintained = page.get_by_test_id("maintenance")
        expect(maintained).to_contain_text("no backend is started. New disks.")
        os.kill(system.process.pid, signal.SIGKILL)
        system.process.wait(20)

    with ligan_up(tmp_path, *port):
        page.reload()
        expect(told).to_contain_text("A second one.", timeout=READY_MS)
        expect(maintained).to_contain_text("New disks.")
        expect(page.get_by_test_id("result-image")).to_have_count(16, timeout=READY_MS)
        newcomer = browser.new_page()
        newcomer.goto(page.url)
        expect(newcomer.get_by_test_id("maintenance")).to_be_visible(timeout=READY_MS)
        pick(newcomer)
        expect(newcomer.get_by_test_id("error").first).to_contain_text("New disks.", timeout=READY_MS)
        run("maintenance", "off", *where)
        expect(maintained).to_have_count(0)
        expect(newcomer.get_by_test_id("maintenance")).to_have_count(0)
