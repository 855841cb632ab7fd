"""The daemon's database as tests read it, beside the daemon and without a lock."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tests.slurm_command import slurm

_ATTEMPTS = "SELECT task_id, attempt FROM attempts WHERE outcome IS ? ORDER BY began_at"
_PORT = "SELECT value FROM meta WHERE key = 'cluster_port'"


@dataclass(frozen=True)
class Row:
    """A job as the daemon remembers it. Times are Unix seconds."""

    nonce: str
    role: str
    seat: str
    generation: int
    instance_id: str
    state: str
    reason: str
    job_id: str | None
    host: str | None
    port: int | None
    requested_at: float
    ready_at: float | None
    ended_at: float | None

    @property
    def node(self) -> str:
        """Where Slurm runs it."""
        return slurm("squeue", "--noheader", f"--jobs={self.job_id}", "--format=%N").strip()


_JOBS = f"SELECT {', '.join(field.name for field in fields(Row))} FROM jobs ORDER BY requested_at"  # noqa: S608 (ours)


class Ledger:
    """Of one state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "ligan.sqlite"

    def rows(self, role: str = "", live: bool = True) -> list[Row]:
        """Jobs of a role, oldest first; without `live` those that have ended too."""
        rows = [Row(*values) for values in self.ask(_JOBS)]
        return [row for row in rows if row.role.startswith(role) and (row.state != "ENDED" or not live)]

    def newest_is(self, *states: str) -> bool:
        """Whether a session's successor is in one of these states."""
        newest = self.rows("backend", live=False)[-1]
        return newest.generation > 1 and newest.state in states

    def attempts(self, outcome: str | None) -> list[tuple[str, int]]:
        """(task ID, attempt) of the attempts that came out so; None for those that have not ended."""
        return [(str(task_id), int(attempt)) for task_id, attempt in self.ask(_ATTEMPTS, outcome)]

    def cluster_port(self) -> int:
        """Where the daemon listens for its jobs."""
        return int(str(self.ask(_PORT)[0][0]))

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5)) as database:
            return database.execute(query, values).fetchall()
