"""What was measured of one system, over all rounds in which its turn came."""

from __future__ import annotations

from dataclasses import dataclass, field

from _report import Figures, summary


@dataclass
class Times:
    """Milliseconds; `what` says which system with which settings, or why there is nothing."""

    what: str
    start_ms: list[float] = field(default_factory=list)
    warm_ms: list[float] = field(default_factory=list)
    acknowledged_ms: list[float] = field(default_factory=list)

    def __add__(self, later: Times) -> Times:
        """With those of another round."""
        return Times(
            self.what if self.start_ms else later.what,
            self.start_ms + later.start_ms,
            self.warm_ms + later.warm_ms,
            self.acknowledged_ms + later.acknowledged_ms,
        )

    def figures(self, *names: str) -> Figures:
        """The named lists, as far as there is something in them."""
        return {"what": self.what} | {name: summary(getattr(self, name)) for name in names if getattr(self, name)}
