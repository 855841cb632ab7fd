"""Memory that is free goes back to the system."""

from __future__ import annotations

import os
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
_THREADS = """
import ctypes, sys, threading
from ligan.memory import begin_without_thread_caches
if sys.argv[1] == "yes":
    begin_without_thread_caches()
libc = ctypes.CDLL(None)
if not hasattr(libc, "mallinfo2"):
    sys.exit("not here")
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena a b c d e f used g h".split()]
libc.mallinfo2.restype, libc.malloc.restype, libc.free.argtypes = Info, ctypes.c_void_p, [ctypes.c_void_p]
def leave_free_blocks():
    for block in [libc.malloc(size) for size in range(600, 1000, 16) for _ in range(7)]:
        libc.free(block)
    done.wait()
    over.wait()
done, over = threading.Barrier(41), threading.Event()
threads = [threading.Thread(target=leave_free_blocks) for _ in range(40)]
before = libc.mallinfo2().used
for thread in threads:
    thread.start()
done.wait()
print((libc.mallinfo2().used - before) // 1_000_000)
over.set()
"""
_ANEW = """
import os, sys
from ligan.memory import begin_without_thread_caches
print("began", os.environ.get("GLIBC_TUNABLES"), *sys.argv[1:], flush=True)
begin_without_thread_caches()
print("goes on", os.environ.get("GLIBC_TUNABLES"))
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


def test_threads_keep_no_free_blocks_for_themselves() -> None:
    assert said(_THREADS, "yes") < 2 < 4 < said(_THREADS, "no")


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({}, ["began None up", "began glibc.malloc.tcache_count=0 up", "goes on None"]),
        ({"GLIBC_TUNABLES": "glibc.malloc.check=0"}, ["began glibc.malloc.check=0 up", "goes on glibc.malloc.check=0"]),
    ],
    ids=["once", "not over an operator's own"],
)
def test_a_program_begins_anew(given: dict[str, str], lines: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"} | given
    argv = [sys.executable, "-c", _ANEW, "up"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.splitlines() == lines, done.stderr


def test_the_collector_passes_over_what_was_there_at_the_start() -> None:
    assert said(_START, "yes") < 1000 < said(_START, "no")
