"""report.html: one file without scripts or anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

import numpy as np

from backend_container.evaluation.evaluation import SETS, Evaluation
from backend_container.evaluation.people import People
from backend_container.evaluation.plots import Values, distribution
from backend_container.evaluation.report import AttributeFigures, Group, Reconstruction, Report
from backend_container.evaluation.scores import Scores
from backend_container.evaluation.sheet import embedded, pairs, sheet
from backend_container.evaluation.summary import lines, number, percent
from backend_container.models.attributes.histogram_plot import histogram_svg
from backend_container.models.engine import Photo, Photos

SHOWN = 32
"""Faces of a sheet, at most."""
STYLE = """body{font:16px/1.5 sans-serif;color:#222;max-width:68rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .8rem;border-bottom:1px solid #ccc;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}img,svg{max-width:100%;height:auto}.wide{overflow-x:auto}
caption{text-align:left;font-weight:bold}"""


def page(evaluation: Evaluation) -> str:
    """The report as HTML."""
    report = evaluation.report
    title = f"Evaluation of the engine {report.setting.engine}"
    body = "\n".join(_sections(evaluation))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body><main><h1>{escape(title)}</h1>\n{body}\n</main></body></html>\n"
    )


def _sections(evaluation: Evaluation) -> Iterator[str]:
    report = evaluation.report
    yield _settings(report)
    yield _table("Figures", ("Figure", "Value", ""), [(line.label, line.value, line.better) for line in lines(report)])
    yield from _faces(evaluation)
    people = evaluation.people
    if people is not None and people.made is not None and evaluation.scores is not None:
        yield from _photos(people, people.made, evaluation.scores)
    yield from _groups(report.groups)
    yield from _attributes(evaluation)
    yield from _missing(report)


def _settings(report: Report) -> str:
    rows = [
        (name.replace("_", " "), str(value)) for name, value in report.setting.model_dump().items() if value is not None
    ]
    return _table("What was judged", ("Setting", "Value"), rows)


def _faces(evaluation: Evaluation) -> Iterator[str]:
    yield "<h2>Random faces</h2>"
    shown = evaluation.faces[:SHOWN]
    yield _picture(sheet(shown), f"{len(shown)} random faces of the engine, the first of the seed")
    if evaluation.spread is not None and evaluation.threshold is not None:
        sets = [Values("all pairs", evaluation.spread.pairs), Values("the most alike", evaluation.spread.nearest)]
        title = "Identity distances of random faces: of all pairs, and of each to the one most like it"
        yield distribution(title, "identity distance", sets, ("one person below", evaluation.threshold))


def _photos(people: People, made: Photos, scores: Scores) -> Iterator[str]:
    order = np.argsort(scores.errors if scores.recognition is None else scores.recognition.distances)
    measure = "squared error" if scores.recognition is None else "identity distance"
    half = min(SHOWN // 2, (len(order) + 1) // 2)
    yield "<h2>Photos and their reconstructions</h2>"
    for word, rows in (("best", order[:half]), ("worst", order[half:][-half:])):
        if len(rows):
            alt = f"{len(rows)} photos, each above its reconstruction: the {word} by {measure}"
            yield f"<h3>The {word}, by {measure}</h3>" + _picture(pairs(people.frames[rows], made[rows]), alt)
    if scores.recognition is not None and scores.same_person_below is not None:
        values = [Values("photo and reconstruction", scores.recognition.distances)]
        title = "Identity distances of photos and their reconstructions"
        yield distribution(title, "identity distance", values, ("one person below", scores.same_person_below))


def _groups(groups: Sequence[Group]) -> Iterator[str]:
    if not groups:
        return
    head = ("Label", "Group", "Photos", "Readable", "MSE", "Perceptual", "Identity", "Same person", "Rank-1")
    yield "<h2>Groups of people</h2>"
    yield _table("Equal quality for all?", head, [_group(group) for group in groups])


def _group(group: Group) -> tuple[str, ...]:
    return (group.label, group.value, str(group.count), percent(group.readable), *_means(group.reconstruction))


def _means(found: Reconstruction | None) -> tuple[str, ...]:
    if found is None:
        return ("–",) * 5
    return (
        f"{found.mse:.5f}",
        number(found.perceptual),
        number(found.identity),
        percent(found.same_person),
        percent(found.rank_one),
    )


def _attributes(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.histograms:
        yield "<h2>Attributes</h2>" + histogram_svg(evaluation.histograms, SETS)
    for figures in evaluation.report.attributes:
        yield _confusion(figures)


def _confusion(found: AttributeFigures) -> str:
    words = f"accuracy {percent(found.accuracy)} of {found.count} (rows: label, columns: predicted)"
    rows = zip(found.classes, found.confusion, found.precision, found.recall, strict=True)
    table = [(name, *map(str, counts), percent(p), percent(r)) for name, counts, p, r in rows]
    return _table(f"{found.attribute}: {words}", ("", *found.classes, "Precision", "Recall"), table)


def _missing(report: Report) -> Iterator[str]:
    if report.absent:
        yield _table("Not there", ("What", "Why"), [(absent.what, absent.reason) for absent in report.absent])
    if report.left_out:
        rows = [(one.name, one.reason) for one in report.left_out]
        yield (
            f"<details><summary>{len(rows)} photos could not be used</summary>"
            + _table("Left out", ("Photo", "Why"), rows)
            + "</details>"
        )


def _picture(picture: Photo, alt: str) -> str:
    height, width = picture.shape[:2]
    return f'<p><img src="{embedded(picture)}" width="{width}" height="{height}" alt="{escape(alt)}"></p>'


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "\n".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return (
        f'<div class="wide" tabindex="0"><table><caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: Sequence[str]) -> str:
    first, *rest = row
    return f'<th scope="row">{escape(first)}</th>' + "".join(map(_cell, rest))


def _cell(text: str) -> str:
    numeric = ' class="n"' if text[:1].isdigit() else ""
    return f"<td{numeric}>{escape(text)}</td>"
