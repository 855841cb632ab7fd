"""The page while its backend is on its way or a part of the service is away, in real Chromium before a stub service."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Response, send_from_directory
from playwright.sync_api import Browser, FilePayload, Page, expect

from backend_container.tasks import REGISTRY
from frontend_server.server import STATIC
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.web.app import problem_response, reply
from ligan.wire.image import Face, FaceState, Upload
from ligan.wire.notice import Notices
from ligan.wire.session import Backend, JobState, Session
from ligan.wire.task import Task, Tasks, TaskState
from tests.ligan.stub import stub_app, url_of
from tests.system.browser import chromium
from tests.system.photos import portrait
from tests.system.running import ROOT

PICTURE = ROOT / "tests" / "artifacts" / "waiting.png"
_KEEPALIVE = "event: keepalive\ndata:\n\n"
WAITS = Backend(state=JobState.PENDING, generation=1, reason="Waiting for a free GPU", place=3)


@dataclass
class Service:
    """What the page is told. `away`: how many uploads are answered with 503 before one is taken."""

    backend: Backend = WAITS
    tasks: list[Task] = field(default_factory=list)
    away: int = 0
    uploads: int = 0
    said: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Flask:
        app = stub_app()
        rules: dict[str, Any] = {
            "/": lambda: send_from_directory(STATIC, "index.html", max_age=0),
            "/<path:name>": lambda name: send_from_directory(STATIC, name),
            "/api/v1/session": lambda: reply(self.session()),
            "/api/v1/tasks": lambda: reply(Tasks(tasks=self.tasks)),
            "/api/v1/notices": lambda: reply(Notices()),
            "/api/v1/tasks/kinds": lambda: reply(REGISTRY.kinds()),
            "/api/v1/events": lambda: Response(self._events(), mimetype="text/event-stream"),
            "/api/v1/images/<image>": lambda image: Response(portrait("PNG"), mimetype="image/png"),
        }
        for rule, view in rules.items():
            app.add_url_rule(rule, rule, view)
        app.add_url_rule("/api/v1/uploads", "upload", self._upload, methods=["POST"])
        app.add_url_rule("/api/v1/start-of-interaction", "start", lambda: reply(self.session()), methods=["POST"])
        return app

    def session(self) -> Session:
        return Session(session_id="s-" + "0" * 22, backend=self.backend)

    def say(self, name: str, backend: Backend) -> None:
        self.backend = backend
        self.said.append(f"event: {name}\ndata: {backend.model_dump_json()}\n\n")

    def _events(self) -> Iterator[str]:
        told = len(self.said)
        yield _KEEPALIVE
        while not self.closed.wait(0.05):
            yield from (*self.said[told:], _KEEPALIVE)
            told = len(self.said)

    def _upload(self) -> Response:
        self.uploads += 1
        if self.uploads <= self.away:
            problem = Problem("frontend-not-ready", "Try again in a few seconds.", retry_after_s=1)
            return problem_response(problem.document)
        upload = Upload(image_id=new_id("i"), width=64, height=64, face=Face(state=FaceState.PENDING))
        return reply(upload, 201)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not (STATIC / "index.html").exists():
        pytest.skip("the web UI is not built; run: make webui")
    with chromium() as browser:
        yield browser


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.closed.set()


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    """The page of somebody who waits; the test fails when the page logs an error."""
    errors: list[str] = []
    with url_of(service.app()) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        expect(page.get_by_test_id("generate")).to_be_visible()
        yield page
        page.close()
        service.closed.set()
    assert not errors


def _pick(page: Page) -> None:
    photo = FilePayload(name="photo.jpg", mimeType="image/jpeg", buffer=portrait("JPEG"))
    page.get_by_test_id("photo-input").first.set_input_files(photo)


def _random(page: Page) -> None:
    page.get_by_role("tab", name="Random faces").click()


def test_a_wait_is_explained(page: Page, service: Service) -> None:
    state = page.get_by_test_id("backend-state")
    expect(state).to_contain_text("Waiting for a free GPU. Place 3 in the queue. Start not known yet.")
    _random(page)
    expect(page.get_by_test_id("generate")).to_be_disabled()
    expect(page.get_by_test_id("generate-reason")).to_contain_text("Place 3 in the queue")
    service.say("on-queue", WAITS.model_copy(update={"place": 1, "expected_start": time.time() + 245}))
    expect(state).to_contain_text("Next in the queue. Expected to start at")
    expect(state).to_contain_text("(in about 4 min)")


def test_a_cpu_does_the_tasks_meanwhile(page: Page, service: Service) -> None:
    service.say("on-queue", WAITS.model_copy(update={"cpu_ready": True, "expected_start": time.time() + 245}))
    _random(page)
    expect(page.get_by_test_id("backend-state")).to_contain_text("Your tasks run on a shared CPU meanwhile.")
    expect(page.get_by_test_id("generate")).to_be_enabled()
    PICTURE.parent.mkdir(exist_ok=True)
    assert len(page.screenshot(path=PICTURE, full_page=True)) > 10_000


def test_a_handover_is_calm(page: Page, service: Service) -> None:
    task = Task(task_id=new_id("t"), kind="random", params={"count": 4}, state=TaskState.RUNNING, progress=40)
    ready = Backend(state=JobState.READY, ready=True, generation=1, ends_at=time.time() + 60, moving=True)
    service.tasks = [task]
    service.say("on-ready", ready)
    page.reload()
    state, progress = page.get_by_test_id("backend-state"), page.get_by_test_id("progress")
    expect(state).to_contain_text("A fresh one is on its way, and your tasks go on there.")
    expect(progress).to_contain_text("40 %")
    service.tasks = [task.model_copy(update={"attempt": 2, "progress": 30.0})]
    service.say("on-ready", Backend(state=JobState.READY, ready=True, generation=2))
    expect(progress).to_contain_text("30 %, resumed")
    expect(page.get_by_test_id("error")).to_have_count(0)
    expect(page.get_by_test_id("connection-lost")).to_have_count(0)


def test_an_upload_is_sent_again_by_itself(page: Page, service: Service) -> None:
    service.away = 2
    _pick(page)
    expect(page.get_by_test_id("photo-state")).to_contain_text("retrying…")
    expect(page.get_by_test_id("photo-state")).to_contain_text("The face is looked for", timeout=20_000)
    assert service.uploads == 3
    expect(page.get_by_test_id("error")).to_have_count(0)


def test_an_upload_can_be_cancelled_while_it_is_retried(page: Page, service: Service) -> None:
    service.away = 1000
    _pick(page)
    expect(page.get_by_test_id("photo-state")).to_contain_text("retrying…")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_test_id("photo-state")).to_have_count(0)


def test_the_file_need_not_be_chosen_again(page: Page, service: Service) -> None:
    service.away = 1000
    page.clock.install()
    _pick(page)
    expect(page.get_by_test_id("photo-state")).to_contain_text("retrying…")
    failed = page.get_by_test_id("upload-failed")
    for _ in range(70):
        if failed.count():
            break
        page.clock.run_for(1000)
    expect(failed).to_contain_text("The photo could not be sent. The web server is starting.")
    expect(page.get_by_test_id("generate-reason")).to_contain_text("Press Retry beside it.")
    service.away = 0
    page.get_by_test_id("upload-retry").click()
    expect(page.get_by_test_id("photo-state")).to_contain_text("The face is looked for")
