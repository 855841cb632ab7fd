"""Heads that the gateway knows by their bytes, and lets through without asking again who sends them."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.wire import Answer, answers, exchange
from tests.master_daemon.accounts.person import PASSWORD, Person

_AT_ONCE = 16
_WARM = 3
"""Times that a head is sent before it is attacked."""
_PATIENCE_S = 3.0
_MIB = 1024 * 1024
_GROWTH = 64 * _MIB
"""More than what all servers of a daemon may remember of heads."""
_BYTES = b"\r\n\0\t :;,=_#?/A1\x7f\x80"


def _head(cookie: str, target: str = "/echo") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\nCookie: ligan_session={cookie}\r\nAccept: */*\r\n\r\n".encode()


class Line:
    """A connection that stays open while things change."""

    def __init__(self, house: House) -> None:
        self._line = socket.create_connection(house.public, 20)

    def ask(self, head: bytes) -> Answer:
        """One answer; status 0 where none came."""
        heard = b""
        self._line.sendall(head)
        while not any(answers(heard)):
            piece = self._line.recv(65536)
            if not piece:
                return Answer(0)
            heard += piece
        return next(answers(heard))

    def close(self) -> None:
        self._line.close()


@family(recorded=True)
def remembered_heads(house: House, count: Count) -> None:
    """a head that was let in, sent again: with one byte changed, after its session's end, out of a crowd of others"""
    alice = house.people["alice"]
    told = _told(exchange(house.public, *[_head(alice.cookie)] * _WARM))
    count.attack("her own head is told her session", told != [alice.session_id] * _WARM and f"never: {told}")
    _changed(house, count, alice)
    _ended(house, count)
    _crowd(house, count, alice)


def _mutants(head: bytes) -> Iterator[tuple[int, bytes]]:
    """(place, the head with that byte another one, left out, or followed by one more)."""
    rng = random.Random(4)
    for at in range(len(head)):
        byte = bytes([rng.choice(_BYTES)])
        for changed in (byte, b"", head[at : at + 1] + byte):
            if changed != head[at : at + 1]:
                yield at, head[:at] + changed + head[at + 1 :]


def _changed(house: House, count: Count, alice: Person) -> None:
    """Behind the one that is known, over the same connection."""
    head = _head(alice.cookie)
    cookie = range(head.find(alice.cookie.encode()), head.find(b"\r\nAccept") - 1)  # spaces may follow its last byte
    found = list(_mutants(head))
    chosen = random.Random(5).sample(found, house.many(len(found)))

    def attack(mutant: tuple[int, bytes]) -> tuple[str, object]:
        at, data = mutant
        got = exchange(house.public, head, data, timeout_s=_PATIENCE_S)[1:]
        theirs = at in cookie and [said for said in _told(got) if said]
        other = [answer for answer in got if answer.status == 200 and _target(answer) not in data.decode("latin-1")]
        return f"byte {at}: {data[max(0, at - 9) : at + 9]!r}", theirs or other

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for what, let_in in pool.map(attack, chosen):
            count.attack(what, let_in)


def _ended(house: House, count: Count) -> None:
    """Sent over the same connection as before, and over another one."""
    olga = house.people["olga"]
    ends: tuple[tuple[str, Callable[[Person], object]], ...] = (
        ("logout", lambda person: person.api("POST", "/account/logout")),
        ("a new password", lambda _: olga.api("POST", "/admin/users/bob", json={"password": PASSWORD})),
        ("the session's end", lambda person: person.api("DELETE", "/session")),
        ("disabling", lambda _: olga.api("POST", "/admin/users/bob", json={"disabled": True})),
    )
    for what, end in ends:
        bob = Person(house.url).enter("bob")
        session_id, line = bob.session_id, Line(house)
        heads = [_head(bob.cookie, target) for target in ("/echo", "/api/v1/session")]
        before = [line.ask(head).status for head in heads * _WARM]
        count.attack(f"let in before {what}", set(before) != {200} and f"never: {before}")
        end(bob)
        for where in (line, Line(house)):
            for head in heads * _WARM:
                answer = where.ask(head)
                count.answered(f"{what}: {head[:20]!r}", answer.status, answer.headers, session_id in answer.text)
            where.close()
    olga.api("POST", "/admin/users/bob", json={"disabled": False})


def _crowd(house: House, count: Count, alice: Person) -> None:
    """So many heads, of nobody, that hers is forgotten; each as large as a head may be that is remembered."""
    daemon = psutil.Process(house.daemon.pid)
    before = daemon.memory_info().rss
    line, mine = Line(house), _head(alice.cookie)
    for number in range(house.many(20_000)):
        answer = line.ask(_head("x" * 1500, f"/echo?{number}"))
        count.answered(f"head {number} of nobody", answer.status, answer.headers, answer.status != 401)
    grown = daemon.memory_info().rss - before
    count.attack("what they made the daemon keep", grown > _GROWTH and f"{grown / _MIB:.0f} MiB")
    told = _told([line.ask(mine) for _ in range(_WARM)])
    count.attack("another's session, in the crowd", told != [alice.session_id] * _WARM and f"{told}")
    line.close()


def _told(got: list[Answer]) -> list[str]:
    """The sessions that the frontend was told, "" for none."""
    heads = [dict(json.loads(answer.text)["headers"]) for answer in got if answer.status == 200]
    return [{name.lower(): value for name, value in each.items()}.get("x-ligan-session", "") for each in heads]


def _target(answer: Answer) -> str:
    return str(json.loads(answer.text)["target"])
