"""The bootstrap document of a backend, checked in words that never show the token."""

from __future__ import annotations

from typing import TextIO

from pydantic import ValidationError

from ligan.job import read_bootstrap
from ligan.web.app import invalid
from ligan.wire.job import Bootstrap


def backend_bootstrap(stream: TextIO) -> Bootstrap:
    """The document on `stream`. Raises SystemExit, with what is wrong, when there is none or it is not a backend's."""
    try:
        bootstrap = read_bootstrap(stream)
    except ValidationError as error:
        # Pydantic's own text would print the document, token and all.
        raise SystemExit(f"The bootstrap document is not valid: {invalid(error).document.detail}") from None
    if bootstrap.role != "backend":
        raise SystemExit(f"This is a backend; the bootstrap document is for a {bootstrap.role}.")
    return bootstrap
