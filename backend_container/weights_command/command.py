"""`ligan weights`: what it takes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ligan.help import explained

_DESCRIPTION = """Show the weights of engines and of attribute predictors, and import published ones of the StyleGAN2
family into our format. Nothing of an imported file is executed (docs/weights.md)."""
_EPILOG = """examples:
  ligan weights list                        packaged and imported weights
  ligan weights import ffhq256.pkl          NVIDIA's stylegan2-ada-pytorch; or rosinality's .pt
  ligan weights info ~/.local/share/ligan/weights/ffhq256 --json

Exit status: 0 done, 1 not, 3 what reads weights is not installed here."""
_LIST_EPILOG = """examples:
  ligan weights list
  ligan weights list --json /data/faces   a folder of your own besides

Exit status: 0 shown, 1 a folder named holds no weights."""
_INFO_EPILOG = """examples:
  ligan weights info /data/faces   sizes, checksums and its model card

Every file is compared with its checksum. Exit status: 0 shown and sound, 1 not."""
_IMPORT_EPILOG = """examples:
  ligan weights import ffhq256.pkl --out /data/faces --half

The answer says what to write into the site's settings. A published generator comes without an encoder: random faces
can be had at once, faces like a photo after `ligan train encoder`. Exit status: 0 imported, 1 not."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan weights`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    deeds = parser.add_subparsers(dest="deed", metavar="DEED", required=True)
    _add_list(explained(deeds.add_parser("list", help="show weights"), "Show all weights.", _LIST_EPILOG))
    _add_info(explained(deeds.add_parser("info", help="show one folder"), "Show one folder of weights.", _INFO_EPILOG))
    words = "Import a published generator of the StyleGAN2 family."
    _add_import(explained(deeds.add_parser("import", help="import published weights"), words, _IMPORT_EPILOG))


def weights(arguments: argparse.Namespace) -> int:
    """show weights, and import published ones"""
    try:
        from backend_container.models.engine import ModelError
        from backend_container.weights_command.deeds import DEEDS

        try:
            return DEEDS[arguments.deed](arguments)
        except ModelError as error:
            print(error.detail, file=sys.stderr)
            return 1
    except ModuleNotFoundError as error:
        print(f"ligan weights: {error.name} is not installed here: pip install 'ligan[backend]'", file=sys.stderr)
        return 3


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="show these besides")
    parser.add_argument("--json", action="store_true", help="for scripts")


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="for scripts")


def _add_import(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="NVIDIA's .pkl or rosinality's .pt")
    add("--out", type=Path, metavar="FOLDER", help="default: ~/.local/share/ligan/weights/NAME")
    add("--half", action="store_true", help="16 bit floats: half the size, nearly the same faces")
    add("--truncation", type=float, default=0.7, metavar="PSI", help="of random faces, 0 to 1; default: %(default)s")
    add("--json", action="store_true", help="for scripts")
