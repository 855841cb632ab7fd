"""Roles by group."""

from __future__ import annotations

import pytest

from ligan.settings import AccountSettings
from ligan.wire.account import AccountRole, lesser
from master_daemon.accounts.role import claim, groups_in, groups_of_header, role_of

SITE = AccountSettings(allowed_groups=("staff", "students"), developer_groups=("devs",), operator_groups=("ops", "it"))


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ({"staff"}, AccountRole.USER),
        ({"devs"}, AccountRole.DEVELOPER),
        ({"devs", "it", "staff"}, AccountRole.OPERATOR),
        ({"guests"}, None),
        ({"OPS"}, None),
        (set(), None),
    ],
)
def test_the_highest_that_a_group_gives(groups: set[str], role: AccountRole | None) -> None:
    assert role_of(groups, SITE) is role


def test_without_settings_everybody_is_a_user_and_nobody_more() -> None:
    assert role_of({"ops", ""}, AccountSettings()) is AccountRole.USER


def test_roles_cover_those_before_them() -> None:
    user, developer, operator = AccountRole
    assert operator.covers(developer)
    assert developer.covers(user)
    assert user.covers(user)
    assert not user.covers(developer)
    assert not developer.covers(operator)
    assert lesser(operator, user) is lesser(user, operator) is user


def test_claims_in_claims() -> None:
    claims = {"groups": ["a"], "realm_access": {"roles": ["b"]}, "https://site/groups": ["c"], "n": {"x": 1}}
    assert [claim(claims, path) for path in ("groups", "realm_access.roles", "https://site/groups")] == [
        ["a"],
        ["b"],
        ["c"],
    ]
    assert claim(claims, "n.x.y") is None
    assert claim(claims, "absent.too") is None


@pytest.mark.parametrize(
    ("value", "groups"), [(["a", "b", 3, None], {"a", "b"}), ("a", {"a"}), (None, set()), ({"a": 1}, set())]
)
def test_groups_of_a_claim(value: object, groups: set[str]) -> None:
    assert groups_in(value) == groups


def test_groups_of_a_header() -> None:
    assert groups_of_header("a, b;c,,") == {"a", "b", "c"}
