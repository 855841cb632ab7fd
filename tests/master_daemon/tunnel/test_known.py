"""A head that comes again is let through without asking who sends it, for as long as that is still true."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from ligan.ids import new_id
from ligan.settings import AccountSettings, LimitSettings
from ligan.web.guard import FRONTEND_HEADER, SESSION_HEADER
from ligan.wire.session import JobState
from master_daemon.parts import Parts
from master_daemon.state import users
from tests.ligan.stub import wait_until
from tests.master_daemon.accounts.person import Person, add_user
from tests.master_daemon.running import House, house_in

_LOCAL = AccountSettings(mode="local")
_OFTEN = 4
_LIMITED = LimitSettings(requests_per_minute=20, anonymous_per_minute=0)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_in(tmp_path_factory.mktemp("known"), accounts=_LOCAL) as house:
        house.frontend()
        yield house


class Line:
    """One connection, over which the same bytes are sent again and again."""

    def __init__(self, house: House, cookie: str, path: str = "/x", source: str = "127.0.0.1") -> None:
        self.head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: ligan_session={cookie}\r\n\r\n".encode()
        self._line = socket.create_connection(("127.0.0.1", house.daemon.port), 20, (source, 0))

    def ask(self, times: int = 1) -> tuple[int, dict[str, Any]]:
        """Status and document of the last answer; all of them have the same status."""
        said = [self._ask() for _ in range(times)]
        assert len({status for status, _ in said}) == 1, said
        return said[-1]

    def _ask(self) -> tuple[int, dict[str, Any]]:
        self._line.sendall(self.head)
        response = HTTPResponse(self._line)
        response.begin()
        return response.status, json.loads(response.read())

    def close(self) -> None:
        self._line.close()


@contextmanager
def line(house: House, cookie: str, **options: str) -> Iterator[Line]:
    found = Line(house, cookie, **options)
    try:
        yield found
    finally:
        found.close()


def person(house: House) -> Person:
    """A new user, who has opened the start page."""
    name = new_id("u")
    add_user(house, name)
    return Person(house.url).enter(name)


def told(answer: tuple[int, dict[str, Any]]) -> str:
    """The session that the frontend was told."""
    assert answer[0] == 200, answer
    return str(answer[1]["headers"].get(SESSION_HEADER.title(), ""))


def test_the_same_bytes_are_decided_once_and_carried_each_time(house: House) -> None:
    mine = person(house)
    with line(house, mine.cookie) as same:
        assert {told(same.ask()) for _ in range(5)} == {mine.session_id}


def test_logged_out(house: House) -> None:
    mine = person(house)
    with line(house, mine.cookie) as same, line(house, mine.cookie, source="127.0.0.2") as elsewhere:
        assert told(same.ask(_OFTEN)) == told(elsewhere.ask(_OFTEN)) == mine.session_id
        assert mine.api("POST", "/account/logout").ok
        assert same.ask(_OFTEN)[0] == elsewhere.ask(_OFTEN)[0] == 401


def test_disabled(house: House) -> None:
    name = new_id("u")
    user = add_user(house, name)
    mine = Person(house.url).enter(name)
    with line(house, mine.cookie) as same:
        assert same.ask(_OFTEN)[0] == 200
        with house.daemon.database.write() as transaction:
            users.set_values(transaction, user.user_id, disabled=True)
        house.daemon.parts.accounts.changed(user.user_id)
        assert same.ask(_OFTEN)[0] == 401


def test_erased(house: House) -> None:
    """The login goes on, its session is gone."""
    mine = person(house)
    with line(house, mine.cookie) as same:
        gone = told(same.ask(_OFTEN))
        assert mine.api("DELETE", "/session").ok
        status, said = same.ask(_OFTEN)
        assert status == 401 or said["headers"].get(SESSION_HEADER.title(), "") != gone


def test_everybody_is_told_apart(house: House) -> None:
    """Heads that differ by the cookie alone; and by one byte of it."""
    mine, yours = person(house), person(house)
    at = len(mine.cookie) // 2
    forged = mine.cookie[:at] + ("A" if mine.cookie[at] != "A" else "B") + mine.cookie[at + 1 :]
    with line(house, mine.cookie) as one, line(house, yours.cookie) as two, line(house, forged) as nobody:
        for _ in range(_OFTEN):
            assert (told(one.ask()), told(two.ask())) == (mine.session_id, yours.session_id)
            assert nobody.ask()[0] == 401


def test_limits_count_each_request(tmp_path: Path) -> None:
    with house_in(tmp_path, accounts=_LOCAL, limits=_LIMITED) as house:
        house.frontend()
        mine = person(house)
        with line(house, mine.cookie) as same:
            statuses = [same.ask()[0] for _ in range(25)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert statuses == sorted(statuses), "none is let through after the first that is refused"


def test_the_next_frontend_is_asked_and_is_told_its_own_secrets(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        first = house.frontend()
        cookie = house.page().cookies["ligan_session"]
        with line(house, cookie) as same:
            assert same.ask(_OFTEN)[1]["headers"][FRONTEND_HEADER.title()] == first.bootstrap.instance_id
            parts, nonce = house.daemon.parts, first.bootstrap.nonce
            parts.supervisor.change(nonce, lambda job: replace(job, state=JobState.DRAINING), parts.now())
            wait_until(lambda: _nonce(house) != nonce, "the next frontend job")
            second = house.frontend()
            wait_until(lambda: parts.supervisor.frontend is not None, "the next frontend")
            assert same.ask(_OFTEN)[1]["headers"][FRONTEND_HEADER.title()] == second.bootstrap.instance_id
            assert second.bootstrap.instance_id != first.bootstrap.instance_id


def test_who_asks_again_and_again_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noted once a second, and not forgotten for an hour where the clock was set back by one."""
    with house_in(tmp_path) as house:
        house.frontend()
        parts, began = house.daemon.parts, time.time()
        clock = [began]
        monkeypatch.setattr(Parts, "now", lambda _: clock[0])

        def seen_at(now: float) -> bool:
            clock[0] = now
            told(same.ask(_OFTEN))
            return bool(parts.presence.present(now, 0.0)) and not parts.presence.present(now + 0.01, 0.0)

        with line(house, house.page().cookies["ligan_session"]) as same:
            assert [seen_at(began + s) for s in (5, 5.5, 7, -3600)] == [True, False, True, True]


def _nonce(house: House) -> str:
    job = house.newest("frontend")
    return "" if job is None else job.nonce
