"""Who runs this."""

from __future__ import annotations

import getpass
import os
from pathlib import Path


def introduce() -> None:
    """Give a name and a home to who has none: a bare number, as in a container or while LDAP is away.

    For this process and all that it starts; numeric libraries, too, ask for a name, and end without one.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        os.environ["LOGNAME"] = f"uid{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/"
