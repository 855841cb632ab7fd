"""A trial for a terminal: what it prints on standard output, what is said of it on standard error; or JSON lines."""

from __future__ import annotations

import json
import sys
from typing import Protocol

from ligan.output import say
from ligan.wire.trial import LogPart, Trial, TrialState
from master_daemon.developer_command.results import Written
from master_daemon.operator_command.text import duration, moment


class Teller(Protocol):
    """Says what happens, as it happens."""

    def note(self, text: str) -> None: ...
    def trial(self, trial: Trial, now: float) -> None: ...
    def part(self, part: LogPart) -> None: ...
    def written(self, written: Written) -> None: ...
    def end(self, trial: Trial) -> None: ...


class Plain:
    """For people: the command's own output, and nothing else, is standard output."""

    def __init__(self) -> None:
        self._said = ""
        self._in_line = False

    def note(self, text: str) -> None:
        before = "\n" if self._in_line and sys.stdout.isatty() else ""
        self._in_line = False
        print(f"{before}[ligan] {text}", file=sys.stderr, flush=True)

    def trial(self, trial: Trial, now: float) -> None:
        line = outlook(trial, now)
        if line != self._said and not trial.state.over:
            self._said = line
            self.note(line)

    def part(self, part: LogPart) -> None:
        say(part.text, end="")
        self._in_line = not part.text.endswith("\n")

    def written(self, written: Written) -> None:
        self.note(f"{written.path}: {written.problem or f'{written.file.size} bytes'}")

    def end(self, trial: Trial) -> None:
        self.note(summary(trial))


class Json:
    """For scripts: an object a line, its `event` one of note, job, log, file, end."""

    def note(self, text: str) -> None:
        _line("note", text=text)

    def trial(self, trial: Trial, now: float) -> None:
        if not trial.state.over:
            _line("job", **trial.model_dump(mode="json"))

    def part(self, part: LogPart) -> None:
        _line("log", **part.model_dump(mode="json"))

    def text(self, part: bytes, offset: int) -> None:
        """A part that did not come as an event."""
        self.part(LogPart(offset=offset, text=part.decode(errors="replace")))

    def written(self, written: Written) -> None:
        _line("file", path=str(written.path), size=written.file.size, problem=written.problem)

    def end(self, trial: Trial) -> None:
        _line("end", **trial.model_dump(mode="json"))


def _line(event: str, **values: object) -> None:
    say(json.dumps({"event": event, **values}))


def outlook(trial: Trial, now: float) -> str:
    """Where it is, and why."""
    where = f" on {trial.host}" if trial.host and trial.state is TrialState.RUNNING else ""
    start = f" Expected start {moment(trial.expected_start, now)}." if trial.expected_start else ""
    part = f" part {trial.part} of at most {trial.parts}" if trial.parts > 1 else ""
    return f"{trial.state}{part}{where}: {trial.reason}{start}"


def summary(trial: Trial) -> str:
    """The last line."""
    code = "no exit code" if trial.exit_code is None else f"exit code {trial.exit_code}"
    cut = " The log has reached its limit; the rest was dropped." if trial.log_full else ""
    used = f"{duration(trial.queued_s)} queued, {duration(trial.run_s)} run, {trial.gpu_minutes:.2f} GPU minutes"
    return f"{trial.trial_id} {trial.state}: {code}, {used}. {trial.reason}{cut}"
