"""The `ligan` command: its verbs come from the packages' entry points, so that this floor imports none of them."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from ligan import __version__

_GROUP = "ligan.commands"


def main() -> int:
    """Entry point of `ligan`."""
    verbs = {entry.name: entry for entry in entry_points(group=_GROUP)}
    parser = argparse.ArgumentParser(prog="ligan", description="A GPU of your own on a Slurm cluster, at a web page.")
    parser.add_argument("--version", action="version", version=f"ligan {__version__}")
    choices = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    chosen = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    for name, entry in sorted(verbs.items()):
        _add(choices.add_parser(name, help=_summary(entry)), entry, load=name == chosen)
    arguments = parser.parse_args()
    code: int = verbs[arguments.verb].load()(arguments)
    return code


def _add(parser: argparse.ArgumentParser, entry: EntryPoint, load: bool) -> None:
    """The verb's own arguments; only the chosen verb's module is loaded, so that every verb starts quickly."""
    if load:
        import_module(entry.module).add_arguments(parser)


def _summary(entry: EntryPoint) -> str:
    return {"up": "run the whole system"}.get(entry.name, "")
