"""Who a trusted proxy or an OpenID provider says one is: said by somebody else, or wrongly."""

from __future__ import annotations

import itertools
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.wire import exchange, request
from tests.faults.daemon import ROOT, DaemonProcess, ligan_argv
from tests.master_daemon.accounts.person import Person
from tests.master_daemon.accounts.provider_process import CLIENT, SECRET
from tests.port import free_port
from tests.site_file import Table, write_site

_NAMES = (
    "X-Remote-User", "x-remote-user", "X_Remote_User", "X-Remote_User", "Remote-User", "X-REMOTE-USER",
    "X-Remote-User ", "X-Forwarded-User",
)  # fmt: skip
_ADDRESSES = ("192.0.2.1", "127.0.0.1", "::1", "192.0.2.1, 192.0.2.1", "::ffff:192.0.2.1", "unknown", "192.0.2.1\x00")
_PATHS = ("/", "/api/v1/session", "/api/v1/account", "/api/v1/admin/users", "/api/v1/events")
_REBOUND = (
    "evil.example", "evil.example:7022", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example.",
    "[::1].evil.example", "127.0.0.1@evil.example", "evil.example:80@x.y", "rebind.network",
)  # fmt: skip
_FAULTS = (
    "nonce", "no nonce", "audience", "audience that is not us", "no audience", "party", "issuer", "expired",
    "no expiry", "odd expiry", "future", "no subject", "odd subject", "empty subject", "access token", "alg none",
    "public key as secret", "client secret", "other key", "unknown key", "key in the head", "changed", "garbage",
    "no id token", "broken", "denied", "mix-up",
)  # fmt: skip


@contextmanager
def _another(house: House, name: str, table: Table) -> Iterator[DaemonProcess]:
    """A further installation with other accounts."""
    folder = Path(tempfile.mkdtemp(prefix=name, dir=house.folder))
    site = write_site(
        folder / "site.toml",
        {"backend": {"engine": "fake"}, "limits": {"anonymous_per_minute": 0, "logins_per_minute": 10**6}},
        table,
    )
    daemon = DaemonProcess(site, folder / "state", folder / "state.log", ligan_argv(), {})
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


@family()
def proxy_headers(house: House, count: Count) -> None:
    """the user's name in a header, from an address that is not the site's proxy; names that no proxy can vouch for"""
    far: Table = {"accounts": {"mode": "header", "trusted_proxies": ["192.0.2.1"], "operator_groups": ["it"]}}
    near: Table = {"accounts": {"mode": "header", "trusted_proxies": ["127.0.0.1"], "operator_groups": ["it"]}}
    with _another(house, "far", far) as daemon:
        address = ("127.0.0.1", daemon.port)
        for name, forwarded, path in itertools.product(_NAMES, _ADDRESSES, _PATHS):
            headers = {
                name: "root",
                "X-Remote-Groups": "it",
                "X-Forwarded-For": forwarded,
                "Forwarded": f"for={forwarded}",
            }
            answer = request(address, "GET", path, headers)
            count.answered(f"{path} as {name} for {forwarded!r}", answer.status, answer.headers, _in(answer.status))
    with _another(house, "near", near) as daemon:
        address = ("127.0.0.1", daemon.port)
        for name, path in itertools.product((*_NAMES[2:5], *_NAMES[6:]), _PATHS):
            answer = request(address, "GET", path, {name: "root", "X-Remote-Groups": "it"})
            count.answered(f"{path} as {name}", answer.status, answer.headers, _in(answer.status))
        for path in _PATHS[2:4]:
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Remote-User: root\r\nX-Remote-Groups: it\r\n\r\n".encode()
            known = [answer.status for answer in exchange(address, head, head, head)]
            count.attack(f"{path} as the proxy sends it", set(known) != {200} and f"never: {known}")
            for answer in exchange(address, head, head, source="127.0.0.2"):
                count.answered(
                    f"the same bytes from elsewhere: {path}", answer.status, answer.headers, _in(answer.status)
                )
        for value in ("", " ", "x" * 300, "a\r\nX-Remote-User: b", "a\r\nX-Remote-Groups: it"):
            answer = request(address, "GET", "/api/v1/admin/users", {"X-Remote-User": value})
            count.answered(
                f"the name {value[:20]!r}",
                answer.status,
                answer.headers,
                _in(answer.status) and "X-Remote-Groups" not in value,
            )
        for groups in ("IT", "it2", "xit", "i t", "it\x00", "", '"it"', "it:x"):
            answer = request(
                address, "GET", "/api/v1/admin/users", {"X-Remote-User": "carol", "X-Remote-Groups": groups}
            )
            count.answered(f"the group {groups!r}", answer.status, answer.headers, _in(answer.status))


