"""`python -m ligan.trial FOLDER`: a test job's job; the daemon starts it with a bootstrap document on standard input.

FOLDER is the trial's own on this node. It ends with the command's exit code (128 + n: by signal n), with 125 where the
daemon does not want it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from ligan.doorbell import Doorbell

_REFUSED = 125


def main() -> None:
    """Call home, run the command, report."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_REFUSED))  # the command has not begun
    text = sys.stdin.read()
    doorbell = Doorbell(text, "trial")
    try:
        doorbell.ring()
    except SystemExit as refusal:
        sys.stderr.write(f"{refusal}\n")
        os._exit(_REFUSED)
    # Flask and its kin, only now that the daemon knows of us
    import logging

    from ligan.job import parse_bootstrap
    from ligan.trial.trial import run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run(parse_bootstrap(text, "trial"), doorbell.listener, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
