"""What a probe found out: one line for an operator, with what to do when it is not well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    check: str
    """What was looked at, in a word or two."""
    health: Health
    detail: str
    advice: str = ""
    """What to do; empty for what is well."""


def ok(check: str, detail: str) -> Finding:
    return Finding(check, Health.OK, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    return Finding(check, Health.WARNING, detail, advice)


def failed(check: str, detail: str, advice: str) -> Finding:
    return Finding(check, Health.FAILED, detail, advice)


def report(findings: Sequence[Finding]) -> str:
    """A line for each finding, and below it one of advice for each that is not well."""
    width = max((len(finding.check) for finding in findings), default=0)
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.health:7}  {finding.check:{width}}  {finding.detail}")
        if finding.advice:
            lines.append(f"{'':7}  {'':{width}}  → {finding.advice}")
    return "\n".join(lines)
