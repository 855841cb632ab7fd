"""`python -m backend_container`: a backend, as the daemon starts it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

from backend_container import threads
from backend_container.phases import Phases
from ligan.doorbell import Doorbell

TYPE_CHECKING = False  # as in `typing`: what is imported here delays the call home
if TYPE_CHECKING:
    import logging
    from types import TracebackType

DESCRIPTION = """A backend: model work for one session, or for all, in a job of its own.

The daemon starts it (`ligan up`) and writes one JSON document to its standard input, which says where the daemon is,
which engine to load and what the job's token is. It ends with code 0 on SIGTERM, when its daemon has
no more use for it or stays away, and with code 1 when the daemon refuses it or its models cannot be loaded. It logs to
standard error.
`python -m backend_container.describe` prints its API and its tasks."""


def main() -> None:
    """Call home, load, serve, until the daemon or the resource manager ends it."""
    if len(sys.argv) > 1:
        _explain()
    _on_end(lambda: _leave(0))
    sys.excepthook = _crash
    threading.excepthook = lambda args: _crash(args.exc_type, args.exc_value, args.exc_traceback)
    try:
        _serve()
    except (SystemExit, OSError) as refusal:
        _log().error("%s", refusal)
        _leave(1)


def _explain() -> None:
    """Answer `--help`, refuse anything else."""
    from argparse import ArgumentParser, RawTextHelpFormatter

    ArgumentParser("backend_container", description=DESCRIPTION, formatter_class=RawTextHelpFormatter).parse_args()


def _serve() -> None:
    text, phases = sys.stdin.read(), Phases()
    doorbell = Doorbell(text, "backend")
    phases.end("start")
    doorbell.ring()
    phases.end("register")
    _log()
    threads.tell()
    # Flask and its kin, only now that the daemon knows of us
    from backend_container.backend import Backend
    from ligan.job import parse_bootstrap

    backend = Backend(parse_bootstrap(text, "backend"), phases, _leave)
    _on_end(backend.end)
    backend.start(doorbell.listener)
    threading.Event().wait()  # for ever: signals are handled on this thread, which is free for them


def _on_end(end: Callable[[], object]) -> None:
    """Once: Slurm and Apptainer tell the same end each, and the second word must not interrupt what the first began."""

    def once(*_: object) -> None:
        _at_end(signal.SIG_IGN)
        end()

    _at_end(once)


def _at_end(handler: Callable[..., object] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """A thread that dies takes the backend with it: the daemon sees a job's end, but not that it limps."""
    _log().critical("This is a fault of LiGAN", exc_info=(kind, error or kind(), trace))
    _leave(1)


def _log() -> logging.Logger:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return logging.getLogger("backend_container")


def _leave(code: int) -> None:
    """End now: the interpreter's own way out would wait for the model thread, which may be deep in a network."""
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
