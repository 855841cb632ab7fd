"""A build's report for people: `report.html` and `dropped.svg`, the figure 3.7 of the thesis. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from backend_container.datasets.chart import bars
from backend_container.datasets.report import Example, Report

PAGE, CHART = "report.html", "dropped.svg"
_STYLE = """body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:left;vertical-align:top}
td.n{text-align:right}svg{max-width:100%;height:auto}code{font-size:90%}"""


def dropped_chart(report: Report) -> str:
    """The number of images dropped by each step, as SVG."""
    counts = [(step.step, step.dropped) for step in report.steps]
    return bars("Images dropped by each step", [("broken files", len(report.broken)), *counts])


def page(report: Report, made_by: Mapping[str, Any]) -> str:
    """The whole report as one HTML file that loads nothing; names of files are shown, never trusted."""
    sources = ", ".join(map(str, made_by.get("sources", ())))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Data set report</title><style>{_STYLE}</style>'
        f"<h1>Data set report</h1><p>Sources: {escape(sources)}. {report.read} images read, {report.kept} kept, "
        f"{report.dropped} dropped, {len(report.broken)} broken.</p>{dropped_chart(report)}"
        f"<h2>Steps</h2>{_table(('Step', 'Dropped', 'With'), _steps(report))}"
        f"{''.join(_examples(f'Dropped by {step.step}', step.dropped, step.examples) for step in report.steps)}"
        f"{_examples('Broken files', len(report.broken), report.broken)}</html>\n"
    )


def _steps(report: Report) -> Iterable[tuple[str, str, str]]:
    return ((step.step, str(step.dropped), step.description) for step in report.steps)


def _examples(title: str, count: int, examples: Sequence[Example]) -> str:
    if not examples:
        return ""
    shown = f"{count}" if count == len(examples) else f"the first {len(examples)} of {count}"
    return f"<h2>{escape(title)} ({shown})</h2>{_table(('File', 'Why'), ((e.name, e.reason) for e in examples))}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f"<table><tr>{top}{body}</table>"
