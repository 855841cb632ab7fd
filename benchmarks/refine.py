"""Refine an engine for photos that it has never seen: pivotal tuning beside the thesis's alternation, at equal time.

    python benchmarks/refine.py --photos SHARDS --faces 20 --seconds 20 --rows build/refine.jsonl

For each face and method: the mean squared error of the photo under the face's mask and of the whole frame (levels -1
to 1), the distance of identity embeddings, and the page KID: the kernel distance (x 1000) of the neighbours on pages 1
to 3 from random faces of the engine as it was, so that it tells how much the neighbours have left what the engine
knows. Each row is appended to --rows, and what stands there is not measured again: an interrupted run goes on, and
`--part 1/3` lets three processes share the work. The clock counts this process's processor time, on one thread, so
that neighbours on the machine do not change what a method is given; `--clock wall` counts seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from _report import BUILD, Figures, machine, parser_of, show

from backend_container.datasets.shards import DatasetError, FaceShards
from backend_container.evaluation.kernel_distance import squared_discrepancy
from backend_container.faces import foreground
from backend_container.loading import fingerprint
from backend_container.models.detector import FaceDetector
from backend_container.models.engine import Engine, FaceBox, ModelError, Photo, Photos
from backend_container.models.features.network import FeatureNetwork, Features, load_features
from backend_container.models.identity import IdentityEmbedding, distances, load_identity
from backend_container.models.loader import WEIGHTS, load_engine
from backend_container.models.sampling import Page
from backend_container.refine.engine import RefinedEngine
from backend_container.refine.refinable import Refinable, refinable_of
from backend_container.refine.refine import METHODS, refine
from backend_container.refine.target import Target, picture, planes

PAD = 0.25
"""Of a photo's side, added all around before a face is looked for: aligned sets are cropped too tightly for it."""
PAGES, A_PAGE = (1, 2, 3), 6
RANDOM = 150
"""Faces of the engine's own that neighbours are compared with."""
CLOCKS = {"cpu": time.process_time, "wall": time.monotonic}
MEASURES = ("mse", "frame_mse", "identity", "page_kid")
"""Lower is better in all of them."""


@dataclass(frozen=True, eq=False)
class Judge:
    engine: Engine
    features: FeatureNetwork
    identity: IdentityEmbedding
    random: Features

    def page_kid(self, renderer: Engine, latent: np.ndarray) -> float:
        """How far pages around a latent are from the engine's random faces, x 1000."""
        pages = [self.engine.neighbours(latent, Page(page, A_PAGE, 0)) for page in PAGES]
        found = self.features.features(renderer.synthesize(np.concatenate(pages)))
        return 1000 * squared_discrepancy(found, self.random)

    def measures(self, target: Target, renderer: Engine, latent: np.ndarray) -> Figures:
        photo = renderer.synthesize(latent[np.newaxis])
        pixels = planes(photo[0], target.pixels.device)
        return {
            "mse": target.error(pixels).item(),
            "frame_mse": (pixels - target.pixels).square().mean().item(),
            "identity": self._apart(picture(target.pixels)[np.newaxis], photo),
            "page_kid": self.page_kid(renderer, latent),
        }

    def _apart(self, one: Photos, other: Photos) -> float:
        return float(distances(self.identity.embed(one), self.identity.embed(other))[0, 0])


def judge_of(engine: Engine) -> Judge:
    features = load_features()
    random = features.features(engine.synthesize(engine.sample(10_000, RANDOM)))
    return Judge(engine, features, load_identity(), random)


def targets(shards: FaceShards, refinable: Refinable, wanted: int, seed: int) -> Iterator[tuple[str, Target]]:
    """The first faces, in an order of the seed, of grown-ups where ages are known, that the engine can read."""
    order = np.random.default_rng(seed).permutation(len(shards))
    detector, found = FaceDetector(), 0
    for number in order[[_adult(shards.labels[one]) for one in order]]:
        photo = shards.photos(np.array([number]))[0]
        target = _target(photo, refinable, detector)
        if target is not None:
            yield shards.names[number], target
            found += 1
        if found == wanted:
            return


def _adult(labels: object) -> bool:
    age = labels.get("age") if isinstance(labels, dict) else None
    return age is None or 18 <= float(age) <= 60


