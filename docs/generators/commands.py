"""The command line of every verb of `ligan`, as `--help` shows it."""

from __future__ import annotations

import argparse
import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from unittest.mock import patch

from docs.generators import markdown

_GROUP = "ligan.commands"
_SCREEN = {"COLUMNS": "110", "HOME": "/home/you", "XDG_STATE_HOME": ""}


def page() -> str:
    """A section for each verb, and for each deed of a verb that has several."""
    intro = "`ligan VERB --help` shows the same.\n"
    with _screen():
        return markdown.page("The `ligan` command", intro, *_verbs())


@contextmanager
def _screen() -> Iterator[None]:
    """Somebody's terminal and home, so that the page is the same wherever it is written."""
    with patch.dict(os.environ, _SCREEN):
        yield


def _verbs() -> Iterator[str]:
    for entry in entries():
        main, *deeds = parsers(entry)
        yield f"## {main.prog}\n"
        yield markdown.sentence(_summary(entry)) + "\n"
        yield markdown.code(main.format_help())
        for deed in deeds:
            yield f"### {deed.prog}\n"
            yield markdown.code(deed.format_help())


def entries() -> list[EntryPoint]:
    """The verbs, by name."""
    return sorted(entry_points(group=_GROUP), key=lambda entry: entry.name)


def parsers(entry: EntryPoint) -> list[argparse.ArgumentParser]:
    """A verb's parser, then those of its second words."""
    parser = argparse.ArgumentParser(prog=f"ligan {entry.name}")
    import_module(entry.module).add_arguments(parser)
    return [parser, *_deeds(parser)]


def _summary(entry: EntryPoint) -> str:
    first = (inspect.getdoc(entry.load()) or "").partition("\n")[0]
    return first[:1].upper() + first[1:]


def _deeds(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()
