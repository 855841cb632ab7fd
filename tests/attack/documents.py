"""The three OpenAPI documents taken at their word by schemathesis: all kinds of requests, answers compared."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.routes import DOCUMENTS, document

_EXAMPLES = 15
"""Of each operation, of each kind: as the document wants it, and otherwise."""
_CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
_NOT_TRIED = {
    ("post", "/api/v1/account/logout"): "it would end the login that the others need",
    ("delete", "/api/v1/session"): "the same",
    ("post", "/api/v1/admin/jobs/drain"): "it would end the jobs that the others need",
    ("post", "/api/v1/admin/maintenance"): "with `drain` it would, too",
    ("post", "/cluster/v1/register"): "the daemon would look for every host that chance makes up",
    ("get", "/api/v1/events"): "an answer without an end; `strangers` and `crowds` ask for it",
}


@dataclass(frozen=True)
class Door:
    """Where operations are tried, and with what papers. `open`: some of them may succeed."""

    name: str
    url: str
    headers: Mapping[str, str]
    open: bool


@family()
def documents(house: House, count: Count) -> None:
    """schemathesis over the documents of daemon, frontend and backend, at each door, with papers and without"""
    house.prey("olga", images=False)
    for server in DOCUMENTS:
        said = document(house, server)
        for door, prefix in _doors(house, server):
            for mode in GenerationMode:
                _try(house, count, door, _only(said, prefix), mode)


def _doors(house: House, server: str) -> Iterator[tuple[Door, str]]:
    """Each with the beginning of the paths that are tried there."""
    jobs = house.ask("SELECT role, nonce, instance_id, host, port FROM jobs WHERE state = 'READY'")
    at = {
        role: (f"http://{host}:{port}", _papers(house, role, nonce, instance))
        for role, nonce, instance, host, port in jobs
    }
    page = {"Cookie": f"ligan_session={house.people['olga'].cookie}", "Origin": house.url}
    cluster = "http://{}:{}".format(*house.cluster)
    if server == "master-daemon":
        yield Door("the public port", house.url, page, open=True), "/api/v1"
        yield Door("the public port, by nobody", house.url, {"Origin": house.url}, open=False), ""
        for role in ("backend", "frontend"):
            yield Door(f"the jobs' port, as {role}", cluster, at[role][1], open=True), "/cluster"
        yield Door("the jobs' port, by nobody", cluster, page, open=False), ""
    if server == "frontend":
        yield Door("the tunnel", house.url, page, open=True), ""
        yield Door("the tunnel, by nobody", house.url, {}, open=False), ""
    if server in at:
        url, papers = at[server]
        yield Door(f"the {server}'s own port", url, {**papers, "X-Ligan-Session": "s-" + "0" * 22}, open=True), ""
        yield Door(f"the {server}'s own port, by nobody", url, page, open=False), ""


def _papers(house: House, role: str, nonce: str, instance: str) -> dict[str, str]:
    papers = {"Authorization": f"Bearer {house.token(role, nonce)}", "X-Ligan-Job": nonce}
    return {**papers, "X-Ligan-Frontend": instance} if role == "frontend" else papers


def _only(said: dict[str, Any], prefix: str) -> dict[str, Any]:
    paths = {
        path: {method: what for method, what in operations.items() if (method, path) not in _NOT_TRIED}
        for path, operations in said["paths"].items()
        if path.startswith(prefix)
    }
    return {**said, "paths": paths}


def _try(house: House, count: Count, door: Door, said: dict[str, Any], mode: GenerationMode) -> None:
    for found in schemathesis.openapi.from_dict(said).get_all_operations():
        operation = found.ok()
        strategy = operation.as_strategy(generation_mode=mode)

        @seed(0)
        @settings(
            max_examples=house.many(_EXAMPLES),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def one(case: Case) -> None:
            _judge(count, door, case)

        try:
            one()
        except Exception as error:  # noqa: BLE001 (whatever a generator does not like about a document)
            if type(error).__name__ != "Unsatisfiable":  # there is nothing wrong that could be sent
                count.crash(f"{operation.label}: schemathesis gives up: {type(error).__name__} {error}")


def _judge(count: Count, door: Door, case: Case) -> None:
    what = f"{case.operation.label} at {door.name}"
    answer = case.call(base_url=door.url, headers=dict(door.headers), timeout=60, allow_redirects=False)
    got_in = not door.open and answer.status_code < 300
    headers = {name: values[0] for name, values in answer.headers.items()}
    count.answered(what, answer.status_code, headers, got_in and f"{answer.status_code} {answer.text[:200]}")
    try:
        case.validate_response(answer, checks=list(_CHECKS))
    except (Failure, FailureGroup) as error:
        failures = error.exceptions if isinstance(error, FailureGroup) else [error]
        said = "; ".join(itertools.chain.from_iterable(str(each).splitlines()[:3] for each in failures))
        count.crash(f"{what}: {answer.status_code} {answer.text[:100]}: not as the document says: {said}")
