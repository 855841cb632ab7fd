"""What became of the images of a build: counted, with examples; the same whatever happened on the way."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from backend_container.datasets.face import Broken, Dropped, Face, Outcome
from ligan.wire.base import Message

EXAMPLES = 20
"""Names told for each step."""


class Example(Message):
    """An image that is not in the data set."""

    name: str
    reason: str = ""


class StepReport(Message):
    """What one step dropped."""

    step: str
    """Its label, e.g. size_filter."""
    description: str
    """With its parameters."""
    dropped: int = 0
    examples: list[Example] = Field(default_factory=list)
    """The first of them."""


class Report(Message):
    """`report.json`."""

    read: int = 0
    kept: int = 0
    steps: list[StepReport] = Field(default_factory=list)
    """In the order in which images meet them."""
    broken: list[Example] = Field(default_factory=list)
    """All files that could not be read."""

    @property
    def dropped(self) -> int:
        """Images that a step did not want."""
        return sum(step.dropped for step in self.steps)


class Tally:
    """A report in the making."""

    def __init__(self, report: Report) -> None:
        self._read = report.read
        self.kept = report.kept
        self._broken = list(report.broken)
        self._steps = {step.step: step for step in report.steps}

    @classmethod
    def of_steps(cls, labels: Sequence[tuple[str, str]]) -> Tally:
        """Of nothing yet; `labels` are the steps' labels and descriptions."""
        return cls(Report(steps=[StepReport(step=label, description=text) for label, text in labels]))

    def count(self, outcome: Outcome) -> None:
        """Take one image's outcome."""
        self._read += 1
        if isinstance(outcome, Face):
            self.kept += 1
        elif isinstance(outcome, Broken):
            self._broken.append(Example(name=outcome.name, reason=outcome.reason))
        else:
            self._drop(outcome)

    def report(self) -> Report:
        """As it stands."""
        return Report(read=self._read, kept=self.kept, steps=list(self._steps.values()), broken=list(self._broken))

    def _drop(self, dropped: Dropped) -> None:
        step = self._steps[dropped.step]
        example = [Example(name=dropped.name, reason=dropped.reason)] if len(step.examples) < EXAMPLES else []
        counted = {"dropped": step.dropped + 1, "examples": [*step.examples, *example]}
        self._steps[dropped.step] = step.model_copy(update=counted)
