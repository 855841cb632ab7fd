"""What attackers tried, what let them in, what broke."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_KEPT = 50
"""Findings kept in words of each kind; all are counted."""
_MAY_WAIT = 503
"""Of the server's own failures the one that is documented, with the word when to come again."""


@dataclass
class Count:
    """One family's."""

    tried: int = 0
    let_in: int = 0
    crashed: int = 0
    findings: list[str] = field(default_factory=list)

    def attack(self, what: str, let_in: object = False) -> None:
        """One attack; `let_in` is true where it got what nobody should get."""
        self.tried += 1
        if let_in:
            self.let_in += 1
            self._find(f"let in: {what}: {str(let_in)[:300]}")

    def crash(self, what: str) -> None:
        """Something broke: a process is gone, a fault was logged, nobody answers."""
        self.crashed += 1
        self._find(f"crashed: {what[:600]}")

    def answered(self, what: str, status: int, headers: Mapping[str, str], let_in: object = False) -> None:
        """One attack that a server answered: with a failure of its own (5xx) it has broken."""
        self.attack(what, let_in)
        names = {name.lower() for name in headers}
        if status >= 500 and not (status == _MAY_WAIT and "retry-after" in names):
            self.crash(f"{what}: answered {status}")

    def _find(self, finding: str) -> None:
        if len(self.findings) < _KEPT:
            self.findings.append(finding)
