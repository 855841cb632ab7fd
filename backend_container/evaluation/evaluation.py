"""An engine judged: random faces, photos of people it has never seen, and both as populations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend_container.datasets.reference import Reference
from backend_container.evaluation import manifold
from backend_container.evaluation.chunks import Tell, in_chunks
from backend_container.evaluation.classification import classification
from backend_container.evaluation.frechet import frechet_distance
from backend_container.evaluation.identity import Recognition, Spread, recognise, spread
from backend_container.evaluation.judges import Judges
from backend_container.evaluation.kernel_distance import kernel_distance
from backend_container.evaluation.people import People, chosen, read_people
from backend_container.evaluation.reconstruction import perceptual_distances, squared_errors
from backend_container.evaluation.report import (
    Absent,
    AttributeFigures,
    Likeness,
    RandomFaces,
    Report,
    Setting,
)
from backend_container.evaluation.scores import Scores, average, by_group
from backend_container.models.attributes.histograms import Histogram, as_json, histograms
from backend_container.models.attributes.predictor import decide
from backend_container.models.engine import Engine, Photos
from backend_container.models.features.network import Features

SETS = ("photos", "random faces")


@dataclass(frozen=True)
class Plan:
    count: int = 200
    """Photos at most, and random faces; 2 or more."""
    seed: int = 0
    least_age: int = 18
    """Photos of people whose label says younger are left aside."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The report, and what its page shows besides."""

    report: Report
    faces: Photos
    """The random faces."""
    people: People | None
    """None where there are no photos, or none could be read."""
    spread: Spread | None
    scores: Scores | None
    histograms: Sequence[Histogram]
    """Of photos and random faces."""
    threshold: float | None
    """Identity distance below which two photos are taken for one person."""


def evaluate(
    engine: Engine, judges: Judges, photos: Sequence[Reference] | None, plan: Plan, setting: Setting, tell: Tell
) -> Evaluation:
    """Judge an engine; the same weights, photos, plan and judges give the same report.

    Raises ValueError when `plan.count` is below 2.
    """
    faces = _random_faces(engine, plan, tell)
    people = None
    if photos is not None:
        drawn = chosen(photos, plan.count, plan.seed, plan.least_age)
        people = read_people(engine, judges.detector, drawn, tell)
    readable = people if people and len(people.frames) else None
    apart = _spread(judges, faces, tell)
    scores = _scores(judges, readable, readable.made, tell) if readable and readable.made is not None else None
    compared = histograms(judges.attributes, readable.frames, faces) if judges.attributes and readable else []
    report = Report(
        setting=setting,
        random=_random(judges, faces, apart, tell),
        likeness=_likeness(judges, readable, faces, plan, tell) if readable else None,
        reconstruction=average(scores, range(len(scores.errors))) if scores else None,
        groups=by_group(people, scores) if people else [],
        attributes=_attributes(judges, readable) if readable else [],
        attribute_shares=as_json(compared, SETS),
        left_out=list(people.left_out) if people else [],
        absent=[*judges.absent, *_without_photos(readable)],
    )
    threshold = judges.identity.same_person_below if judges.identity else None
    return Evaluation(report, faces, readable, apart, scores, compared, threshold)


def _without_photos(people: People | None) -> list[Absent]:
    if people is None:
        what = "FID, KID, precision, recall, reconstruction, attributes"
        return [Absent(what=what, reason="There are no photos that could be read. Name some: --photos.")]
    return [Absent(what="reconstruction", reason=people.not_made)] if people.not_made else []


def _random_faces(engine: Engine, plan: Plan, tell: Tell) -> Photos:
    if plan.count < 2:
        raise ValueError(f"an evaluation needs two faces or more, not {plan.count}")
    latents = engine.sample(plan.seed, plan.count)
    return in_chunks("random faces", engine.synthesize, latents, tell)


def _random(judges: Judges, faces: Photos, apart: Spread | None, tell: Tell) -> RandomFaces:
    accepted = []
    for done, face in enumerate(faces, 1):
        accepted.append(bool(judges.detector.find(face)))
        tell("faces looked for", done, len(faces))
    found = RandomFaces(count=len(faces), accepted=float(np.mean(accepted)))
    if apart is None or judges.identity is None:
        return found
    figures = {
        "identity_mean": float(apart.pairs.mean()),
        "identity_nearest": float(apart.nearest.mean()),
        "too_alike": float((apart.pairs < judges.identity.same_person_below).mean()),
    }
    return found.model_copy(update=figures)


def _spread(judges: Judges, faces: Photos, tell: Tell) -> Spread | None:
    if judges.identity is None:
        return None
    return spread(in_chunks("identities of random faces", judges.identity.embed, faces, tell))


def _scores(judges: Judges, people: People, made: Photos, tell: Tell) -> Scores:
    errors = squared_errors(people.frames, made)
    features, identity = judges.features, judges.identity
    return Scores(
        errors,
        perceptual_distances(features, people.frames, made) if features else None,
        _recognition(judges, people, made, tell),
        identity.same_person_below if identity else None,
    )


def _recognition(judges: Judges, people: People, made: Photos, tell: Tell) -> Recognition | None:
    if judges.identity is None:
        return None
    frames, reconstructions = (
        in_chunks(what, judges.identity.embed, photos, tell)
        for what, photos in (("identities of photos", people.frames), ("identities of reconstructions", made))
    )
    return recognise(frames, reconstructions, people.people)


def _likeness(judges: Judges, people: People, faces: Photos, plan: Plan, tell: Tell) -> Likeness | None:
    """None without a feature network, or with a single photo."""
    if judges.features is None or len(people.frames) < 2:
        return None
    real = in_chunks("features of photos", judges.features.features, people.frames, tell)
    made = in_chunks("features of random faces", judges.features.features, faces, tell)
    kid = kernel_distance(real, made, seed=plan.seed)
    return Likeness(
        photos=len(real),
        faces=len(made),
        fid=frechet_distance(real, made),
        kid=kid.value,
        kid_error=kid.error,
        **_manifold(real, made),
    )


def _manifold(real: Features, made: Features) -> dict[str, float | None]:
    if min(len(real), len(made)) <= manifold.NEIGHBOUR:
        return {"precision": None, "recall": None}
    return {"precision": manifold.precision(real, made), "recall": manifold.recall(real, made)}


def _attributes(judges: Judges, people: People) -> list[AttributeFigures]:
    if judges.attributes is None:
        return []
    predicted = decide(judges.attributes.attributes, judges.attributes.predict(people.frames))
    return list(classification(judges.attributes.attributes, predicted, people.labels))
