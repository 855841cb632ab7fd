"""The terms of a handover for each kind of job, learnt from the database every few seconds."""

from __future__ import annotations

from collections.abc import Callable

from ligan.intervals import FRONTEND_DRAIN, LEARN_EVERY, LEARN_FROM
from ligan.settings import Settings
from ligan.wire.job import Role
from ligan.wire.task import TaskKinds
from master_daemon.state import jobs
from master_daemon.state.database import Database
from master_daemon.supervisor.lead import lead_s
from master_daemon.supervisor.seats import Terms


class HeadStart:
    """`kinds` are the kinds of tasks once they are known, None before."""

    def __init__(self, database: Database, settings: Settings, kinds: Callable[[], TaskKinds | None]) -> None:
        self._database = database
        self._settings = settings
        self._kinds = kinds
        self._learnt: dict[Role, tuple[float, Terms]] = {}

    def terms(self, role: Role, now: float) -> Terms:
        """How jobs of this kind are handed over."""
        looked_at, terms = self._learnt.get(role, (float("-inf"), None))
        if terms is None or not 0 <= now - looked_at < LEARN_EVERY:
            terms = self._learn(role)
            self._learnt[role] = now, terms
        return terms

    def _learn(self, role: Role) -> Terms:
        with self._database.read() as connection:
            past = jobs.past_starts(connection, role, LEARN_FROM)
        limit = {"frontend": self._settings.frontend, "backend": self._settings.backend, "cpu": self._settings.cpu}[
            role
        ]
        overlap = role == "frontend" or self._settings.backend.handover == "overlap"
        return Terms(lead_s(past, self._longest_task(role), limit.time_limit - limit.early_s), overlap)

    def _longest_task(self, role: Role) -> float:
        if role == "frontend":
            return FRONTEND_DRAIN  # its uploads in flight
        kinds = self._kinds()
        return max((kind.time_request_s for kind in kinds.kinds), default=0.0) if kinds else 0.0
