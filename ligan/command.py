"""The `ligan` command: its verbs come from the packages' entry points, so that this floor imports none of them.

A verb is a function `(arguments) -> exit code` whose docstring is its line of help; its module's `add_arguments` takes
the verb's parser.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from ligan import __version__
from ligan.output import bear_any_terminal
from ligan.user import introduce

_GROUP = "ligan.commands"


def main() -> int:
    """Entry point of `ligan`."""
    introduce()
    bear_any_terminal()
    verbs = {entry.name: entry for entry in entry_points(group=_GROUP)}
    parser = argparse.ArgumentParser(prog="ligan", description="A GPU of your own on a Slurm cluster, at a web page.")
    parser.add_argument("--version", action="version", version=f"ligan {__version__}")
    choices = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    chosen = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    for name, entry in sorted(verbs.items()):
        # Only the chosen verb's module is loaded, so that every verb starts quickly; all of them where all are shown.
        load = name == chosen or chosen not in verbs
        _add(choices.add_parser(name, help=_summary(entry) if load else ""), entry, load)
    arguments = parser.parse_args()
    code: int = verbs[arguments.verb].load()(arguments)
    return code


def _add(parser: argparse.ArgumentParser, entry: EntryPoint, load: bool) -> None:
    if load:
        import_module(entry.module).add_arguments(parser)


def _summary(entry: EntryPoint) -> str:
    return (inspect.getdoc(entry.load()) or "").partition("\n")[0]
