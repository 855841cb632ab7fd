"""Memory that is free goes back to the system: mallopt(3) for servers with many threads, malloc_trim(3) for models.

And what is there to stay is not looked through again and again.
"""

from __future__ import annotations

import ctypes
import gc
from functools import cache

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""Their numbers in glibc's <malloc.h>."""
_LARGE = 128 * 1024
"""Bytes from which memory is the system's own, and goes back when it is freed: uploads, photos. Glibc begins with the
same number, but raises it up to 32 MiB by what it sees freed."""
_ARENAS = 2
"""Heaps that threads share; of eight for each core, as by default, every one keeps what its threads needed most."""


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
