"""Memory that is free goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HOLES = """
import sys
import psutil
from ligan.memory import trim
blocks = [bytearray(50_000) for _ in range(4_000)]
last = blocks[-1]
blocks = [last]
before = psutil.Process().memory_info().rss
if sys.argv[1] == "yes" and not trim():
    sys.exit("not here")
print((before - psutil.Process().memory_info().rss) // 1_000_000)
"""
_START = """
import gc, sys
from ligan.memory import settle
start = [[] for _ in range(1000)]
if sys.argv[1] == "yes":
    settle()
print(len(gc.get_objects()))
"""
_BUFFERS = """
import sys
import psutil
from ligan.memory import give_back_what_is_free
if sys.argv[1] == "yes" and not give_back_what_is_free():
    sys.exit("not here")
del_first = bytearray(b"x" * 1_000_000)
del del_first  # from here on glibc takes that much for small
before = psutil.Process().memory_info().rss
many = [b"x" * 900_000 for _ in range(100)]
many[:-1] = []  # the last one lies on top of the heap
print((psutil.Process().memory_info().rss - before) // 1_000_000)
"""


def said(script: str, wanted: str) -> int:
    done = subprocess.run([sys.executable, "-c", script, wanted], capture_output=True, text=True, timeout=60)
    if "not here" in done.stderr:
        pytest.skip("this C library has neither mallopt(3) nor malloc_trim(3)")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_buffers_do_not_stay() -> None:
    assert said(_BUFFERS, "yes") < 10 < said(_BUFFERS, "no")


def test_holes_are_given_back() -> None:
    assert said(_HOLES, "no") < 10 < 150 < said(_HOLES, "yes")


def test_the_collector_passes_over_what_was_there_at_the_start() -> None:
    assert said(_START, "yes") < 1000 < said(_START, "no")
