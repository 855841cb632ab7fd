"""What a loop says of its turns that failed. A state that is away would otherwise fill the log, four times a second."""

from __future__ import annotations

import logging

from master_daemon.state.trouble import storage_problem

log = logging.getLogger(__name__)


class Turns:
    """Of one loop, which `name` says. A trouble of the state is told once, in a line, until a turn goes well again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told = ""

    def failed(self, error: Exception) -> None:
        """With a traceback where nobody foresaw it."""
        problem = storage_problem(error)
        if problem is None:
            log.error("%s: a turn failed", self._name, exc_info=error)
        elif problem.slug != self._told:
            self._told = problem.slug
            log.error("%s: %s (%s)", self._name, problem.document.title, str(error).partition("\n")[0])

    def went_well(self) -> None:
        if self._told:
            self._told = ""
            log.warning("%s: it goes on", self._name)
