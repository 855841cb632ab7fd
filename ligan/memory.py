"""Memory that is free goes back to the system: mallopt(3), tunables(7) of glibc and malloc_trim(3).

And what is there to stay is not looked through again and again.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from functools import cache

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""Their numbers in glibc's <malloc.h>."""
_LARGE = 128 * 1024
"""Bytes from which memory is the system's own, and goes back when it is freed: uploads, photos. Glibc begins with the
same number, but raises it up to 32 MiB by what it sees freed."""
_ARENAS = 2
"""Heaps that threads share; of eight for each core, as by default, every one keeps what its threads needed most."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TUNABLES, _NO_THREAD_CACHES = "GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"


def begin_without_thread_caches() -> None:
    """For a server of many threads, first of all: the program begins anew, for glibc reads that at its start only.

    Every thread keeps seven freed blocks of each size up to a KiB for itself. Those of the daemon's 77 threads fill up
    by and by, to 17 MiB at most. Nothing happens where the environment has tunables of its own; ours is not passed on.
    """
    if _TUNABLES not in os.environ:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # one that comes just now would be lost with this program
        os.execve(sys.executable, sys.orig_argv, {**os.environ, _TUNABLES: _NO_THREAD_CACHES})  # noqa: S606
    if os.environ[_TUNABLES] == _NO_THREAD_CACHES:
        del os.environ[_TUNABLES]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def give_back_what_is_free() -> bool:
    """To be called before threads begin. Whether the C library can do it: musl's cannot, and has no need to."""
    mallopt = getattr(_libc(), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, _LARGE) and mallopt(_ARENA_MAX, _ARENAS))


def trim() -> bool:
    """Give back what is free by now, in whole pages, from any thread. Whether there was any.

    For a process that computes: large buffers that are the system's own each time would cost it more than they take.
    """
    malloc_trim = getattr(_libc(), "malloc_trim", None)
    return malloc_trim is not None and bool(malloc_trim(0))


def settle() -> None:
    """A server has begun: its modules, routes and tables stay. Python's collector passes over them from here on.

    Looking through the daemon's 150,000 objects stops all its threads for 50 ms each time, and finds nothing.
    """
    gc.freeze()


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
