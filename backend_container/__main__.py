"""`python -m backend_container`: a backend, as the daemon starts it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import TracebackType

log = logging.getLogger("backend_container")

DESCRIPTION = """The backend of one session: model work in a job of its own.

The daemon starts it (`ligan up`) and writes one JSON document to its standard input, which says where the daemon is,
which engine to load and what the job's token is. It ends with code 0 on SIGTERM or when its daemon stays away, and with
code 1 when the daemon refuses it or its models cannot be loaded. It logs to standard error.
`python -m backend_container.describe` prints its API and its tasks."""


def main() -> None:
    argparse.ArgumentParser(
        "backend_container", description=DESCRIPTION, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args()
    _on_end(lambda: _leave(0))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.excepthook = _crash
    threading.excepthook = lambda args: _crash(args.exc_type, args.exc_value, args.exc_traceback)
    try:
        _serve()
    except (SystemExit, OSError) as refusal:
        log.error("%s", refusal)
        _leave(1)


def _serve() -> None:
    # Flask and its kin are imported here, so that `--help` is quick and a SIGTERM meanwhile is heeded.
    from backend_container.backend import Backend
    from ligan.job import read_bootstrap

    backend = Backend(read_bootstrap(sys.stdin, "backend"), _leave)
    _on_end(backend.end)
    backend.start()
    threading.Event().wait()  # for ever: signals are handled on this thread, which is free for them


def _on_end(end: Callable[[], object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end())


def _crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """A thread that dies takes the backend with it: the daemon sees a job's end, but not that it limps."""
    log.critical("This is a fault of LiGAN", exc_info=(kind, error or kind(), trace))
    _leave(1)


def _leave(code: int) -> None:
    """End now: the interpreter's own way out would wait for the model thread, which may be deep in a network."""
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    main()
