"""Logging in and out of the whole system in real Chromium, with and without JavaScript, and from a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ligan.page import Page as Script
from ligan.problem import Problem
from tests.ligan.stub import wait_until
from tests.ligan_command import said
from tests.system.at_the_page import opened
from tests.system.running import System, ligan_up

PASSWORD = "correct horse battery"
SITE = """
[accounts]
mode = "local"
[backend]
engine = "fake"
"""


def ligan(system: System, *words: str, given: str = "") -> str:
    return said(*words, "--state-dir", system.state_dir, given=given)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with one user, alice, who is an operator."""
    folder: Path = tmp_path_factory.mktemp("guarded")
    (folder / "site.toml").write_text(SITE)
    with ligan_up(folder / "state", "--config", str(folder / "site.toml")) as running:
        ligan(running, "users", "add", "alice", "--role", "operator", given=f"{PASSWORD}\n")
        yield running


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def page(browser: Browser, guarded: System, request: pytest.FixtureRequest) -> Iterator[Page]:
    with opened(browser, guarded.url, script=request.param) as page:
        yield page


def log_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_in_and_out(page: Page, guarded: System) -> None:
    expect(page).to_have_title("Log in – LiGAN")
    expect(page.get_by_label("Name")).to_be_focused()
    log_in(page, "a wrong password")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("alice")
    log_in(page)
    expect(page).to_have_url(guarded.url)
    page.goto(guarded.url + "logout")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    page.goto(guarded.url)
    expect(page).to_have_title("Log in – LiGAN")


def test_the_page_knows_who_it_is(browser: Browser, guarded: System) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(guarded.url)
    log_in(page)
    expect(page.get_by_test_id("account")).to_contain_text("alice")
    page.get_by_role("link", name="Operation").click()
    expect(page.get_by_text("At a glance")).to_be_visible()  # by the login, without the token
    page.go_back()
    other = context.new_page()
    other.goto(guarded.url)
    other.get_by_test_id("logout").click()
    expect(other.get_by_text("You are logged out.")).to_be_visible()
    expect(page).to_have_title("Log in – LiGAN")  # its stream has ended, and it has asked why
    context.close()


def test_a_script_with_a_token(guarded: System) -> None:
    made = ligan(guarded, "tokens", "create", "alice", "--label", "test").split()[0]
    script = Script(guarded.url, headers={"Authorization": f"Bearer {made}"})
    assert script.wait_ready().backend.ready
    assert script.wait_task(script.submit("noop")).error is None
    ligan(guarded, "users", "disable", "alice")
    with pytest.raises(Problem, match="not-logged-in"):
        script.session()
    ligan(guarded, "users", "enable", "alice")
    wait_until(lambda: script.session().session_id, "the token counts again")
    script.http.close()
