"""Passwords: Argon2id, the same work for everybody, no more than a few at a time."""

from __future__ import annotations

import pytest

from ligan.problem import Problem
from master_daemon.accounts import password, placeholder

GOOD = "correct horse battery"


def test_a_password_is_known_again_and_no_other_is() -> None:
    digest = password.hashed(GOOD)
    assert digest.startswith("$argon2id$")
    assert GOOD not in digest
    assert password.verify(GOOD, digest)
    assert not any(password.verify(other, digest) for other in ("", GOOD + " ", GOOD.upper(), digest, "\ud800"))
    assert not password.outdated(digest)
    assert password.hashed(GOOD) != digest, "salted"


def test_however_the_keyboard_composes_it() -> None:
    assert password.verify("Pa\u00dfwo\u0308rter zum Ma\u030a", password.hashed("Pa\u00dfw\u00f6rter zum M\u00e5"))


@pytest.mark.parametrize("bad", ["", "short", "x" * 11, "x" * 257])
def test_lengths(bad: str) -> None:
    with pytest.raises(Problem, match="12 to 256"):
        password.hashed(bad)


@pytest.mark.parametrize(
    "bad",
    [
        "password1234",
        "Passwort2026!!",
        "changemechangeme",
        "Change-Me-Please",
        "administrator",
        "Alice2026alice",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "123456789012",
        "qwertyuiop12",
    ],
)
def test_what_everybody_would_try_first_is_refused(bad: str) -> None:
    with pytest.raises(Problem, match="try this one first"):
        password.hashed(bad, "alice")


@pytest.mark.parametrize("good", [GOOD, "my password is a secret", "839201746355", "alice likes tea"])
def test_words_of_ones_own_are_taken(good: str) -> None:
    assert not placeholder.is_placeholder(good, "alice")


def test_who_has_no_account_costs_as_much_as_who_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function over a hash of the same parameters; only then is the answer no."""
    verified: list[str] = []
    digest = password.hashed(GOOD)

    class Hasher:
        hash = staticmethod(password._HASHER.hash)

        def verify(self, against: str, given: bytes) -> bool:
            verified.append(against)
            return password._HASHER_KEPT.verify(against, given)  # type: ignore[attr-defined]

    monkeypatch.setattr(password, "_HASHER_KEPT", password._HASHER, raising=False)
    monkeypatch.setattr(password, "_HASHER", Hasher())
    assert not password.verify("a wrong password", digest)
    assert not password.verify("nobody's password", None), "not even the right guess of nobody's password"
    known, nobodys = (against.rsplit("$", 2)[0] for against in verified)
    assert known == nobodys


def test_no_more_than_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "_PATIENCE", 0.01)
    held = [password._places.acquire() for _ in range(2)]
    try:
        with pytest.raises(Problem) as refused:
            password.verify(GOOD, None)
        assert refused.value.slug == "too-many-requests"
    finally:
        for _ in held:
            password._places.release()
    assert not password.verify(GOOD, None), "the places are given back"
