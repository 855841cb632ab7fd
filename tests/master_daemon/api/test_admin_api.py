"""The admin API through the public port: who gets in, what it tells, what it does; and that it tells no secret."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from ligan.web.guard import SESSION_HEADER, TOKEN_HEADER, bearer
from ligan.wire.admin import AdminJobs, AdminSessions, Drain, Explanation, Status
from master_daemon.api.caller import GATEWAY_HEADER, gateway_token
from master_daemon.observe.session_tag import session_tag
from tests.ligan.stub import stub_app, wait_until
from tests.master_daemon.running import House, Played

PATHS = ("status", "jobs", "sessions", "explain/x", "drain", "jobs/0123456789abcdefghjkmn/drain", "nothing")


class Operator:
    """Asks the admin API with the token of the state directory."""

    def __init__(self, house: House) -> None:
        self._url = house.url + "/api/v1/admin/"
        token = (house.daemon.parts.observatory.state_dir / "operator-token").read_text().strip()
        self.headers = {TOKEN_HEADER: bearer(token)}

    def get(self, path: str) -> requests.Response:
        return requests.get(self._url + path, headers=self.headers, timeout=20)

    def post(self, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        return requests.post(self._url + path, json=body, headers=self.headers, timeout=20)

    def status(self) -> Status:
        return Status.model_validate_json(self.get("status").content)


@pytest.fixture(scope="module")
def operator(house: House, frontend: Played) -> Operator:
    return Operator(house)


@pytest.fixture
def drained(operator: Operator) -> Iterator[Drain]:
    order = {"on": True, "message": "Maintenance from 18:00"}
    yield Drain.model_validate_json(operator.post("drain", order).content)
    operator.post("drain", {"on": False})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_else_gets_in(house: House, frontend: Played, browser: requests.Session, path: str, method: str) -> None:
    tokens = (
        "",
        "Bearer ",
        bearer(frontend.bootstrap.token.get_secret_value()),
        bearer(gateway_token(house.daemon.parts.secret)),
        bearer("é"),
    )
    for token in tokens:
        headers = {TOKEN_HEADER: token.encode(), "X-Ligan-Job": frontend.bootstrap.nonce}
        answer = browser.request(
            method, f"{house.url}/api/v1/admin/{path}", headers=headers, json={"on": True}, timeout=20
        )
        assert answer.status_code in (403, 404, 405), (token, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert path == "nothing" or method == "POST" or "jobs/0" in path or path == "drain" or answer.status_code == 403


def test_the_nodes_do_not_get_in_past_the_gateway(house: House, operator: Operator) -> None:
    answer = requests.get(house.cluster_url + "/api/v1/admin/status", headers=operator.headers, timeout=20)
    assert answer.status_code == 403
    assert requests.get(house.cluster_url + "/metrics", timeout=20).status_code == 403


def test_a_page_cannot_pose_as_the_gateway(house: House, operator: Operator) -> None:
    headers = {GATEWAY_HEADER: "x", SESSION_HEADER: "s", **operator.headers}
    assert requests.get(house.url + "/api/v1/admin/status", headers=headers, timeout=20).status_code == 200


def test_status(house: House, operator: Operator, browser: requests.Session) -> None:
    backend = house.backend(browser)
    status = operator.status()
    assert status.manager == "fake"
    assert status.jobs["frontend"] == {"READY": 1}
    assert status.jobs["backend"]["READY"] >= 1
    assert status.wanting >= 1
    assert status.disk_free_bytes > 0
    assert status.now > status.started_at
    assert not status.drain.on
    assert any(event.subject == backend.bootstrap.nonce for event in status.events)
    wait_until(lambda: operator.status().scheduler_answer_age_s is not None, "the first listing")


def test_jobs_and_sessions(house: House, operator: Operator, browser: requests.Session) -> None:
    backend = house.backend(browser)
    tag = session_tag(house.key(house.session_of(browser)["session_id"]))
    listed = AdminJobs.model_validate_json(operator.get("jobs").content).jobs
    job = next(job for job in listed if job.nonce == backend.bootstrap.nonce)
    assert (job.role, job.seat, job.state) == ("backend", tag, "READY")
    sessions = AdminSessions.model_validate_json(operator.get("sessions").content).sessions
    assert tag in {session.session for session in sessions if session.wants_backend}


def test_explain(house: House, operator: Operator, browser: requests.Session) -> None:
    bootstrap = house.requested_backend(browser)
    told = Explanation.model_validate_json(operator.get(f"explain/{bootstrap.nonce}").content)
    assert (told.kind, told.id) == ("job", bootstrap.nonce)
    for name in ("nothing", "%00", "..%2Fstatus", "'--"):
        answer = operator.get(f"explain/{name}")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:ligan:problem:not-found")
    assert operator.get(f"explain/{'x' * 200}").status_code == 422


def test_drain_holds_back_new_sessions_only(
    house: House, operator: Operator, browser: requests.Session, request: pytest.FixtureRequest
) -> None:
    backend = house.backend(browser)
    drained: Drain = request.getfixturevalue("drained")
    assert drained.on
    assert drained.since is not None
    newcomer = house.page()
    refused = newcomer.post(house.url + "/api/v1/start-of-interaction")
    assert refused.status_code == 503
    assert refused.json()["detail"] == "Maintenance from 18:00"
    assert "Retry-After" in refused.headers
    assert house.session_of(browser)["backend"]["ready"]
    again = Drain.model_validate_json(operator.post("drain", {"on": True}).content)
    assert (again.since, again.message) == (drained.since, "")
    assert Drain.model_validate_json(operator.post("drain", {"on": False}).content) == Drain(on=False)
    assert newcomer.post(house.url + "/api/v1/start-of-interaction").status_code == 200
    assert backend.bootstrap.nonce in operator.get("jobs").text
    recorded = [event.what for event in operator.status().events if event.subject == "installation"]
    assert recorded[0] == "drain off by operator"


def test_one_job_is_taken_out_of_service(house: House, operator: Operator, browser: requests.Session) -> None:
    backend = house.backend(browser)
    nonce = backend.bootstrap.nonce
    assert "successor" in operator.post(f"jobs/{nonce}/drain").json()["what"]
    key = house.key(house.session_of(browser)["session_id"])

    def successor() -> str:
        job = house.newest(key)
        return job.nonce if job is not None and job.nonce != nonce else ""

    wait_until(successor, "the session's next backend")
    assert house.session_of(browser)["backend"]["ready"], "until that is ready"
    house.play(house.bootstrap(successor()), stub_app())
    wait_until(lambda: nonce not in operator.get("jobs").text, "the drained job's end")
    told = Explanation.model_validate_json(operator.get(f"explain/{nonce}").content)
    assert "successor" in told.why
    again = operator.post(f"jobs/{nonce}/drain")
    assert (again.status_code, again.json()["type"]) == (404, "urn:ligan:problem:not-found")


@pytest.mark.parametrize("body", [{}, {"on": "perhaps"}, {"on": True, "message": "x" * 301}, {"on": True, "more": 1}])
def test_a_drain_that_is_not_understood_changes_nothing(operator: Operator, body: dict[str, Any]) -> None:
    assert operator.post("drain", body).status_code == 422
    assert not operator.status().drain.on


def test_metrics_in_both_formats(house: House, frontend: Played) -> None:
    plain = requests.get(house.url + "/metrics", timeout=20)
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in parse_text(plain.text)}
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    modern = requests.get(house.url + "/metrics", headers=accept, timeout=20)
    assert modern.headers["Content-Type"].startswith("application/openmetrics-text")
    others = {family.name for family in parse_openmetrics(modern.text)}
    assert {name.removesuffix("_info") for name in others} == {name.removesuffix("_info") for name in families}
    jobs = {(s.labels["role"], s.labels["state"]): s.value for s in families["ligan_jobs"].samples}
    assert jobs["frontend", "ready"] == 1
    assert jobs["backend", "draining"] >= 0
    assert families["ligan_sse_clients"].samples[0].value == 0
    expected = (
        "submits adoptions handovers handover_gap_seconds task_seconds task_wait_seconds job_wait_seconds "
        "job_load_seconds scheduler_calls scheduler_answers breaker_open database_write_seconds tick_seconds "
        "sessions tasks"
    )
    assert {f"ligan_{name}" for name in expected.split()} <= set(families)
    assert "process_resident_memory_bytes" in families


def test_metrics_have_few_labels_that_no_session_makes(house: House, operator: Operator) -> None:
    names = {
        name
        for family in parse_text(requests.get(house.url + "/metrics", timeout=20).text)
        for sample in family.samples
        for name in sample.labels
    }
    assert names == {"le", "role", "state", "kind", "outcome", "command", "answer", "version", "manager"} - _unseen(
        house
    )


def _unseen(house: House) -> set[str]:
    """Labels of metrics without a sample yet: those depend on what else this process did."""
    text = requests.get(house.url + "/metrics", timeout=20).text
    return {name for name in ("kind", "command") if f'{name}="' not in text}


def test_the_operator_page_is_for_everybody_and_holds_nothing(house: House, frontend: Played) -> None:
    for path, kind in (("", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
        answer = requests.get(house.url + "/operator" + path, timeout=20)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith(kind)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in answer.headers
    assert house.raw("GET /operator/..%2Fadmin.py HTTP/1.1")[0] == 404


def test_the_files_are_their_owners_alone(house: House) -> None:
    folder = house.daemon.parts.observatory.state_dir
    assert stat.S_IMODE((folder / "operator-token").stat().st_mode) == 0o400
    assert stat.S_IMODE((folder / "daemon.json").stat().st_mode) == 0o600
