"""From one version of the tables to the next: each step is a function over a connection, all of them one transaction.

A step makes tables and columns with the helpers below. `create_all` and `add_column` leave alone what is there already,
for a step may run after one that made the newest tables at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Column, Connection, inspect, update
from sqlalchemy.schema import CreateColumn

from master_daemon.state.schema import (
    attempts_of_job,
    images,
    images_of_weights,
    jobs,
    logins,
    metadata,
    open_tasks,
    tasks,
    trials,
)

Step = Callable[[Connection], None]


def add_column(connection: Connection, column: Column[Any]) -> None:
    """Add a column of `schema.py` to its table, which has rows: it is nullable, or has a `server_default`."""
    there = {one["name"] for one in inspect(connection).get_columns(column.table.name)}
    if column.name not in there:
        words = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {words}")


def _to_3(connection: Connection) -> None:
    """New tables; which protocol a job speaks. Version 2 took jobs of protocol 1 only."""
    metadata.create_all(connection)
    add_column(connection, jobs.c.protocol)
    connection.execute(update(jobs).where(jobs.c.host.is_not(None)).values(protocol=1))


def _to_4(connection: Connection) -> None:
    """New tables; how many GPUs a job has, what a trial's asks for, how to log out elsewhere; and no job spoke TLS."""
    metadata.create_all(connection)
    of_jobs = (jobs.c.tls, jobs.c.gpus, jobs.c.time_limit_s, jobs.c.partition, jobs.c.image)
    for column in (*of_jobs, logins.c.id_token):
        add_column(connection, column)
    attempts_of_job.create(connection, checkfirst=True)


def _to_5(connection: Connection) -> None:
    """New tables; what a trial's job goes on from; previews and ends before the time, refined weights; one index of
    the open tasks for two of all.
    """
    metadata.create_all(connection)
    of_tasks = (tasks.c.preview, tasks.c.preview_sha256, tasks.c.preview_seq, tasks.c.stopping)
    for column in (trials.c.carried, images.c.weights, *of_tasks):
        add_column(connection, column)
    images_of_weights.create(connection, checkfirst=True)
    open_tasks.create(connection, checkfirst=True)
    for before in ("ix_tasks_state", "ix_tasks_nonce"):
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {before}")


STEPS: Mapping[int, Step] = {3: _to_3, 4: _to_4, 5: _to_5}
"""By the version that each leads to. Older databases than the first step's need the LiGAN before this one first."""
