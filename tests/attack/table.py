"""The table that the attack suite prints, and its figures as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tests.attack.family import Family
from tests.rows.process import Said


@dataclass(frozen=True)
class Result:
    """One family's figures."""

    name: str
    what: str
    seconds: float
    tried: int = 0
    let_in: int = 0
    crashed: int = 0
    findings: tuple[str, ...] = ()
    skipped: str = ""
    error: str = ""
    """It could not be tried to its end; the last lines of why."""

    @classmethod
    def of(cls, family: Family, said: Said) -> Result:
        """From what the family's process said."""
        row, found = (family.name, family.what, said.seconds), said.found
        if said.skipped or said.error:
            return cls(*row, skipped=said.skipped, error=said.error)
        return cls(*row, found["tried"], found["let_in"], found["crashed"], tuple(found["findings"]))

    @property
    def passed(self) -> bool:
        return self.tried > 0 and not (self.let_in or self.crashed or self.error or self.skipped)

    def document(self) -> dict[str, object]:
        """For the JSON file."""
        return asdict(self)


def heading() -> str:
    return f"{'attack':22} {'tried':>6} {'let in':>6} {'crashed':>7} {'seconds':>7}  what is tried"


def line(result: Result) -> str:
    """One family; below it what was found, if anything."""
    if result.skipped:
        return f"{result.name:22} skipped: {result.skipped}"
    counts = f"{result.tried:6} {result.let_in:6} {result.crashed:7} {result.seconds:7.1f}"
    findings = [*result.findings, *result.error.splitlines()]
    return "\n".join([f"{result.name:22} {counts}  {result.what}", *(f"    ! {finding}" for finding in findings)])


def footer(results: Sequence[Result]) -> str:
    """`tried=N let_in=N crashed=N`, after the names of families that could not be tried to their end.

    Such a family counts as crashed: nobody knows what it would have found.
    """
    notes = [f"failed: {result.name}" for result in results if result.error]
    notes += [f"skipped: {result.name}" for result in results if result.skipped]
    tried, let_in = (sum(getattr(result, name) for result in results) for name in ("tried", "let_in"))
    crashed = sum(result.crashed + bool(result.error) for result in results)
    return "\n".join([*notes, f"tried={tried} let_in={let_in} crashed={crashed}"])
