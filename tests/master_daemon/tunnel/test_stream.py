"""Event streams: in order, resumable, alive, and nobody else's (promise 5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
import requests

from ligan.intervals import SSE_BACKLOG
from ligan.wire.event import EventName
from ligan.wire.session import Backend
from master_daemon.state import events
from master_daemon.tunnel import hub
from tests.ligan.stub import wait_until
from tests.master_daemon.running import House, Stream

Open = Callable[..., Stream]


@pytest.fixture
def key(house: House, browser: requests.Session) -> str:
    return house.key(house.session_of(browser)["session_id"])


@pytest.fixture
def opened(house: House, browser: requests.Session) -> Iterator[Open]:
    streams: list[Stream] = []

    def open_one(last: int | str | None = None, by: requests.Session | None = None) -> Stream:
        streams.append(Stream(house.url, by or browser, last))
        return streams[-1]

    yield open_one
    for each in streams:
        each.close()


def publish(house: House, key: str, count: int = 1, reason: str = "") -> None:
    for number in range(count):
        with house.daemon.database.write() as transaction:
            backend = Backend(generation=number, reason=reason)
            events.append(transaction, key, EventName.ON_QUEUE, backend, 0.0)


def ids(frames: list[dict[str, str]]) -> list[int]:
    return [int(frame["id"]) for frame in frames]


def test_it_begins_with_where_things_stand(opened: Open) -> None:
    first = opened()
    assert first.status == 200
    assert first.headers["Content-Type"] == "text/event-stream"
    assert (first.headers["Cache-Control"], first.headers["X-Accel-Buffering"]) == ("no-store", "no")
    assert first.frame().startswith("retry: ")
    event = first.event()
    assert (event["event"], event["id"], json.loads(event["data"])["state"]) == ("on-queue", "0", "NONE")


def test_events_come_in_order_without_a_gap(house: House, key: str, opened: Open) -> None:
    live = opened()
    live.event()
    publish(house, key, 30)
    assert ids(live.until(lambda event: event["id"] == "30")) == list(range(1, 31))


def test_what_was_missed_is_replayed(house: House, key: str, opened: Open) -> None:
    publish(house, key, 10)
    resumed = opened(last=4)
    assert ids(resumed.until(lambda event: event["id"] == "10")) == [5, 6, 7, 8, 9, 10]
    publish(house, key)
    assert resumed.event()["id"] == "11"


@pytest.mark.parametrize("last", [7, 10**15 - 1])
def test_an_id_that_is_not_ours_means_start_afresh(house: House, key: str, opened: Open, last: int) -> None:
    publish(house, key, 3)
    resumed = opened(last=last)
    assert resumed.event()["event"] == "resync"
    publish(house, key)
    assert resumed.event()["id"] == "4"


def test_what_is_not_kept_any_more_means_start_afresh(house: House, key: str, opened: Open) -> None:
    with house.daemon.database.write() as transaction:
        for _ in range(SSE_BACKLOG + 5):
            events.append(transaction, key, EventName.ON_QUEUE, Backend(), 0.0)
    assert opened(last=1).event()["event"] == "resync"


@pytest.mark.parametrize("last", ["", "-1", "1.5", "abc", "\u00b2", "9" * 40, "0x1"])
def test_a_last_id_that_is_none_begins_where_things_stand(opened: Open, last: str) -> None:
    assert opened(last=last).event()["event"] == "on-queue"


def test_another_sessions_events_are_never_seen(house: House, key: str, opened: Open) -> None:
    other = house.page()
    other_key = house.key(house.session_of(other)["session_id"])
    mine, theirs = opened(), opened(by=other)
    for each in (mine, theirs):
        each.event()
    for _ in range(10):
        publish(house, key, reason="mine")
        publish(house, other_key, reason="theirs")
    for each, reason in ((mine, "mine"), (theirs, "theirs")):
        frames = each.until(lambda event: event["id"] == "10")
        assert {json.loads(frame["data"])["reason"] for frame in frames} == {reason}
    replayed = opened(last=0, by=other).until(lambda event: event["id"] == "10")
    assert {json.loads(frame["data"])["reason"] for frame in replayed} == {"theirs"}
    other.close()


def test_every_tab_hears_everything(house: House, key: str, opened: Open) -> None:
    tabs = [opened(), opened()]
    for tab in tabs:
        tab.event()
    wait_until(lambda: house.daemon.parts.presence.open_pages >= 2, "both tabs to be counted")
    publish(house, key, 5)
    for tab in tabs:
        assert ids(tab.until(lambda event: event["id"] == "5")) == [1, 2, 3, 4, 5]


def test_silence_is_kept_alive(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "SSE_KEEPALIVE", 0.05)
    quiet = opened()
    quiet.event()
    assert [quiet.frame() for _ in range(3)] == ["event: keepalive\ndata:"] * 3


def test_a_slow_reader_gets_everything_in_the_end(house: House, key: str, opened: Open) -> None:
    slow, quick = opened(), opened()
    for each in (slow, quick):
        each.event()
    reason = "x" * 20_000  # 300 of them fill every buffer between here and there
    publish(house, key, 300, reason)
    assert len(quick.until(lambda event: event["id"] == "300", 400)) == 300, "one slow page holds nobody up"
    assert ids(slow.until(lambda event: event["id"] == "300", 400)) == list(range(1, 301))


def test_a_closed_page_is_forgotten(house: House, key: str, opened: Open) -> None:
    presence = house.daemon.parts.presence
    before = presence.open_pages
    page = opened()
    page.event()
    wait_until(lambda: presence.open_pages == before + 1, "the page to be counted")
    page.close()
    publish(house, key, 2)
    wait_until(lambda: presence.open_pages <= before, "the page to be gone")


def test_without_a_session_there_is_no_stream(house: House) -> None:
    answer = requests.get(house.url + "/api/v1/events", timeout=20)
    assert (answer.status_code, answer.json()["status"]) == (401, 401)
