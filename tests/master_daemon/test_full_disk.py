"""A daemon whose disk is full says so, loses nothing, and goes on once there is room."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ligan.problem import MEDIA_TYPE, Problem
from tests.faults.disk import fill, small_disk
from tests.faults.real import UnavailableError
from tests.master_daemon.running import House, Played, house_in


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for some megabytes."""
    try:
        with small_disk(tmp_path / "disk", 4) as folder:
            yield folder
    except UnavailableError as error:
        pytest.skip(str(error))


def put(frontend: Played, body: bytes) -> None:
    frontend.cluster().put_bytes(f"/artifacts/{hashlib.sha256(body).hexdigest()}", body)


def first_refusal(house: House) -> requests.Response:
    """The log may have room for some sessions yet."""
    for _ in range(2000):
        answer = requests.get(house.url + "/", timeout=20)
        if not answer.ok:
            return answer
    raise AssertionError("the disk never filled up")


def test_both_edges_say_it_and_recover(state_dir: Path) -> None:
    with house_in(state_dir) as house:
        frontend = house.frontend()
        page = house.page()
        filler = state_dir / "filler"
        fill(filler)
        with pytest.raises(Problem) as raised:
            put(frontend, b"x" * 100_000)
        assert (raised.value.slug, raised.value.status) == ("storage-full", 507)
        answer = first_refusal(house)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (507, MEDIA_TYPE)
        assert answer.json()["type"] == "urn:ligan:problem:storage-full"
        assert "make room" in answer.json()["detail"]
        filler.unlink()
        put(frontend, b"x" * 100_000)
        assert requests.get(house.url + "/", timeout=20).ok
        assert house.session_of(page)["session_id"], "what was acknowledged before is there"
