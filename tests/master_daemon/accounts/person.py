"""A person with a browser without JavaScript, and how tests make users."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import requests
from argon2 import PasswordHasher

from ligan.wire.account import AccountRole
from master_daemon.state import users
from master_daemon.state.users import User
from tests.master_daemon.running import House

PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Of no use but to tests, which log in more often than a site in a day."""
_DIGEST = QUICK.hash(PASSWORD)
HTML = {"Accept": "text/html"}


def add_user(house: House, name: str, role: AccountRole = AccountRole.USER) -> User:
    """A local account whose password is PASSWORD."""
    with house.daemon.database.write() as transaction:
        return users.add_local(transaction, name, _DIGEST, role, 0.0)


def new_browser() -> requests.Session:
    browser = requests.Session()
    browser.trust_env = False
    return browser


@dataclass
class Person:
    """One browser at one installation."""

    url: str
    http: requests.Session = field(default_factory=new_browser)

    @property
    def origin(self) -> dict[str, str]:
        """What a browser says of a request from the service's own pages."""
        return {"Origin": self.url}

    def get(self, path: str, **headers: str) -> requests.Response:
        """As a browser opens an address; it follows no redirect."""
        return self.http.get(self.url + path, headers={**HTML, **headers}, allow_redirects=False, timeout=20)

    def api(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """As a page's script calls the API."""
        headers = {**self.origin, **arguments.pop("headers", {})}
        return self.http.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=20, **arguments)

    def form(self, path: str = "/login") -> dict[str, str]:
        """The hidden fields of a page's form."""
        page = self.get(path)
        assert page.status_code == 200, page.text
        found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text)
        return {name: unescape(value) for name, value in found}

    def log_in(self, name: str, given: str = PASSWORD, path: str = "/login", **fields: str) -> requests.Response:
        """Fill in the form and send it."""
        return self.submit("/login", {**self.form(path), "name": name, "password": given, **fields})

    def submit(self, path: str, fields: dict[str, str], **headers: str) -> requests.Response:
        """Send a form from our own page."""
        sent = {**HTML, **self.origin, **headers}
        return self.http.post(self.url + path, fields, headers=sent, allow_redirects=False, timeout=20)

    def enter(self, name: str) -> Person:
        """Log in and open the start page."""
        answer = self.log_in(name)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/"), answer.text
        assert self.get("/").status_code == 200
        return self

    @property
    def session_id(self) -> str:
        return str(self.api("GET", "/session").json()["session_id"])

    @property
    def cookie(self) -> str:
        return self.http.cookies["ligan_session"]


def slug(answer: requests.Response) -> str:
    """Of the problem that it is."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    return str(answer.json()["type"]).removeprefix("urn:ligan:problem:")


def path_of(address: str) -> str:
    return urlsplit(address).path
