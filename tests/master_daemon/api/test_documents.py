"""The API pages and their documents, for all three servers and from our own origin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.master_daemon.running import House

NAMES = ("master-daemon", "frontend", "backend")


def get(house: House, path: str) -> requests.Response:
    return requests.get(house.url + path, timeout=60)


@pytest.mark.parametrize("path", ["/docs", *(f"/{name}-api-docs" for name in NAMES)])
def test_pages_load_nothing_from_elsewhere(house: House, path: str) -> None:
    page = get(house, path)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    targets = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert targets
    for target in targets:
        assert target.startswith("/")
        assert target == "/" or get(house, target).status_code == 200, target


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    if isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


@pytest.mark.parametrize("name", NAMES)
def test_documents_are_sound(house: House, name: str) -> None:
    document = get(house, f"/{name}-api-docs/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"]
    assert document["paths"]
    schemas = document.get("components", {}).get("schemas", {})
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    for node in nodes(document["paths"]):
        reference = node.get("$ref", "")
        if reference:
            assert reference.removeprefix("#/components/schemas/") in schemas
    assert None not in document["components"].values()
    operations = [op for path in document["paths"].values() for op in path.values() if isinstance(op, dict)]
    ids = [op["operationId"] for op in operations if "operationId" in op]
    assert len(ids) == len(set(ids))
    for path, methods in document["paths"].items():
        named = set(re.findall(r"{(\w+)}", path))
        for operation in methods.values():
            given = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
            assert given == named, path
            assert operation["responses"]
            assert operation["summary"]


def test_the_names_of_the_thesis_are_there(house: House) -> None:
    own = get(house, "/master-daemon-api-docs/openapi.json").json()["paths"]
    front = get(house, "/frontend-api-docs/openapi.json").json()["paths"]
    assert {"/api/v1/session", "/api/v1/start-of-interaction", "/api/v1/images/{image_id}", "/api/v1/events"} <= set(
        own
    )
    assert {"/cluster/v1/on-ready", "/cluster/v1/on-progress", "/cluster/v1/on-result"} <= set(own)
    assert {"/api/v1/tasks", "/api/v1/tasks/{task_id}"} <= set(own)
    assert {"/api/v1/uploads", "/api/v1/tasks/kinds"} <= set(front)


@pytest.mark.parametrize(
    "path",
    [
        "/evil-api-docs",
        "/evil-api-docs/openapi.json",
        "/docs/assets/../../documents.py",
        "/docs/assets/..%2fx",
        "/docsx",
    ],
)
def test_there_is_nothing_else(house: House, path: str) -> None:
    status, headers, _ = house.raw(f"GET {path} HTTP/1.1")
    assert (status, headers["content-type"]) == (404, "application/problem+json")


def test_own_pages_refuse_other_methods(house: House) -> None:
    assert requests.put(house.url + "/api/v1/session", timeout=20).status_code == 405
    assert requests.post(house.url + "/docs", timeout=20).status_code == 405
