"""The installation's secret and what is derived from it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ligan.identity import answer, derive, load_secret, matches


def test_the_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    first = load_secret(path)
    assert len(first) == 32
    assert load_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(tmp_path / "other") != first


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o660, 0o777])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    load_secret(path)
    path.chmod(mode)
    with pytest.raises(PermissionError, match=f"chmod 600 {path}"):
        load_secret(path)


@pytest.mark.parametrize("length", [0, 1, 31])
def test_a_secret_that_was_cut_off_is_refused(tmp_path: Path, length: int) -> None:
    # A crash between making and writing the file leaves it empty; tokens of an empty key could be guessed.
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_bytes(b"x" * length)
    with pytest.raises(OSError, match="delete it"):
        load_secret(path)


@pytest.mark.parametrize("known", [bytes(32), b"x" * 64, b"changeme" * 8, b"0123456789" * 4])
def test_a_secret_that_nobody_drew_is_refused(tmp_path: Path, known: bytes) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_bytes(known)
    with pytest.raises(OSError, match="drawn by chance; delete it"):
        load_secret(path)


def test_a_derived_token_depends_on_everything() -> None:
    secret = b"s" * 32
    tokens = {
        derive(secret, "backend", "n1"),
        derive(secret, "backend", "n2"),
        derive(secret, "frontend", "n1"),
        derive(secret, "backendn", "1"),
        derive(secret, "backend"),
        derive(b"t" * 32, "backend", "n1"),
    }
    assert len(tokens) == 6
    assert derive(secret, "backend", "n1") in tokens
    assert all(len(token) == 64 for token in tokens)


def test_a_known_token() -> None:
    # printf 'backend\0abc' | openssl dgst -sha256 -hmac key
    assert derive(b"key", "backend", "abc") == "0b1ecdf983f6f8d8fe80c4febf2c54302f95ea775529762d0ad76cf1c17bfb65"


def test_matches_takes_any_text() -> None:
    assert matches("ä€", "ä€")
    assert not matches("", "token")
    assert not matches("token\0", "token")


def test_only_the_token_answers_a_challenge() -> None:
    assert answer("token", "c1") == answer("token", "c1")
    assert len({answer("token", "c1"), answer("token", "c2"), answer("other", "c1")}) == 3
    assert "token" not in answer("token", "c1")
