"""Every verb of `ligan` teaches: what it does, examples, an answer for scripts, and what its exit status means."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

VERBS = sorted(entry.name for entry in entry_points(group="ligan.commands"))
NO_ANSWER = {"up"}
"""Verbs that run until they are stopped."""
FIRST_DEED = {"dataset": "info"}
"""Where it is not `list`."""


def test_there_are_verbs() -> None:
    assert {"up", "doctor", "init", "backup", "restore", "status", "jobs", "explain", "drain"} <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_its_help_teaches(verb: str) -> None:
    shown = help_of(verb)
    usage, _, rest = shown.partition("examples:")
    assert f"  ligan {verb}" in rest, "no examples"
    assert "Exit status: 0 " in rest or "Exit codes: 0 " in rest, "no exit status"
    assert len(usage.split("\n\n")[1]) > 60, "no description"
    answers = help_of(verb, FIRST_DEED.get(verb, "list")) if "DEED" in usage else usage
    assert "--json" in answers or verb in NO_ANSWER, "nothing for scripts"


def help_of(*words: str) -> str:
    argv = (sys.executable, "-m", "ligan", *words, "--help")
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
