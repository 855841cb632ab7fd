"""`python -m backend_container.check ENGINE [WEIGHTS]`: can this machine load the engine?

Exit status: 0 yes, 1 no, 3 what computes is not installed here, as on a login node.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from backend_container.loading import FAKE
from backend_container.models.engine import ModelError

NOT_INSTALLED = 3


def main() -> int:
    """Print what was found in a line."""
    parser = ArgumentParser("backend_container.check", description=__doc__)
    parser.add_argument("engine")
    parser.add_argument("weights", type=Path, nargs="?", help="directory; the packaged ones without it")
    arguments = parser.parse_args()
    try:
        print(_look(arguments.engine, arguments.weights))  # noqa: T201 (its purpose)
    except ModelError as error:
        print(f"{error.slug}: {error.detail}", file=sys.stderr)  # noqa: T201
        return 1
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed: pip install 'ligan[backend]'", file=sys.stderr)  # noqa: T201
        return NOT_INSTALLED
    return 0


def _look(name: str, weights: Path | None) -> str:
    """Raises ModelError."""
    if name == FAKE:
        return "fake: made of nothing, for tests"
    from backend_container.models.loader import WEIGHTS, load_engine

    engine = load_engine(name, weights)
    return f"{name}: {engine.resolution} pixels, from {weights or WEIGHTS / name}"


if __name__ == "__main__":
    sys.exit(main())
