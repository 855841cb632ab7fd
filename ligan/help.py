"""What `--help` of a verb says."""

from __future__ import annotations

import argparse


def explained(parser: argparse.ArgumentParser, description: str, epilog: str) -> argparse.ArgumentParser:
    """The parser, whose help shows these texts as they are written."""
    parser.description, parser.epilog = description, epilog
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser
