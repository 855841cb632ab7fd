"""Who may order announcements and maintenance, and GPU hours by user as operators read them."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import requests

from ligan.settings import AccountSettings
from ligan.wire.account import AccountRole
from ligan.wire.notice import Notices
from ligan.wire.session import JobState
from ligan.wire.usage import Usage
from master_daemon.state import jobs, owners
from tests.master_daemon.accounts.person import Person, add_user
from tests.master_daemon.api.test_notices_api import operator_token, recorded
from tests.master_daemon.running import House, house_in
from tests.master_daemon.state.rows import a_job

DAY = 86400.0
ORDERS = {"announcement": {"text": "Hello"}, "maintenance": {"on": True}}


def test_only_operators_order_and_only_from_our_own_pages(quick: None, tmp_path: Path) -> None:
    with house_in(tmp_path, accounts=AccountSettings(mode="local")) as house:
        house.frontend()
        for name, role in (("ann", AccountRole.USER), ("dev", AccountRole.DEVELOPER), ("op", AccountRole.OPERATOR)):
            add_user(house, name, role)
        for name in ("ann", "dev"):
            person = Person(house.url).enter(name)
            assert person.api("GET", "/notices").status_code == 200
            for what, body in ORDERS.items():
                assert person.api("POST", f"/admin/{what}", json=body).status_code == 403
            for path in ("notices", "usage", "usage.csv"):
                assert person.api("GET", f"/admin/{path}").status_code == 403
        assert Person(house.url).api("GET", "/notices").status_code == 401, "who is not logged in"
        chief = Person(house.url).enter("op")
        for what, body in ORDERS.items():
            foreign = chief.api("POST", f"/admin/{what}", json=body, headers={"Origin": "https://evil.example"})
            assert (foreign.status_code, foreign.json()["type"]) == (403, "urn:ligan:problem:cross-site-request")
        assert Notices.model_validate_json(chief.api("GET", "/notices").content) == Notices()
        assert chief.api("POST", "/admin/announcement", json={"text": "<b>Hello"}).status_code == 200
        assert "&lt;b&gt;Hello" in Person(house.url).get("/login").text, "who logs in reads it too"
        (entry,) = recorded(house)
        assert entry[0].startswith("u-")


def test_gpu_hours_by_user_and_as_a_table(quick: None, tmp_path: Path) -> None:
    with house_in(tmp_path, accounts=AccountSettings(mode="local")) as house:
        house.frontend()
        names = {"alice": 3, "=cmd|'/c calc'!A1": 1}
        for name, hours in names.items():
            user = add_user(house, name)
            _ran(house, user.user_id, hours)
        headers = operator_token(house)
        answer = requests.get(house.url + "/api/v1/admin/usage?days=3", headers=headers, timeout=20)
        said = Usage.model_validate_json(answer.content)
        assert [(one.name, one.gpu_hours) for one in said.users] == [("alice", 3), ("=cmd|'/c calc'!A1", 1)]
        assert (said.gpu_hours, sum(said.by_day), len(said.days)) == (4, 4, 3)
        assert said.users[0].by_day[1] == 3, "yesterday"
        table = requests.get(house.url + "/api/v1/admin/usage.csv?days=3", headers=headers, timeout=20)
        assert table.headers["Content-Type"].startswith("text/csv")
        lines = list(csv.DictReader(io.StringIO(table.text)))
        assert [(line["name"], line["gpu_hours"]) for line in lines] == [
            ("alice", "3.0"),
            ("'=cmd|'/c calc'!A1", "1.0"),
        ]
        for days in ("0", "367", "x", "1.5"):
            bad = requests.get(f"{house.url}/api/v1/admin/usage?days={days}", headers=headers, timeout=20)
            assert bad.status_code == 422


def _ran(house: House, user_id: str, hours: float) -> None:
    """A session of the user's had a backend yesterday at noon."""
    noon = time.time() // DAY * DAY - DAY / 2
    with house.daemon.database.write() as transaction:
        _, key = owners.begin(transaction, user_id, noon - DAY)
        job = a_job(key, state=JobState.ENDED, requested_at=noon, started_at=noon, ended_at=noon + hours * 3600)
        jobs.add(transaction, job)
