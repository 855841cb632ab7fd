"""Guessing passwords takes longer and longer, and keeps nobody else out."""

from __future__ import annotations

import pytest

from ligan.intervals import LOGIN_PAUSES
from master_daemon.accounts import lockout
from master_daemon.accounts.lockout import Lockout

GUESSER, OWNER = ("alice", "10.0.0.9"), ("alice", "10.0.0.1")


def test_pauses_grow_and_stay_at_the_longest() -> None:
    guard, now = Lockout(), 1000.0
    waited = []
    for _ in range(len(LOGIN_PAUSES) + 3):
        assert guard.try_now(GUESSER, now) == 0
        waited.append(guard.wait(GUESSER, now))
        now += waited[-1]
    assert waited == [*map(int, LOGIN_PAUSES), 900, 900, 900]


def test_a_day_of_guessing_comes_to_about_a_hundred_tries() -> None:
    guard, now, tries = Lockout(), 0.0, 0
    while now < 24 * 3600:
        wait = guard.try_now(GUESSER, now)
        tries += not wait
        now += max(wait, 0.001)
    assert tries < 120


def test_who_tries_too_soon_is_not_looked_at_and_not_punished_more() -> None:
    guard = Lockout()
    for _ in range(3):
        guard.try_now(GUESSER, 0.0)
    assert [guard.try_now(GUESSER, 0.5) for _ in range(5)] == [1] * 5
    assert guard.try_now(GUESSER, 1.0) == 0


def test_the_owner_comes_in_from_elsewhere() -> None:
    guard = Lockout()
    while not guard.wait(GUESSER, 0.0):
        guard.failed(GUESSER, 0.0)
    assert guard.try_now(OWNER, 0.0) == 0


def test_the_right_password_forgives_all() -> None:
    guard = Lockout()
    for _ in range(5):
        guard.failed(OWNER, 0.0)
    guard.succeeded(OWNER)
    assert guard.wait(OWNER, 0.0) == 0


def test_a_day_later_one_begins_anew() -> None:
    guard = Lockout()
    for _ in range(9):
        guard.failed(OWNER, 0.0)
    guard.failed(OWNER, 2 * 24 * 3600.0)
    assert guard.wait(OWNER, 2 * 24 * 3600.0) == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockout, "_KEPT", 10)
    guard = Lockout()
    for number in range(100):
        guard.failed(("alice", str(number)), 0.0)
    assert len(guard._failures) == 10
