"""`ligan evaluate`: judge an engine by figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ligan.help import explained
from ligan.output import plain, say

if TYPE_CHECKING:
    from backend_container.datasets.reference import Reference
    from backend_container.evaluation.evaluation import Evaluation

_DESCRIPTION = """Judge an engine: are its random faces faces, real ones and different people, and how well does it
reconstruct people that it has never seen? Any folder of photos can be tried; faces that cannot be found are listed.
Writes report.html and report.json; the same weights, photos and seed give the same figures."""
_EPILOG = """examples:
  ligan evaluate                                       random faces of the packaged appearance engine
  ligan evaluate --photos ~/photos --out report        a folder of photos of people
  ligan evaluate --engine stylegan2 --weights ~/faces  weights of your own
  ligan evaluate --photos faces.tar --count 1000 --json
  ligan evaluate --photos faces.tar --features inception --feature-weights pt_inception-2015-12-05-6726825d.pth

Progress goes to standard error. Exit status: 0 judged, 1 a model, photo set or weights cannot be used."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan evaluate`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("--engine", default="appearance", help="appearance or stylegan2; default: %(default)s")
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help="its weights; default: the packaged ones")
    parser.add_argument("--device", default="cpu", help="torch device of the engine; default: %(default)s")
    parser.add_argument("--photos", type=Path, metavar="PATH", help="folder of photos, tar of them, or data set")
    parser.add_argument(
        "--labels",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="labels by file name, as `ligan dataset build` takes them",
    )
    parser.add_argument("--count", type=at_least(2), default=200, help="photos and random faces; default: %(default)s")
    parser.add_argument("--least-age", type=at_least(0), default=18, help="of people whose age is known; %(default)s")
    parser.add_argument("--seed", type=at_least(0), default=0, help="default: %(default)s")
    parser.add_argument("--features", default="lite0", help="of FID and KID: lite0 or inception; default: %(default)s")
    parser.add_argument("--feature-weights", type=Path, metavar="FILE", help="their network's; inception needs them")
    parser.add_argument(
        "--attributes", type=Path, action="append", default=[], metavar="FOLDER", help="heads of your own training"
    )
    parser.add_argument("--out", type=Path, default=Path("report"), help="folder of the report; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the figures for scripts")


def at_least(least: int) -> Callable[[str], int]:
    """A type of arguments: whole numbers from `least`."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{least} or more is needed, not {text}")
        return int(text)

    return number


def evaluate(arguments: argparse.Namespace) -> int:
    """judge an engine by figures"""
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)  # before minutes of work
    except OSError as error:
        return _unwritable(arguments.out, error)
    try:
        from backend_container.datasets.shard_index import DatasetError
        from backend_container.models.engine import ModelError

        try:
            evaluation = _evaluation(arguments)
        except (ModelError, DatasetError) as error:
            return _refused(getattr(error, "detail", str(error)))
    except ModuleNotFoundError as error:
        return _refused(f"{error.name} is not installed here. Evaluating needs it: pip install 'ligan[backend]'.")
    return _answered(arguments, evaluation)


def _evaluation(arguments: argparse.Namespace) -> Evaluation:
    from backend_container.evaluation.evaluation import Plan
    from backend_container.evaluation.evaluation import evaluate as judge
    from backend_container.evaluation.judges import load_judges
    from backend_container.evaluation.progress import Lines
    from backend_container.evaluation.report import Setting
    from backend_container.loading import fingerprint
    from backend_container.models.loader import WEIGHTS, load_engine

    plan = Plan(arguments.count, arguments.seed, arguments.least_age)
    photos = _photos(arguments.photos, arguments.labels) if arguments.photos else None
    engine = load_engine(arguments.engine, arguments.weights, arguments.device)
    judges = load_judges(arguments.features, arguments.feature_weights, attributes=arguments.attributes)
    setting = Setting(
        engine=engine.name,
        resolution=engine.resolution,
        weights=fingerprint(arguments.weights or WEIGHTS / arguments.engine),
        features=judges.features and judges.features.name,
        identity=judges.identity and judges.identity.name,
        attributes=judges.attributes and judges.attributes.name,
        photos=arguments.photos and plain(arguments.photos.name),
        count=plan.count,
        seed=plan.seed,
    )
    return judge(engine, judges, photos, plan, setting, Lines())


def _photos(path: Path, labels: Sequence[Path]) -> list[Reference]:
    from backend_container.datasets.labels import UTKFACE, read_table
    from backend_container.datasets.sources import check_sources, open_source

    source = open_source(path, [read_table(file) for file in (*labels, Path(UTKFACE))])
    check_sources([source], labels)
    return list(source.references())


def _answered(arguments: argparse.Namespace, evaluation: Evaluation) -> int:
    from backend_container.evaluation.page import page
    from backend_container.evaluation.summary import summary

    try:
        (arguments.out / "report.json").write_text(evaluation.report.model_dump_json(indent=2) + "\n")
        (arguments.out / "report.html").write_text(page(evaluation))
    except OSError as error:
        return _unwritable(arguments.out, error)
    text = evaluation.report.model_dump_json(indent=2) if arguments.json else summary(evaluation.report)
    say(text if arguments.json else f"{text}\n{arguments.out / 'report.html'}")
    return 0


def _unwritable(out: Path, error: OSError) -> int:
    return _refused(f"The report cannot be written to {out}: {error.strerror}. Name a folder with --out.")


def _refused(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1