def _target(photo: Photo, refinable: Refinable, detector: FaceDetector) -> Target | None:
    side = photo.shape[0]
    pad = int(PAD * side)
    wide = cv2.copyMakeBorder(photo, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    faces = foreground(detector.find(np.asarray(wide, np.uint8)))
    if len(faces) != 1:
        return None
    edges = [min(max(edge - pad, 0), side) for edge in (faces[0].left, faces[0].top, faces[0].right, faces[0].bottom)]
    try:
        return refinable.target(photo, FaceBox(edges[0], edges[1], edges[2], edges[3], faces[0].score))
    except ModelError:
        return None


def row(
    name: str, method: str, target: Target, refinable: Refinable, judge: Judge, given: argparse.Namespace
) -> Figures:
    """One face by one method."""
    clock = CLOCKS[given.clock]
    began, print_of = clock(), fingerprint(given.weights)
    refined = refine(refinable, target, method, deadline=began + given.seconds, now=clock, fingerprint=print_of)
    spent = clock() - began
    renderer = RefinedEngine(judge.engine, refined.weights, print_of)
    return {
        "face": name,
        "method": method,
        "seconds": given.seconds,
        "spent": round(spent, 2),
        "steps": refined.steps,
        "bytes": len(refined.weights.encode()),
        "start": judge.measures(target, judge.engine, target.latent),
        "after": judge.measures(target, renderer, refined.weights.latent),
    }


def measure(given: argparse.Namespace) -> list[Figures]:
    """All rows, those of earlier runs included."""
    torch.set_num_threads(1)
    rows = _kept(given.rows, given.seconds)
    done = {(one["face"], one["method"]) for one in rows}
    part, parts = map(int, given.part.split("/"))
    engine = load_engine(given.engine, given.weights)
    refinable, judge = refinable_of(engine), judge_of(engine)
    for number, (name, target) in enumerate(targets(FaceShards.open(given.photos), refinable, given.faces, given.seed)):
        for method in given.methods if number % parts == part - 1 else ():
            if (name, method) not in done:
                rows.append(row(name, method, target, refinable, judge, given))
                _keep(given.rows, rows[-1])
    return rows


def _kept(path: Path, seconds: float) -> list[Figures]:
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [one for one in rows if one["seconds"] == seconds]


def _keep(path: Path, one: Figures) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(one) + "\n")


def table(rows: list[Figures]) -> Figures:
    """Means over the faces that both methods have, and who wins: how many faces, and the chance of as many by luck."""
    by_method = {method: {one["face"]: one for one in rows if one["method"] == method} for method in METHODS}
    faces = sorted(set.intersection(*(set(found) for found in by_method.values())))
    if not faces:
        return {"faces": 0}
    figures: Figures = {"faces": len(faces), "seconds": rows[0]["seconds"]}
    for method, found in by_method.items():
        figures[method] = _means([found[face] for face in faces])
    pivotal, alternation = by_method["pivotal"], by_method["alternation"]
    for name in MEASURES:
        pairs = [(pivotal[face]["after"][name], alternation[face]["after"][name]) for face in faces]
        figures[f"winner_{name}"] = _winner(pairs)
    return figures


def _means(rows: list[Figures]) -> Figures:
    means: Figures = {}
    for name in MEASURES:
        for when in ("start", "after"):
            means[f"{name}_{when}"] = round(statistics.mean(one[when][name] for one in rows), 4)
    means["page_kid_after_by_before"] = round(means["page_kid_after"] / means["page_kid_start"], 3)
    means["worse_than_start"] = sum(one["after"]["mse"] > one["start"]["mse"] + 1e-4 for one in rows)
    means["steps"] = round(statistics.mean(one["steps"] for one in rows))
    means["longest_s"] = max(one["spent"] for one in rows)
    means["megabytes"] = round(max(one["bytes"] for one in rows) / 1e6, 2)
    return means


def _winner(pairs: list[tuple[float, float]]) -> str:
    """By the mean, with the faces won and a two-sided sign test."""
    wins = sum(ours < theirs for ours, theirs in pairs)
    ahead = statistics.mean(ours - theirs for ours, theirs in pairs) < 0
    tail = min(wins, len(pairs) - wins)
    luck = min(1.0, 2 * sum(math.comb(len(pairs), k) for k in range(tail + 1)) / 2 ** len(pairs))
    return f"{'pivotal' if ahead else 'alternation'} (pivotal on {wins} of {len(pairs)} faces, p = {luck:.2g})"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--photos", type=Path, help="folder of shards of people the engine never saw")
    parser.add_argument("--engine", default="appearance")
    parser.add_argument("--weights", type=Path, help="folder of its weights; default: the shipped ones")
    parser.add_argument("--faces", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each face and method")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="cpu")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of faces")
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=sorted(METHODS))
    parser.add_argument("--part", default="1/1", help="N/M: every Mth face, from the Nth on")
    parser.add_argument("--rows", type=Path, default=BUILD / "refine.jsonl", help="file that rows are appended to")
    parser.add_argument("--only-table", action="store_true", help="of the rows that are there")
    given = parser.parse_args()
    given.weights = given.weights or WEIGHTS / given.engine
    if given.photos is None and not given.only_table:
        print("skipped: no --photos, a folder of shards of people whom the engine never saw (ligan dataset build)")
        return
    try:
        rows = _kept(given.rows, given.seconds) if given.only_table else measure(given)
    except (DatasetError, ModelError) as error:
        sys.exit(getattr(error, "detail", str(error)))
    show({"machine": machine(), **table(rows)}, given.json)


if __name__ == "__main__":
    main()
