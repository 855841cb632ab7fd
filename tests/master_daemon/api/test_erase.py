"""`DELETE session`: erased means erased (promise 8), whatever was under way."""

from __future__ import annotations

import hashlib

import pytest
import requests
from sqlalchemy import select

from ligan.problem import Problem
from ligan.wire.image import NewImage, Upload
from ligan.wire.job import Done, Heartbeat, ReportedImage, ReportedResult
from ligan.wire.session import JobState
from master_daemon.state.schema import metadata
from master_daemon.tunnel.cookie import NAME
from tests.ligan.stub import wait_until
from tests.master_daemon.api.new_task import new_task
from tests.master_daemon.running import House, Played

PHOTO, FACE = b"a photo", b"a face"


def store(job: Played, body: bytes) -> str:
    sha256 = hashlib.sha256(body).hexdigest()
    job.cluster().put_bytes(f"/artifacts/{sha256}", body)
    return sha256


def rows_of(house: House, key: str) -> set[str]:
    """The tables that know the session."""
    with house.daemon.database.read() as connection:
        return {
            name
            for name, table in metadata.tables.items()
            if "session_key" in table.c and connection.execute(select(table).where(table.c.session_key == key)).first()
        }


def delete(house: House, browser: requests.Session) -> requests.Response:
    return browser.delete(f"{house.url}/api/v1/session", timeout=20)


def test_nothing_is_left(house: House, frontend: Played, browser: requests.Session) -> None:
    session_id = house.session_of(browser)["session_id"]
    key, backend = house.key(session_id), house.backend(browser)
    photo, face = store(frontend, PHOTO), store(backend, FACE)
    new = NewImage(session_id=session_id, sha256=photo, width=9, height=9)
    frontend.cluster().post("/images", new, Upload)
    done, running = new_task(house, browser), new_task(house, browser)
    image = ReportedImage(sha256=face, width=9, height=9)
    backend.cluster().post("/on-result", ReportedResult(task_id=done, attempt=1, images=[image]), Done)
    assert rows_of(house, key) == {"sessions", "session_ids", "images", "tasks", "events"}

    answer = delete(house, browser)
    assert answer.status_code == 202
    assert rows_of(house, key) == set()
    assert not any(house.daemon.parts.artifacts.has(name) for name in (photo, face))
    assert NAME not in browser.cookies

    job = house.newest(key)
    assert job is not None
    assert job.state is JobState.ENDED
    assert delete(house, browser).status_code == 401
    late = ReportedResult(task_id=running, attempt=1, images=[])
    for path, message in (("/on-result", late), ("/heartbeat", Heartbeat())):
        with pytest.raises(Problem) as refused:
            backend.cluster().post(path, message, Done)
        assert refused.value.slug == "not-authorised", "it is told to end"


def test_another_session_keeps_what_it_has(house: House, frontend: Played, browser: requests.Session) -> None:
    other = house.page()
    ids = [house.session_of(one)["session_id"] for one in (browser, other)]
    photo = store(frontend, PHOTO)
    for session_id in ids:
        new = NewImage(session_id=session_id, sha256=photo, width=9, height=9)
        frontend.cluster().post("/images", new, Upload)
    delete(house, browser)
    assert house.daemon.parts.artifacts.has(photo)
    assert house.session_of(other)["session_id"] == ids[1]
    delete(house, other)
    assert not house.daemon.parts.artifacts.has(photo)
    other.close()


def test_a_job_that_was_just_submitted_is_called_off(house: House, frontend: Played, browser: requests.Session) -> None:
    bootstrap = house.requested_backend(browser)
    delete(house, browser)
    wait_until(lambda: house.manager.job(bootstrap.nonce).state == "CANCELLED", "the job to be cancelled")


def test_the_page_begins_anew(house: House, frontend: Played, browser: requests.Session) -> None:
    before = house.session_of(browser)
    browser.post(f"{house.url}/api/v1/start-of-interaction")
    delete(house, browser)
    browser.get(f"{house.url}/")
    after = house.session_of(browser)
    assert after["session_id"] != before["session_id"]
    assert after["backend"]["state"] == "NONE"


def test_without_a_session_there_is_nothing_to_erase(house: House, frontend: Played) -> None:
    assert requests.delete(f"{house.url}/api/v1/session", timeout=20).status_code == 401
