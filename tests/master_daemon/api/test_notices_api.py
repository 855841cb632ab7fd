"""Announcements and maintenance through the public port: who is told what, and when."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from ligan.web.guard import TOKEN_HEADER, bearer
from ligan.wire.notice import Notices
from master_daemon.state import audit, jobs
from tests.ligan.stub import wait_until
from tests.master_daemon.running import House, Stream, house_in


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_in(tmp_path) as running:
        running.frontend()
        yield running


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house for orders that change nothing."""
    with house_in(tmp_path_factory.mktemp("untouched")) as running:
        running.frontend()
        yield running


@pytest.fixture
def token(house: House) -> dict[str, str]:
    return operator_token(house)


def operator_token(house: House) -> dict[str, str]:
    return {TOKEN_HEADER: bearer((house.daemon.parts.observatory.state_dir / "operator-token").read_text().strip())}


def order(house: House, what: str, **body: Any) -> requests.Response:
    return requests.post(f"{house.url}/api/v1/admin/{what}", json=body, headers=operator_token(house), timeout=20)


def read(house: House, browser: requests.Session) -> Notices:
    answer = browser.get(house.url + "/api/v1/notices", timeout=20)
    answer.raise_for_status()
    return Notices.model_validate_json(answer.content)


def recorded(house: House) -> list[tuple[str, str, dict[str, Any]]]:
    """(who, what, detail) of the orders."""
    with house.daemon.database.read() as connection:
        return [(entry.actor, entry.action, entry.detail) for entry in audit.of(connection, "installation")]


def until_notice(stream: Stream) -> Notices:
    """The next event about notices."""
    events = stream.until(lambda event: event["event"] == "on-notice")
    assert "id" not in events[-1], "it is no event of the session's"
    return Notices.model_validate_json(events[-1]["data"])


def test_an_announcement_is_on_every_open_page_at_once(house: House) -> None:
    first, second = house.page(), house.page()
    streams = [Stream(house.url, browser) for browser in (first, second)]
    for stream in streams:
        stream.event()
    text = 'Disks <b>are</b> new.\nRéboot "soon"'
    answer = order(house, "announcement", text=f"  {text} ", level="warning")
    assert answer.status_code == 200, answer.text
    told = [until_notice(stream) for stream in streams]
    assert told[0] == told[1] == read(house, first) == Notices.model_validate_json(answer.content)
    assert told[0].announcement is not None
    assert (told[0].announcement.text, told[0].announcement.level) == (text, "warning")
    order(house, "announcement", text="")
    assert until_notice(streams[0]) == Notices() == read(house, second)
    for stream in streams:
        stream.close()
    assert [(who, what) for who, what, _ in recorded(house)] == [
        ("operator", "announce"), ("operator", "announcement off"),
    ]  # fmt: skip
    assert recorded(house)[0][2]["text"] == text


def test_what_is_over_is_not_told(house: House) -> None:
    now, browser = time.time(), house.page()
    order(house, "announcement", text="Short", until=now + 3600)
    order(house, "maintenance", on=True, at=now + 1800, until=now + 3600)
    parts = house.daemon.parts
    assert read(house, browser).announcement is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(parts), "now", lambda _self: now + 3601)
        assert read(house, browser) == Notices()
        answer = order(house, "announcement", text="Late", until=now + 3600)
        assert answer.status_code == 422


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("announcement", {}),
        ("announcement", {"text": "x" * 501}),
        ("announcement", {"text": "x", "level": "loud"}),
        ("announcement", {"text": "x", "until": 1.0}),
        ("announcement", {"text": "x", "until": "tomorrow"}),
        ("announcement", {"text": "x", "until": 1e300}),
        ("announcement", {"text": "x", "more": 1}),
        ("maintenance", {}),
        ("maintenance", {"on": True, "until": 1.0}),
        ("maintenance", {"on": True, "at": 1e9, "until": 1.1e9}),
        ("maintenance", {"on": True, "at": -1}),
        ("maintenance", {"on": True, "message": "x" * 301}),
    ],
)
def test_an_order_that_is_not_understood_changes_nothing(untouched: House, what: str, body: dict[str, Any]) -> None:
    answer = order(untouched, what, **body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert read(untouched, untouched.page()) == Notices()
    assert recorded(untouched) == []


def test_maintenance_holds_pages_off_and_says_until_when(house: House, token: dict[str, str]) -> None:
    old, new = house.page(), house.page()
    backend = house.backend(old)
    answer = order(house, "maintenance", on=True, until=time.time() + 1000, message="New disks.")
    assert answer.status_code == 200, answer.text
    refused = new.post(house.url + "/api/v1/start-of-interaction", timeout=20)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:ligan:problem:maintenance")
    assert "in maintenance until 2" in refused.json()["detail"]
    assert "New disks." in refused.json()["detail"]
    assert 900 < int(refused.headers["Retry-After"]) <= 1000
    assert new.get(house.url + "/", timeout=20).status_code == 200, "the page is there"
    assert new.get(house.url + "/api/v1/tasks", timeout=20).status_code == 200, "and what people have"
    assert requests.get(house.url + "/metrics", timeout=20).status_code == 200
    assert house.session_of(old)["backend"]["ready"], "it goes on"
    status = requests.get(house.url + "/api/v1/admin/status", headers=token, timeout=20).json()
    assert status["notices"]["maintenance"]["message"] == "New disks."
    (said,) = [one["what"] for one in status["events"] if one["what"].startswith("maintenance on")]
    assert re.search(r"until \d{4}-\d\d-\d\d \d\d:\d\d \w+, drain False, message New disks\.", said), (
        "as a clock shows it"
    )
    order(house, "maintenance", on=True, drain=True)
    nonce = backend.bootstrap.nonce
    wait_until(lambda: not live(house, nonce), "the drained backend's end")
    refused = old.post(house.url + "/api/v1/start-of-interaction", timeout=20)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
    order(house, "maintenance", on=False)
    assert new.post(house.url + "/api/v1/start-of-interaction", timeout=20).status_code == 200
    assert [what for _, what, _ in recorded(house)] == ["maintenance on", "maintenance on", "maintenance off"]


def live(house: House, nonce: str) -> bool:
    with house.daemon.database.read() as connection:
        job = jobs.find(connection, nonce)
    return job is not None and job.live
