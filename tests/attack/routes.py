"""Every route that the servers' own OpenAPI documents name, and what an attacker fills in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.attack.house import House

_METHODS = ("get", "post", "put", "delete", "patch")
_HOLE = re.compile(r"{(\w+)}")
DOCUMENTS = ("master-daemon", "frontend", "backend")


@dataclass(frozen=True)
class Route:
    """One operation of a server's document."""

    server: str
    method: str
    path: str

    @property
    def holes(self) -> list[str]:
        """Names of what has to be filled in."""
        return _HOLE.findall(self.path)

    @property
    def cluster_local(self) -> bool:
        return self.server == "backend" or self.path.startswith("/cluster/")

    @property
    def changes(self) -> bool:
        return self.method != "GET"

    def filled(self, values: Mapping[str, str], default: str = "x") -> str:
        """The path with `values` in its holes."""
        return _HOLE.sub(lambda hole: values.get(hole[1], default), self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def document(house: House, server: str) -> dict[str, Any]:
    """A server's OpenAPI document, as a user gets it."""
    found: dict[str, Any] = house.people["alice"].get(f"/{server}-api-docs/openapi.json").json()
    return found


def routes(house: House, server: str) -> list[Route]:
    """All of a server's operations."""
    return list(_operations(server, document(house, server)))


def public_routes(house: House) -> list[Route]:
    """Those of the public port."""
    every = [route for server in ("master-daemon", "frontend") for route in routes(house, server)]
    return [route for route in every if not route.cluster_local]


def _operations(server: str, said: dict[str, Any]) -> Iterator[Route]:
    for path, operations in said["paths"].items():
        for method in operations:
            if method in _METHODS:
                yield Route(server, method.upper(), path)
