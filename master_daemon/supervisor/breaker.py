"""The circuit breaker before the scheduler: failures in a row make the pauses longer (promise 7). Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ligan.intervals import BREAKER_PAUSES


@dataclass(frozen=True)
class Breaker:
    """For one kind of job. After a pause one submission may try; until it goes well the next pause holds."""

    refused: int = 0
    """Submissions in a row that were refused, or got no clear answer."""
    crashed: int = 0
    """Jobs in a row that ended before they were ready."""
    until: float = 0.0
    """Unix s until which nothing is submitted."""
    why: str = ""

    def allows(self, now: float) -> bool:
        return not 0 < self.until - now <= BREAKER_PAUSES[-1]  # no pause is longer: the clock was set back

    @property
    def is_open(self) -> bool:
        return bool(self.refused or self.crashed)

    def tried(self, now: float) -> Breaker:
        """A submission is on its way: while there were failures, it is the only one until the next pause is over."""
        return replace(self, until=now + _pause(self)) if self.is_open else self

    def refusal(self, why: str, now: float) -> Breaker:
        return _paused(replace(self, refused=self.refused + 1, why=why), now)

    def crash(self, why: str, now: float) -> Breaker:
        return _paused(replace(self, crashed=self.crashed + 1, why=why), now)

    def accepted(self) -> Breaker:
        """The scheduler took a job."""
        return replace(self, refused=0, until=self.until if self.crashed else 0.0)

    def ready(self) -> Breaker:
        """A job came up."""
        return Breaker()


def _pause(breaker: Breaker) -> float:
    failures = max(breaker.refused, breaker.crashed)
    return BREAKER_PAUSES[min(failures, len(BREAKER_PAUSES)) - 1]


def _paused(breaker: Breaker, now: float) -> Breaker:
    return replace(breaker, until=now + _pause(breaker))
