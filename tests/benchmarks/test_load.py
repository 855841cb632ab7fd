"""The load benchmark: what it counts as an error, how it reads growth, and a small run of all of it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from _ledger import Told  # noqa: E402
from _vitals import growth  # noqa: E402

TASK = {"task_id": "t-1"}


def test_a_stream_in_order_has_no_faults() -> None:
    told = Told()
    heard = [(7, "on-ready", {}), (8, "on-progress", TASK), (9, "on-result", TASK)]
    assert [told.hear(*event) for event in heard] == [[], [], []]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ((7, "on-progress", TASK), "again"),
        ((6, "on-progress", TASK), "again"),
        ((9, "on-progress", TASK), "lost before it"),
        ((8, "resync", {}), "lost"),
    ],
)
def test_what_is_lost_or_comes_again_is_a_fault(event: tuple[int, str, dict[str, str]], words: str) -> None:
    told = Told()
    told.hear(7, "on-ready", {})
    (wrong,) = told.hear(*event)
    assert words in wrong


def test_a_fresh_page_begins_where_things_stand_but_no_task_ends_twice() -> None:
    told = Told()
    told.hear(7, "on-result", TASK)
    told.begin_anew()
    assert told.hear(20, "on-ready", {}) == []
    (wrong,) = told.hear(21, "on-error", TASK)
    assert "had its on-result" in wrong


def test_growth_is_told_from_noise() -> None:
    chance = random.Random(0)
    flat = [(5.0 * n, 100 + chance.gauss(0, 1)) for n in range(80)]
    rising = [(at, value + at * 60 / 3600) for at, value in flat]
    still, grown = growth(flat), growth(rising)
    assert abs(still["growth_mib_per_h"]) < 3 * still["growth_error_mib_per_h"]
    assert grown["growth_mib_per_h"] > 3 * grown["growth_error_mib_per_h"]
    assert grown["growth_mib_per_h"] - still["growth_mib_per_h"] == pytest.approx(60, abs=0.2)


def test_what_fills_up_is_told_from_what_leaks() -> None:
    seconds = [5.0 * n for n in range(80)]
    filling = growth([(at, 100 + min(at, 150.0) * 60 / 3600) for at in seconds])
    leaking = growth([(at, 100 + at * 60 / 3600) for at in seconds])
    assert filling["growth_mib_per_h"] > 0 == filling["second_half"]["growth_mib_per_h"]
    assert leaking["growth_mib_per_h"] == leaking["second_half"]["growth_mib_per_h"] == pytest.approx(60, abs=0.2)


@pytest.mark.timeout(150)
def test_a_few_people_find_no_errors() -> None:
    arguments = ("--manager", "local", "--users", "4", "--minutes", "0.15", "--think", "0.5", "--pool", "1", "--json")
    argv = [sys.executable, str(BENCHMARKS / "load.py"), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=140)
    assert done.stdout, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["errors"], figures["first_errors"]) == (0, [])
    assert figures["counts"]["pages seen"] > 4
    assert figures["latencies_ms"]["GET image"]["n"] >= 16 * figures["counts"]["pages seen"] * 0.9
    assert figures["told_ms"]["n"] > 0
    assert {"daemon", "frontend", "backends"} < figures["parts"].keys()
    assert done.returncode == 0
