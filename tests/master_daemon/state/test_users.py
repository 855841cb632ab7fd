"""Users, logins, tokens and whose a session is, on both databases."""

from __future__ import annotations

import pytest

from ligan.problem import Problem
from ligan.wire.account import AccountRole
from master_daemon.state import logins, owners, retention, sessions, tokens, users
from master_daemon.state.database import Database
from master_daemon.state.users import User

NOW, DAY = 1_800_000_000.0, 86400.0


def add(database: Database, name: str = "alice") -> User:
    with database.write() as transaction:
        return users.add_local(transaction, name, "digest", AccountRole.USER, NOW)


def test_a_local_account(database: Database) -> None:
    alice = add(database)
    with pytest.raises(Problem, match="name-taken"):
        add(database)
    with database.read() as connection:
        assert users.find(connection, alice.user_id) == users.named(connection, "alice") == alice
        assert users.named(connection, alice.user_id) == alice
        assert users.local_password(connection, "alice") == (alice, "digest")
        assert users.local_password(connection, "nobody") is None
        with pytest.raises(Problem, match="unknown-user"):
            users.named(connection, "nobody")


def test_a_disabled_account_has_no_password(database: Database) -> None:
    alice = add(database)
    with database.write() as transaction:
        users.set_values(transaction, alice.user_id, disabled=True)
        assert users.local_password(transaction.connection, "alice") is None


def test_who_was_vouched_for_is_known_by_source_and_subject(database: Database) -> None:
    add(database)
    with database.write() as transaction:
        first = users.vouched(transaction, "oidc", "issuer 1", "alice", AccountRole.USER, NOW)
        again = users.vouched(transaction, "oidc", "issuer 1", "Alice B.", AccountRole.OPERATOR, NOW + 1)
        other = users.vouched(transaction, "header", "issuer 1", "alice", AccountRole.USER, NOW)
        assert (again.user_id, again.name, again.role) == (first.user_id, "Alice B.", AccountRole.OPERATOR)
        assert other.user_id != first.user_id
        assert users.local_password(transaction.connection, "issuer 1") is None
        with pytest.raises(Problem, match="Several users"):
            users.named(transaction.connection, "alice")


def test_logins_come_and_go(database: Database) -> None:
    alice, bob = add(database), add(database, "bob")
    with database.write() as transaction:
        used, idle, old, theirs = (logins.begin(transaction, user.user_id, NOW) for user in (alice, alice, alice, bob))
        logins.seen(transaction, {used: NOW + DAY, theirs: NOW + DAY})
        logins.seen(transaction, {})
        found = logins.find(transaction.connection, used)
        assert found is not None
        assert (found.user.user_id, found.created_at, found.seen_at) == (alice.user_id, NOW, NOW + DAY)
        assert logins.expire(transaction, unused_since=NOW + 1, begun_before=NOW) == {alice.user_id}
        left = [name for name in (used, idle, old, theirs) if logins.find(transaction.connection, name)]
        assert left == [used, theirs]
        logins.end_all(transaction, alice.user_id)
        logins.end(transaction, theirs)
        assert not any(logins.find(transaction.connection, name) for name in (used, theirs))


def test_tokens(database: Database) -> None:
    alice, bob = add(database), add(database, "bob")
    with database.write() as transaction:
        secret, token = tokens.make(transaction, alice, "x", AccountRole.USER, NOW, NOW + DAY)
        _, other = tokens.make(transaction, bob, "y", AccountRole.USER, NOW, NOW + 2 * DAY)
        assert tokens.find(transaction.connection, tokens.digest(secret)) == token
        assert tokens.listed(transaction.connection, alice.user_id) == [token]
        tokens.used(transaction, {token.token_id: NOW + 5})
        tokens.used(transaction, {})
        assert {one.token_id: one.used_at for one in tokens.listed(transaction.connection)} == {
            token.token_id: NOW + 5,
            other.token_id: None,
        }
        with pytest.raises(Problem, match="not-found"):
            tokens.revoke(transaction, token.token_id, bob.user_id)
        assert tokens.revoke(transaction, other.token_id) == bob.user_id
        tokens.expire(transaction, NOW + DAY + 1)
        assert tokens.listed(transaction.connection) == []


def test_whose_a_session_is(database: Database) -> None:
    alice, bob = add(database), add(database, "bob")
    with database.write() as transaction:
        connection = transaction.connection
        assert owners.newest(connection, alice.user_id) is None
        first, key = owners.begin(transaction, alice.user_id, NOW)
        second, later = owners.begin(transaction, alice.user_id, NOW + 1)
        _, theirs = owners.begin(transaction, bob.user_id, NOW + 2)
        assert owners.owner_of(connection, first) == (key, alice.user_id)
        assert owners.owner_of(connection, "s-unknown") is None
        assert owners.user_of(connection, theirs) == bob.user_id
        assert owners.user_of(connection, "k-unknown") == ""
        assert owners.newest(connection, alice.user_id) == second
        assert [row[0] for row in owners.of_user(connection, alice.user_id)] == [later, key]
        assert owners.count(connection, alice.user_id) == 2
        _, token = tokens.make(transaction, alice, "x", AccountRole.USER, NOW, NOW + DAY)
        tokens.act_in(transaction, token.token_id, later)
        assert tokens.session_of(connection, token.token_id) == later
        assert owners.newest(connection, alice.user_id) == first, "a script's session is no browser's"


def test_it_is_remembered_for_as_long_as_it_counts(database: Database) -> None:
    """An erased session's jobs are still counted for its user; then nothing is kept."""
    alice = add(database)
    with database.write() as transaction:
        _, key = owners.begin(transaction, alice.user_id, NOW)
        _, kept = owners.begin(transaction, alice.user_id, NOW)
        retention.erase(transaction, key, "page", NOW)
        assert owners.count(transaction.connection, alice.user_id) == 1
        owners.forget(transaction, NOW)
        assert owned(transaction.connection) == {key, kept}
        owners.forget(transaction, NOW + 1)
        assert owned(transaction.connection) == {kept}
        assert sessions.find_key(transaction.connection, "s-unknown") is None


def owned(connection: object) -> set[str]:
    from sqlalchemy import Connection, select

    from master_daemon.state.schema import owners as table

    assert isinstance(connection, Connection)
    return set(connection.execute(select(table.c.session_key)).scalars())
