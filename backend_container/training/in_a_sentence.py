"""What a command cannot do its work for is told in a sentence, not as a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from backend_container.models.engine import ModelError


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """Ends the process with status 1 where weights are missing or damaged, or files cannot be read or written."""
    try:
        yield
    except ModelError as error:
        sys.exit(error.detail)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}." if error.filename else str(error))
