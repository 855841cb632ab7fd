"""`ligan dataset`: what it takes."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ligan.help import explained

_DESCRIPTION = """Make data sets of faces: photos are filtered, faces cut out of them, and what is left is stored as
shards, which trainers map into memory (docs/datasets.md)."""
_EPILOG = """examples:
  ligan dataset build photos/ -o faces             the thesis's pipeline: Listing 2
  ligan dataset build faces.tar -o faces --as-is   faces that are cut out already
  ligan dataset info faces                         what a data set holds

`ligan dataset build --help` explains the filters.

Exit status: 0 done, 1 not, 3 what computes is not installed here."""
_BUILD = """Build a data set of faces of folders (all levels), tar archives (read in place), images and other data sets.
Without options it does what Listing 2 of the thesis does, in this order:
  size      photos whose shorter side has less than 256 pixels are dropped      --min-size
  colour    grey photos are dropped                                             --keep-grey
  face      the largest face of 128 x 128 pixels, seen with a confidence of
            0.9, is cut out with room for hair, ears and neck                   --min-face, --confidence, --cut
  quality   more than 55 % nearly white or 20 % nearly black pixels             --no-quality
  similar   faces too like the one before, as of one person                     --similar
Broken files are listed and never stop it. Ctrl-C or a crash may: the same command goes on where it was, and the
result is the same, byte by byte, also with other --workers."""
_BUILD_EPILOG = """examples:
  ligan dataset build photos/ more-photos.tar -o faces
  ligan dataset build photos/ -o faces --cut aligned        the frame of the engines, with landmarks
  ligan dataset build utkface.tar -o faces --as-is --labels utkface
  ligan dataset build img_align_celeba/ -o faces --as-is --labels list_attr_celeba.txt
  ligan dataset build photos/ -o faces --json | jq .dropped

Labels: NAME.json beside NAME.tar or the folder NAME is used by itself, as are landmarks in NAME_mesh468.npz. --labels
takes JSON ({"1.png": {"age": 30}} or [{"file": "1.png", "age": 30}]), CelebA's attribute list and partition (.txt),
tables with a column `file` or `image_id` (.csv: FairFace), or the word utkface: names such as 30_1_2_20170109.jpg.

OUT/report.html shows what each filter dropped, with examples, and the broken files.

Exit status: 0 built, 1 not, 3 what computes is not installed here, 130 stopped: the same command goes on."""
_INFO = """Tell what a data set holds: faces, resolution, landmarks, how often each label has which value, where it came
from."""
_INFO_EPILOG = """examples:
  ligan dataset info faces
  ligan dataset info faces --check                          compare all files with their checksums
  ligan dataset info faces --histogram age > age.svg        a picture of one label
  ligan dataset info faces --json | jq .labels.gender

Exit status: 0 told, 1 there is no such data set, or it is damaged."""
NOT_INSTALLED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan dataset`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    deeds = parser.add_subparsers(dest="deed", metavar="DEED", required=True)
    _add_build(explained(deeds.add_parser("build", help="make a data set of photos"), _BUILD, _BUILD_EPILOG))
    _add_info(explained(deeds.add_parser("info", help="tell what a data set holds"), _INFO, _INFO_EPILOG))


def dataset(arguments: argparse.Namespace) -> int:
    """make data sets of faces, and tell what they hold"""
    try:
        if arguments.deed == "build":
            from backend_container.dataset_command.building import build

            return build(arguments)
        from backend_container.dataset_command.showing import info

        return info(arguments)
    except ModuleNotFoundError as error:
        print(f"ligan dataset: {error.name} is not installed here: pip install 'ligan[backend]'", file=sys.stderr)
        return NOT_INSTALLED


def _add_build(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("sources", metavar="SRC", nargs="+", type=Path, help="folder, tar archive, image or data set")
    add("-o", "--out", metavar="OUT", type=Path, required=True, help="folder of the data set")
    add("--size", metavar="N", type=int, default=128, help="pixels of a face's side (default: %(default)s)")
    add("--cut", choices=("padded", "aligned", "whole"), help="padded: face and room around it, resized (default)"
        "; aligned: upright and centred as in FFHQ, with landmarks; whole: the photo, padded with black")  # fmt: skip
    add("--as-is", action="store_true", help="faces are cut out already: --cut whole, and no filter but those named")
    add("--min-size", metavar="N", type=int, help="least pixels of a photo's shorter side, 0: any (default: 256)")
    add("--keep-grey", action=argparse.BooleanOptionalAction, help="keep photos without colours")
    add("--min-face", metavar="N", type=int, help="least width and height of a face in a photo (default: 128)")
    add("--confidence", metavar="P", type=float, help="least confidence of the face detector (default: 0.9)")
    add("--quality", action=argparse.BooleanOptionalAction, help="drop nearly white or black faces (default)")
    add("--similar", metavar="X", type=float, help="drop a face nearer to the one before than X times the distance "
        "that tells people apart, 0: none (default: 0.9)")  # fmt: skip
    add("--points", action="store_true", help="store 468 landmarks of each face; without them it is dropped")
    add("--labels", metavar="FILE", type=Path, action="append", default=[], help="labels by file name; may be repeated")
    add("--workers", metavar="N", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: CPUs)")
    add("--json", action="store_true", help="print what was done as JSON")


def _add_info(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="OUT", type=Path, help="folder of the data set")
    add("--check", action="store_true", help="compare all files with their checksums")
    add("--histogram", metavar="LABEL", help="print a picture (SVG) of how often each value of a label occurs")
    add("--json", action="store_true", help="print it as JSON")
