"""Roles by group, as a provider or the site's proxy names them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ligan.settings import AccountSettings
from ligan.wire.account import AccountRole

DISABLED = "You are known there, but may not use this service any more; ask its operators."


def role_of(groups: Collection[str], settings: AccountSettings) -> AccountRole | None:
    """The highest role that a group gives; None for somebody who may not come in."""
    if settings.operator_groups and not set(groups).isdisjoint(settings.operator_groups):
        return AccountRole.OPERATOR
    if settings.developer_groups and not set(groups).isdisjoint(settings.developer_groups):
        return AccountRole.DEVELOPER
    if settings.allowed_groups and set(groups).isdisjoint(settings.allowed_groups):
        return None
    return AccountRole.USER


def claim(claims: Mapping[str, object], path: str) -> object:
    """A claim, in objects of objects where the path has dots (`realm_access.roles`); None when it is not there."""
    if path in claims:  # names with dots of their own, such as URLs
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def groups_in(value: object) -> frozenset[str]:
    """A claim's groups: a list of texts, or one text. Anything else is none."""
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(item for item in values if isinstance(item, str))


def groups_of_header(value: str) -> frozenset[str]:
    """A header's groups, between commas or semicolons."""
    return frozenset(filter(None, (name.strip() for name in value.replace(";", ",").split(","))))
