"""What `make images` says to words that mean nothing, before it builds anything."""

from __future__ import annotations

import subprocess

import pytest

from tests.images_fixture import ROOT


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--base", "centos"), "--base takes auto docker debian, not 'centos'"),
        (("--base", ""), "not ''"),
        (("--base",), "--base needs a value"),
        (("--engine", "stylegan2"), "--engine takes appearance fake"),
        (("--quick", "daemon"), "Usage:"),
    ],
)
def test_wrong_words_are_refused_at_once(words: tuple[str, ...], told: str) -> None:
    done = subprocess.run([ROOT / "scripts" / "build-images", *words], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert told in done.stderr
