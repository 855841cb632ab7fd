"""A victim's browser made to act by another site's page (CSRF), with all that such a page can send."""

from __future__ import annotations

import itertools
import json

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.routes import public_routes
from tests.attack.wire import request

_FOREIGN: tuple[dict[str, str], ...] = (
    *(
        {"Origin": origin}
        for origin in ("http://evil.example", "null", "http://127.0.0.1", "https://{host}.evil.example")
    ),
    *(
        {"Origin": origin}
        for origin in ("http://evil.example/{host}", "http://{host}@evil.example", "http://x{host}", "{host}")
    ),
    *(
        {"Origin": origin}
        for origin in ("http://{host}.", "http://{host}/", "http://{host} http://evil.example", "file://", "")
    ),
    {},
    {"Referer": "http://evil.example/"},
    {"Referer": "http://{host}/"},
    *(
        {"Sec-Fetch-Site": site}
        for site in ("cross-site", "same-site", "none", "Same-Origin", "same-origin, cross-site", "")
    ),
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"},
    {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"},
)
_TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json", "")
"""The first three a page may send to another site without asking it first (Fetch, section 2.2.2)."""
_BODY = json.dumps(
    {"kind": "noop", "params": {}, "label": "forged", "days": 1, "name": "mallory", "password": "x" * 20}
)


@family()
def forgeries(house: House, count: Count) -> None:
    """what another site's page can make a browser send, over every route that changes something"""
    olga = house.prey("olga", images=False)
    host = f"{house.public[0]}:{house.public[1]}"
    changing = [route for route in public_routes(house) if route.changes]
    before = _what_there_is(house)
    for route, foreign, kind in itertools.product(changing, _FOREIGN, _TYPES):
        said = {name: value.format(host=host) for name, value in foreign.items()}
        headers = {"Cookie": f"ligan_session={olga.person.cookie}", "Content-Type": kind, **said}
        path = route.filled({"name": "alice", "task_id": olga.task_id})
        answer = request(house.public, route.method, path, headers, _BODY.encode())
        done = answer.status < 400 and answer.text[:200]
        count.answered(f"{route} from {said}, {kind}", answer.status, answer.headers, done)
    for method, path in (
        ("GET", "/logout"),
        ("GET", "/api/v1/account/logout"),
        ("HEAD", "/api/v1/session"),
        ("GET", "/login"),
    ):
        request(house.public, method, path, {"Cookie": f"ligan_session={olga.person.cookie}"})
        count.attack(f"{method} {path} logs her out", not olga.person.api("GET", "/account").ok)
    for answer in (house.people["olga"].get("/"), house.people["olga"].get("/login?next=/x")):
        framed = (
            "frame-ancestors 'none'" not in answer.headers.get("Content-Security-Policy", "")
            and answer.status_code == 200
        )
        count.attack(f"{answer.url} in a frame", framed)
        count.attack(f"{answer.url} read by another site", answer.headers.get("Access-Control-Allow-Origin"))
    after = _what_there_is(house)
    count.attack("something has changed", before != after and f"{before} {after}")


def _what_there_is(house: House) -> list[object]:
    tables = ("users", "tokens", "tasks", "sessions")
    counted = [house.ask(f"SELECT count(*) FROM {table}")[0][0] for table in tables]  # noqa: S608 (names of ours)
    return [*counted, house.ask("SELECT sum(wants_backend) FROM sessions")[0][0]]
