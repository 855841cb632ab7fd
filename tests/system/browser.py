"""A real Chromium for tests: Debian's, installed when it is missing and we are root, else a skip that says why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.apt import apt_get

_PATIENCE_MS = 20_000
"""Playwright's own 5 s are short on a busy machine; a page that is right is seen at once all the same."""
# Without these Chromium calls home, which a closed network answers with long waits.
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    """Path of the browser. Skips the test where there is none and none can be installed."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip("no Chromium; as root: apt-get install chromium")
    apt_get("update")
    done = apt_get("install", "chromium")
    if done.returncode != 0:
        pytest.skip(f"Chromium cannot be installed: {done.stderr[-300:]}")
    return "/usr/bin/chromium"


@contextmanager
def chromium() -> Iterator[Browser]:
    path = find_chromium()
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        yield browser
        browser.close()
