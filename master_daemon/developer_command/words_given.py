"""Words of a developer's command line, each checked for its form before anybody is asked. For argparse."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import PurePosixPath

from ligan.ids import is_id


def trial_name(text: str) -> str:
    """A test job's ID. Raises ArgumentTypeError."""
    if not is_id(text, "j"):
        raise ArgumentTypeError(f"{text!r} is no test job's ID, j-…; `ligan jobs --mine` lists yours")
    return text


def files_within(text: str) -> str:
    """A pattern of files below the working folder. Raises ArgumentTypeError."""
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts:
        raise ArgumentTypeError(f"{text!r}: name files below the working folder, such as 'runs/**'; others stay there")
    if any("**" in part and part != "**" for part in path.parts):
        raise ArgumentTypeError(f"{text!r}: ** stands for folders and is a part of its own, as in 'runs/**/*.png'")
    return text
