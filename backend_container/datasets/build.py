"""Building shards: the outcomes of the pipeline in order, a shard at a time, so that it can be stopped anywhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend_container.datasets.build_state import STATE, BuildState, alone, fingerprint, saved_state
from backend_container.datasets.face import Face
from backend_container.datasets.reference import Reference
from backend_container.datasets.report import Report, Tally
from backend_container.datasets.report_page import CHART, PAGE, dropped_chart, page
from backend_container.datasets.shard_index import INDEX, DatasetError, read_index
from backend_container.datasets.shard_writer import ShardWriter
from backend_container.datasets.sources import references_of
from backend_container.datasets.step import Kind, Rest, Step, parted, prepared
from backend_container.datasets.workers import outcomes
from ligan import durable

if TYPE_CHECKING:
    from backend_container.datasets.dataset import Dataset

REPORT = "report.json"
PLAN = "plan"
OnProgress = Callable[[int, int, int], None]

log = logging.getLogger(__name__)


def build(dataset: Dataset, out: Path, size: int, workers: int, on_progress: OnProgress) -> Report:
    """See `Dataset.create`."""
    references = list(references_of(dataset.sources))
    plan = fingerprint(references, dataset.steps, size)
    with alone(out):
        if (out / INDEX).exists():
            return _finished(out, plan)
        state = saved_state(out, plan) or _first_state(out, plan, dataset.steps)
        made_by = {**dataset.describe(), PLAN: plan}
        return _Build(references, dataset.steps, out, size, state).run(workers, made_by, on_progress)


class _Build:
    """One go at a build."""

    def __init__(
        self, references: Sequence[Reference], steps: Sequence[Step], out: Path, size: int, state: BuildState
    ) -> None:
        self._references = references
        self._steps = steps
        self._out = out
        self._state = state
        self._each, after = parted(steps)
        self._rest = Rest(after)
        self._rest.remember(state.windows, self._face_before)
        self._tally = Tally(state.report)
        self._writer = ShardWriter(out, size, state.shards)

    def run(self, workers: int, made_by: Mapping[str, Any], on_progress: OnProgress) -> Report:
        begin, total = self._state.next, len(self._references)
        on_progress(begin, total, self._tally.kept)
        prepared_ones = outcomes(self._references[begin:], self._each, workers)
        for position, outcome in enumerate(prepared_ones, begin):
            last = self._rest.take(position, outcome) if isinstance(outcome, Face) else outcome
            self._tally.count(last)
            if isinstance(last, Face) and self._writer.add(last.name, last.photo, last.labels, last.points):
                self._save(position + 1)
            on_progress(position + 1, total, self._tally.kept)
        return self._finish(made_by)

    def _save(self, position: int) -> None:
        state = BuildState(
            plan=self._state.plan,
            next=position,
            shards=self._writer.shards,
            report=self._tally.report(),
            windows=self._rest.positions,
        )
        state.save(self._out)

    def _finish(self, made_by: Mapping[str, Any]) -> Report:
        report = self._tally.report()
        durable.write(self._out / REPORT, report.model_dump_json(indent=1).encode())
        durable.write(self._out / CHART, dropped_chart(report).encode())
        durable.write(self._out / PAGE, page(report, made_by).encode())
        self._writer.finish(made_by)
        (self._out / STATE).unlink(missing_ok=True)
        return report

    def _face_before(self, position: int, label: str) -> Face | None:
        """The face at a position as it reached a step; other windows than that one's do not change it."""
        labels = [step.label for step in self._steps]
        before = self._steps[: labels.index(label)]
        face = prepared(self._references[position], [step for step in before if step.kind is not Kind.WINDOW])
        return face if isinstance(face, Face) else None


def _first_state(out: Path, plan: str, steps: Sequence[Step]) -> BuildState:
    tally = Tally.of_steps([(step.label, step.describe()) for step in steps])
    state = BuildState(plan=plan, report=tally.report())
    state.save(out)  # from now on the folder is this build's
    return state


def _finished(out: Path, plan: str) -> Report:
    if read_index(out).made_by.get(PLAN) != plan:
        raise DatasetError(
            f"{out} holds a finished data set of other sources, labels or filters. Choose another folder or delete it."
        )
    (out / STATE).unlink(missing_ok=True)
    log.info("%s is finished already", out)
    return Report.model_validate_json((out / REPORT).read_bytes())
