"""The frontend's application between a test client and a stub of the daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from frontend_server import server
from frontend_server.server import make_frontend
from ligan.ids import new_id
from ligan.web.client import Client
from ligan.web.guard import FRONTEND_HEADER, SESSION_HEADER
from ligan.wire.task import TaskKinds
from tests.frontend_server.stub_daemon import StubDaemon
from tests.ligan.stub import url_of

FRONTEND_ID = new_id("f")
SESSION_ID = new_id("s")


@pytest.fixture(scope="session")
def kinds() -> TaskKinds:
    """The real registry, as the daemon asks for it."""
    command = [sys.executable, "-m", "backend_container.describe"]
    done = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    return TaskKinds.model_validate(json.loads(done.stdout)["kinds"])


@pytest.fixture(scope="module")
def daemon_and_url() -> Iterator[tuple[StubDaemon, str]]:
    stub = StubDaemon()
    with url_of(stub.app()) as url:
        yield stub, url


@pytest.fixture
def daemon(daemon_and_url: tuple[StubDaemon, str]) -> StubDaemon:
    stub, _ = daemon_and_url
    stub.asked.clear()
    stub.artifacts.clear()
    stub.refusing = ""
    return stub


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built web UI, beside a file that is nobody's business."""
    (tmp_path / "secret.txt").write_text("swordfish")
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>LiGAN</title>")
    (folder / "assets" / "index-abc.js").write_text("1;")
    (folder / "favicon.ico").write_bytes(b"icon")
    monkeypatch.setattr(server, "STATIC", folder)
    return folder


@pytest.fixture
def page(daemon: StubDaemon, daemon_and_url: tuple[StubDaemon, str], kinds: TaskKinds, static: Path) -> FlaskClient:
    """What comes through the gateway for a page with a session."""
    line = Client(daemon_and_url[1] + "/cluster/v1")
    client = make_frontend(line, lambda: kinds, FRONTEND_ID).test_client()
    client.environ_base["HTTP_" + FRONTEND_HEADER.upper().replace("-", "_")] = FRONTEND_ID
    client.environ_base["HTTP_" + SESSION_HEADER.upper().replace("-", "_")] = SESSION_ID
    return client
