"""Which command meets which fault, how often and for how long; and every call that was made."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from master_daemon.cluster.fake_slurm.fault import Fault


@dataclass(frozen=True)
class Record:
    """One call of one command."""

    at: float
    """time.monotonic()."""
    command: str
    arguments: tuple[str, ...]
    fault: str
    """Name of the fault that it met; empty when it was answered as it should be."""


@dataclass
class _Rule:
    command: str
    fault: Fault
    calls: int | None
    until: float | None

    def applies(self, command: str) -> bool:
        over = self.calls == 0 or (self.until is not None and time.monotonic() >= self.until)
        return not over and self.command in (command, "*")


class Scenario:
    """The newest rule that applies counts."""

    def __init__(self) -> None:
        self.calls: list[Record] = []
        """Every call of every command, oldest first: the load on the scheduler."""
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def add(self, command: str, fault: Fault, calls: int | None, seconds: float | None) -> None:
        """`command` (`*`: each) meets `fault` for some calls or seconds, else until `clear`."""
        until = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            self._rules.insert(0, _Rule(command, fault, calls, until))

    def clear(self) -> None:
        """No faults any more."""
        with self._lock:
            self._rules.clear()

    def take(self, command: str, arguments: tuple[str, ...]) -> Fault | None:
        """The fault that this call meets, which counts as one of its calls."""
        with self._lock:
            rule = next((rule for rule in self._rules if rule.applies(command)), None)
            if rule is not None and rule.calls is not None:
                rule.calls -= 1
            fault = rule.fault if rule else None
            self.calls.append(Record(time.monotonic(), command, arguments, fault.name if fault else ""))
        return fault
