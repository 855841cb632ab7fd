"""Whose an artifact is that no session has: pieces of working folders and of what trials sent back."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, func, insert, select

from master_daemon.state.database import Transaction
from master_daemon.state.schema import pieces, trials


def add(transaction: Transaction, owner: str, sha256: str, size: int, now: float) -> None:
    """The owner has stored these bytes. Again, it keeps them for longer."""
    mine = (pieces.c.owner == owner, pieces.c.sha256 == sha256)
    transaction.connection.execute(delete(pieces).where(*mine))
    values = {"owner": owner, "sha256": sha256, "size": size, "stored_at": now}
    transaction.connection.execute(insert(pieces).values(**values))


def of(connection: Connection, owner: str, names: Iterable[str]) -> dict[str, int]:
    """Bytes of those of the pieces that are the owner's, by SHA-256."""
    mine = (pieces.c.owner == owner, pieces.c.sha256.in_(list(names)))
    return {row.sha256: row.size for row in connection.execute(select(pieces.c.sha256, pieces.c.size).where(*mine))}


def total(connection: Connection, owner: str) -> int:
    """Bytes of all that is the owner's."""
    query = select(func.coalesce(func.sum(pieces.c.size), 0)).where(pieces.c.owner == owner)
    return int(connection.execute(query).scalar_one())


def make_room(transaction: Transaction, owner: str, most: int) -> None:
    """Take the oldest of the owner's away until they have `most` bytes together."""
    mine = select(pieces.c.sha256, pieces.c.size).where(pieces.c.owner == owner)
    kept = 0
    for row in transaction.connection.execute(mine.order_by(pieces.c.stored_at.desc())).all():
        kept += row.size
        if kept > most:
            this = (pieces.c.owner == owner, pieces.c.sha256 == row.sha256)
            transaction.connection.execute(delete(pieces).where(*this))


def keep_only(transaction: Transaction, owner: str, names: Iterable[str]) -> None:
    """All others of the owner's go."""
    mine = (pieces.c.owner == owner, pieces.c.sha256.not_in(list(names)))
    transaction.connection.execute(delete(pieces).where(*mine))


def drop_unused(transaction: Transaction, before: float) -> None:
    """Of users, stored before then (Unix s): what a trial took over is the trial's own."""
    of_trial = pieces.c.owner.in_(select(trials.c.trial_id))
    transaction.connection.execute(delete(pieces).where(pieces.c.stored_at < before, ~of_trial))


def unused(connection: Connection, before: float) -> bool:
    """Would `drop_unused` find any?"""
    of_trial = pieces.c.owner.in_(select(trials.c.trial_id))
    query = select(pieces.c.sha256).where(pieces.c.stored_at < before, ~of_trial).limit(1)
    return connection.execute(query).first() is not None