@family()
def rebound_names(house: House, count: Count) -> None:
    """without accounts: another site's page whose name was made to mean this machine (DNS rebinding)"""
    with _another(house, "open", {"accounts": {"mode": "none"}}) as daemon:
        address = ("127.0.0.1", daemon.port)
        own = request(address, "GET", "/", {"Host": f"localhost:{daemon.port}"})
        count.attack("our own name is refused: nothing would be proved", not _in(own.status))
        cookie = own.headers["set-cookie"].partition(";")[0]
        for host, path, method in itertools.product(_REBOUND, _PATHS, ("GET", "POST", "DELETE")):
            headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin", "Cookie": cookie}
            answer = request(address, method, path, headers, None if method == "GET" else b"{}")
            count.answered(f"{method} {path} of {host}", answer.status, answer.headers, _in(answer.status))


def _in(status: int) -> bool:
    return 0 < status < 300


@family()
def provider_answers(house: House, count: Count) -> None:
    """OpenID Connect: forged ID tokens, state and nonce of another login, answers replayed, codes injected"""
    with _provider() as provider:
        port = free_port()
        secret = house.folder / "client-secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        accounts = {"mode": "oidc", "issuer": provider, "client_id": CLIENT, "client_secret_file": str(secret)}
        with _another(house, "oidc", {"accounts": {**accounts, "public_url": f"http://127.0.0.1:{port}"}}) as daemon:
            _tell(provider, "discovery")
            count.attack("a document of another issuer", _login(daemon.url, count, "discovery"))
            _tell(provider, "")
            count.attack("an honest login is refused: nothing would be proved", not _login(daemon.url, count, "honest"))
            for fault in _FAULTS:
                _tell(provider, fault)
                count.attack(f"provider: {fault}", _login(daemon.url, count, fault))
            _tell(provider, "")
            _steps(daemon.url, count)


@contextmanager
def _provider() -> Iterator[str]:
    argv = [sys.executable, "-m", "tests.master_daemon.accounts.provider_process"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 30)[0], "the provider did not start"
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate()


def _tell(provider: str, fault: str) -> None:
    told = {"fault": fault, "claims": {}, "rotate": False}
    requests.post(f"{provider}/test", json=told, timeout=20).raise_for_status()


def _back(url: str, person: Person) -> str:
    """The address to which the provider sends the browser; its path and query."""
    begun = person.get("/login/start")
    if begun.status_code != 303:
        return ""
    answer = person.http.get(begun.headers["Location"], allow_redirects=False, timeout=20)
    said = answer.headers["Location"]
    return said[said.index("/login/") :]


def _inside(person: Person) -> bool:
    return person.api("GET", "/account").status_code == 200


def _login(url: str, count: Count, what: str) -> bool:
    person = Person(url)
    back = _back(url, person)
    if back:
        answer = person.get(back)
        if answer.status_code >= 500 and answer.status_code != 502:  # the provider is at fault, and that is said
            count.crash(f"{what}: answered {answer.status_code}")
    return _inside(person)


def _steps(url: str, count: Count) -> None:
    """Answers of the provider in the wrong browser, twice, with parts of another one's."""
    alice, bob = Person(url), Person(url)
    to_alice, to_bob = _back(url, alice), _back(url, bob)
    state = to_bob.partition("state=")[2]
    forms = {
        "another browser's answer": to_alice,
        "another's code with one's own state": to_alice.partition("state=")[0] + "state=" + state,
        "no state": to_bob.replace("state=", "estate="),
        "no code": "/login/callback?state=" + state,
        "an error for an answer": "/login/callback?error=access_denied&state=" + state,
        "two states": to_bob + "&state=x",
        "another issuer": to_bob.replace("iss=", "iss=https%3A%2F%2Fevil.example&x="),
    }
    for what, address in forms.items():
        bob.get(address)
        count.attack(what, _inside(bob) and address)
        bob.http.cookies.pop("ligan_session", None)
    replayed = Person(url)
    back = _back(url, replayed)
    copy = dict(replayed.http.cookies)
    replayed.get(back)
    thief = Person(url)
    thief.http.cookies.update({"ligan_login": copy["ligan_login"]})
    thief.get(back)
    count.attack("the same answer with the same cookie once more", _inside(thief))
