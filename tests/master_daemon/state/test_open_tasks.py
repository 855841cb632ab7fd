"""Tasks that have not ended are found without a look at those that have, and an ended one is in no index of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Select, select, text

from master_daemon.state.database import Database
from master_daemon.state.dialect import database_url
from master_daemon.state.schema import open_tasks, tasks
from master_daemon.state.tasks import IS_OPEN

_OPEN = select(tasks).where(IS_OPEN)


@pytest.mark.parametrize(
    "query",
    [
        _OPEN.order_by(tasks.c.number),
        _OPEN.where(tasks.c.nonce == "x").order_by(tasks.c.number),
        _OPEN.where(tasks.c.nonce.is_(None)).order_by(tasks.c.number),
        _OPEN.where(tasks.c.sent.is_(False)),
    ],
)
def test_open_tasks_are_found_by_their_index(query: Select[tuple[object, ...]], tmp_path: Path) -> None:
    with Database(database_url("", tmp_path)) as database, database.read() as connection:
        sql = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {sql}")).all()
    assert f"USING INDEX {open_tasks.name} (state=?" in plan[0].detail
