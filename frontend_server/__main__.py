"""`python -m frontend_server`: the frontend job; the daemon starts it with a bootstrap document on standard input."""

from __future__ import annotations

import os
import signal
import sys

from ligan.doorbell import Doorbell


def main() -> None:
    """Register, serve, beat, until the daemon or the resource manager ends it; then finish what is in flight."""
    if len(sys.argv) > 1:
        _explain()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing is in flight before the daemon knows of us
    text = sys.stdin.read()
    doorbell = Doorbell(text, "frontend")
    doorbell.ring()
    # Flask and its kin, only now that the daemon knows of us
    import logging

    from frontend_server.frontend import serve
    from ligan.job import parse_bootstrap

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serve(parse_bootstrap(text, "frontend"), doorbell.listener)


def _explain() -> None:
    from argparse import ArgumentParser

    ArgumentParser(prog="python -m frontend_server", description=__doc__).parse_args()


if __name__ == "__main__":
    main()
