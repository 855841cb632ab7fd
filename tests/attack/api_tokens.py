"""API tokens of others, revoked, expired, cut, in the wrong place, or used for more than their role."""

from __future__ import annotations

import itertools

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.routes import public_routes
from tests.attack.wire import request

_PERSONAL = ("/api/v1/account/tokens", "/api/v1/account/logout")
"""For a person who is there, whatever the token's role."""


@family()
def api_tokens(house: House, count: Count) -> None:
    """API tokens changed, revoked, expired, of a disabled user, in the wrong place, beyond their role"""
    secret = _made(house, "olga", role="operator")
    _asked(house, count, "an operator's own, to see that entering is noticed", f"Bearer {secret}", expected=True)
    for number in range(len(secret)):
        _asked(house, count, f"cut after {number}", f"Bearer {secret[:number]}")
        changed = secret[:number] + ("A" if secret[number] != "A" else "B") + secret[number + 1 :]
        _asked(house, count, f"changed at {number}", f"Bearer {changed}")
    for value in (
        secret, f"Basic {secret}", f"Token {secret}", f"Bearer{secret}", f"Bearer  {secret}", f"Bearer {secret} x",
        f"Bearer {secret},{secret}", f"Bearer ligan_{secret}", f"Bearer {secret.upper()}", "Bearer ligan_",
        "Bearer ligan_' OR 1=1 --", "Bearer ligan_%", f"Bearer \x00{secret}", "Bearer null",
        "Bearer " + "ligan_" + "x" * 8000,
    ):  # fmt: skip
        _asked(house, count, f"{value[:40]!r}", value)
    _elsewhere(house, count, secret)
    _beyond(house, count)
    _over(house, count)


def _made(house: House, name: str, **wish: object) -> str:
    made = house.people[name].api("POST", "/account/tokens", json={"label": "attack", **wish})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


def _asked(
    house: House, count: Count, what: str, authorization: str, path: str = "/api/v1/admin/users", expected: bool = False
) -> None:
    answer = request(house.public, "GET", path, {"Authorization": authorization})
    got_in = 0 < answer.status < 400
    count.answered(what, answer.status, answer.headers, got_in != expected and f"{answer.status} {answer.text[:99]}")


def _elsewhere(house: House, count: Count, secret: str) -> None:
    for query in ("token", "access_token", "api_key", "authorization", "bearer"):
        answer = request(house.public, "GET", f"/api/v1/admin/users?{query}={secret}")
        count.answered(f"in the query as {query}", answer.status, answer.headers, answer.status < 300)
    for name in ("X-API-Key", "X-Auth-Token", "Proxy-Authorization", "X-Authorization", "Cookie", "X-Ligan-Job"):
        value = f"ligan_session={secret}" if name == "Cookie" else f"Bearer {secret}"
        answer = request(house.public, "GET", "/api/v1/admin/users", {name: value})
        count.answered(f"in {name}", answer.status, answer.headers, answer.status < 300)
    for path in ("/cluster/v1/kinds", "/cluster/v1/heartbeat"):
        answer = request(house.cluster, "GET", path, {"Authorization": f"Bearer {secret}"})
        count.answered(f"at the jobs' door {path}", answer.status, answer.headers, answer.status < 300)


def _beyond(house: House, count: Count) -> None:
    """A role that its user does not have, and what a script may not do at all."""
    for name, role in itertools.product(("alice", "dora"), ("operator", "developer", "root", "", None, ["operator"])):
        made = house.people[name].api("POST", "/account/tokens", json={"label": "more", "role": role})
        allowed = name == "dora" and role == "developer"
        count.answered(
            f"a token of {name} as {role}", made.status_code, made.headers, made.ok and not allowed and made.text
        )
    for owner, role in (("olga", "user"), ("alice", "user"), ("dora", "developer")):
        bearer = {"Authorization": f"Bearer {_made(house, owner, role=role)}"}
        for route in public_routes(house):
            if not route.path.startswith(("/api/v1/admin", *_PERSONAL)):
                continue
            path = route.filled({"name": "alice", "nonce": "0" * 22, "token_id": "a-" + "0" * 22})
            body = b'{"label": "x", "on": true, "disabled": true}' if route.changes else None
            answer = request(house.public, route.method, path, {**bearer, "Content-Type": "application/json"}, body)
            done = answer.status < 300 and answer.text[:200]
            count.answered(f"{route} by a {role}'s token of {owner}", answer.status, answer.headers, done)


def _over(house: House, count: Count) -> None:
    """Revoked, expired, its user disabled, its user less than before."""
    olga = house.people["olga"]
    revoked = olga.api("POST", "/account/tokens", json={"label": "over", "role": "operator"}).json()
    _asked(house, count, "before it is revoked", f"Bearer {revoked['token']}", expected=True)
    assert olga.api("DELETE", f"/account/tokens/{revoked['token_id']}").ok
    short = _made(house, "olga", role="operator", days=1e-9)
    bobs, doras = _made(house, "bob"), _made(house, "dora", role="developer")
    assert olga.api("POST", "/admin/users/bob", json={"disabled": True}).ok
    assert olga.api("POST", "/admin/users/dora", json={"role": "user"}).ok
    for what, token in (("revoked", revoked["token"]), ("expired", short), ("of a disabled user", bobs)):
        for path in ("/api/v1/session", "/api/v1/admin/users", "/api/v1/events", "/"):
            _asked(house, count, f"{what}, {path}", f"Bearer {token}", path)
    _asked(house, count, "of a user who was more", f"Bearer {doras}")
    for days in (-1, 0, 1e9, "NaN", None, 3651):
        made = olga.api("POST", "/account/tokens", json={"label": "long", "days": days})
        count.answered(f"for {days} days", made.status_code, made.headers, made.ok and made.text)
