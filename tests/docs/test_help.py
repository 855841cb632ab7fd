"""`--help` of every verb, and of every second word, teaches by an example."""

from __future__ import annotations

import argparse

import pytest

from docs.generators.commands import entries, parsers

PARSERS = [parser for entry in entries() for parser in parsers(entry)]


@pytest.mark.parametrize("parser", PARSERS, ids=[parser.prog for parser in PARSERS])
def test_it_has_an_example(parser: argparse.ArgumentParser) -> None:
    _, _, examples = (parser.epilog or "").partition("example")
    assert f"\n  {parser.prog}" in examples or f"| {parser.prog}" in examples
    assert len(parser.description or "") > 10
