"""The table that the fault suite prints, and its figures as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.row import Fault
from tests.rows.process import Said


@dataclass(frozen=True)
class Result:
    """One row's figures."""

    name: str
    kind: str
    what: str
    seconds: float
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    orphaned: tuple[str, ...] = ()
    recovery_s: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    skipped: str = ""
    error: str = ""
    """The row could not be played to its end; the last lines of why."""

    @classmethod
    def of(cls, fault: Fault, said: Said) -> Result:
        """From what the row's process said."""
        row, found = (fault.name, fault.kind, fault.what, said.seconds), said.found
        if said.skipped or said.error:
            return cls(*row, skipped=said.skipped, error=said.error)
        lost, doubled, orphaned = (tuple(found[name]) for name in ("lost", "doubled", "orphaned"))
        return cls(*row, lost, doubled, orphaned, found["recovery_s"], found["figures"])

    @property
    def passed(self) -> bool:
        return not (self.lost or self.doubled or self.orphaned or self.skipped or self.error)

    def document(self) -> dict[str, object]:
        """For the JSON file: counts, and what stands behind them."""
        return {
            "name": self.name,
            "kind": self.kind,
            "fault": self.what,
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "orphaned": len(self.orphaned),
            "recovery_s": self.recovery_s,
            "seconds": self.seconds,
            "figures": self.figures,
            "findings": [*self.lost, *self.doubled, *self.orphaned],
            "skipped": self.skipped,
            "error": self.error,
        }


def heading() -> str:
    return f"{'row':34} {'on':4} {'lost':>4} {'doubled':>7} {'orphaned':>8} {'recovery s':>10} {'stall s':>7}  fault"


def line(result: Result) -> str:
    """One row; below it what was found, if anything."""
    if result.skipped:
        return f"{result.name:34} {result.kind:4} skipped: {result.skipped}"
    counts = f"{len(result.lost):4} {len(result.doubled):7} {len(result.orphaned):8}"
    recovery = "never" if result.recovery_s is None else f"{result.recovery_s:.1f}"
    stall = result.figures.get("longest_stall_s", 0.0)
    head = f"{result.name:34} {result.kind:4} {counts} {recovery:>10} {stall:7.1f}  {result.what}"
    findings = [*result.lost, *result.doubled, *result.orphaned][:8] + result.error.splitlines()
    return "\n".join([head, *(f"    ! {finding}" for finding in findings)])


def footer(results: Sequence[Result]) -> str:
    """`rows=N lost=0 doubled=0 orphaned=0`, after the names of rows that could not be played to their end."""
    played = [result for result in results if not result.skipped]
    notes = [f"failed: {result.name}" for result in played if result.error]
    notes += [f"skipped: {result.name}" for result in results if result.skipped]
    totals = (
        f"{name}={sum(len(getattr(result, name)) for result in played)}" for name in ("lost", "doubled", "orphaned")
    )
    return "\n".join([*notes, f"rows={len(played)} {' '.join(totals)}"])
