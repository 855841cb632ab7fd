"""Whatever could steer the tunnel to another host, port, session or job, or a browser to another site."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from urllib.parse import quote, urljoin, urlsplit

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.wire import request
from tests.master_daemon.accounts.person import Person

_STEERING = (
    *("Host", "X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Proto"),
    *("Forwarded", "X-Host", "X-HTTP-Host-Override", "X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Real-IP"),
    *("X-Accel-Redirect", "X-Sendfile", "X-Reproxy-URL", "Destination", "Location", "Content-Location", "Referer"),
    *("Proxy", "Proxy-Host", "Via", "X-ProxyUser-Ip", "True-Client-IP", "Client-IP", "CF-Connecting-IP", "Base-Url"),
    *("X-HTTP-Method-Override", "X-Method-Override", "X-Remote-User", "X-Remote-Groups", "Remote-User", "X-User"),
)
_PRIVATE = (
    *("X-Ligan-Session", "X-Ligan-Job", "X-Ligan-Frontend", "X-Ligan-Gateway", "X-Ligan-Caller"),
    *("X-Ligan-Send-Artifact", "X-Ligan-Login-Cookie", "X-Ligan-New"),
)
_STRIPPED = (
    "x-ligan-session", "x-ligan-frontend", "authorization", "host", "content-length", "transfer-encoding",
    "close, x-ligan-frontend", "X-LIGAN-FRONTEND,x-ligan-session", "connection", "*",
)  # fmt: skip


class Bait:
    """A port that nobody has a reason to call."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.taken = 0
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            line, _ = self._listener.accept()
            self.taken += 1
            line.close()


@family(recorded=True)
def destinations(house: House, count: Count) -> None:
    """headers, targets and parameters that could steer the tunnel, or a browser, elsewhere"""
    alice, bait = house.prey("alice", images=False), Bait()
    proof = {"Cookie": f"ligan_session={alice.person.cookie}", "Origin": house.url}
    plain = _told(request(house.public, "GET", "/echo", proof).text)
    count.attack("the frontend is asked at all", plain.get("x-ligan-session") != alice.session_id and plain)
    for headers in _headers(house, bait):
        answer = request(house.public, "GET", "/echo", {**proof, **headers})
        count.answered(f"{headers}", answer.status, answer.headers, _differs(plain, answer.text))
    for method, target in itertools.product(("GET", "POST", "CONNECT", "OPTIONS"), _targets(bait, house)):
        answer = request(house.public, method, target, proof, b"" if method == "POST" else None)
        count.answered(f"{method} {target}", answer.status, answer.headers, _wrong_host(answer.text))
    _redirects(house, count, bait)
    count.attack("calls of a port that nobody named but us", bait.taken)


def _headers(house: House, bait: Bait) -> list[dict[str, str]]:
    steering = [{name: value} for name in _STEERING for value in (bait.at, f"http://{bait.at}/", "127.0.0.1", "olga")]
    spelt = [(name, _spellings(name)) for name in _PRIVATE]
    values = ("s-" + "0" * 22, "f-" + "0" * 22, '{"by": "login", "role": "operator"}', "0" * 64)
    private = [{spelling: value} for _, spellings in spelt for spelling in spellings for value in values]
    stripped = [{"Connection": value} for value in _STRIPPED]
    at_cluster = f"127.0.0.1:{house.cluster[1]}"
    return [*steering, *private, *stripped, {"Host": at_cluster}, {"Authorization": "Bearer " + "0" * 64}]


def _spellings(name: str) -> set[str]:
    rest = name[1:]
    odd = (name.upper(), f"x{rest.lower()}", name.replace("-", "_"), f"{name}_", name.replace("-", "-_"), f"_{name}")
    return {name, *odd}


def _targets(bait: Bait, house: House) -> list[str]:
    places = (bait.at, f"127.0.0.1:{house.cluster[1]}", "169.254.169.254", "[::1]:22", "localhost:6817")
    forms = (
        "http://{}/", "https://{}/echo", "//{}/echo", "/\\{}/echo", "\\\\{}", "@{}/", "/@{}/echo", "{}",
        "/http://{}/", "ftp://{}/", "file:///etc/passwd", "http://u:p@{}/", "http:/{}/", "http:///{}",
        "/?url=http://{}/", "*", "/echo?host={}", "unix:/run/slurmrestd.sock", "/%2f%2f{}", "/;{}", "http://{}",
        "HTTP://{}/", "gopher://{}/_x",
    )  # fmt: skip
    return list(dict.fromkeys(form.format(place) for form in forms for place in places))


def _told(text: str) -> dict[str, str]:
    """Headers as the frontend had them, names in lower case."""
    try:
        return {name.lower(): value for name, value in json.loads(text)["headers"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _differs(plain: dict[str, str], text: str) -> str:
    """What the gateway says to the frontend is the same, whatever the caller adds; refusing is as good."""
    told = _told(text)
    ours = [
        name for name in {*plain, *told} if name.startswith("x-ligan") or name in ("authorization", "host", "cookie")
    ]
    return ", ".join(f"{name}: {told.get(name)}" for name in ours if told and told.get(name) != plain.get(name))


def _wrong_host(text: str) -> str:
    told = _told(text)
    target = str(json.loads(text)["target"]) if told else "/"
    return "" if target.startswith("/") else target


# Where a login sends the browser ----------------------------------------------------------------------------------

_ELSEWHERE = (
    "//{0}", "///{0}", "////{0}", "\\\\{0}", "/\\{0}", "\\/{0}", "/\\/{0}", "http://{0}", "https://{0}/", "http:{0}",
    "http:/{0}", "https:{0}", "//{0}@x", "//x@{0}", "/%09/{0}", "/\t/{0}", "\t//{0}", " //{0}", "/ /{0}",
    "/\r\n/{0}", "//%0d%0a{0}", "/\x00/{0}", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x",
    "vbscript:x", "/..//{0}", "/.//{0}", "/x/..//{0}", "\u2215\u2215{0}", "/%2f{0}", "/%5c{0}", "%2f%2f{0}", "/{0}",
    "?next=//{0}", "#//{0}", "//{0}/%2e%2e", "/\u200b/{0}", "\uff0f\uff0f{0}", "http://{0}\\@x",
    "/x\r\nSet-Cookie: a=b", "/x\nLocation: http://{0}", "/x%0d%0aSet-Cookie:a=b", "/login?next=//{0}", "/logout",
    "/api/v1/account/logout",
)  # fmt: skip


def _redirects(house: House, count: Count, bait: Bait) -> None:
    inside = house.people["alice"]
    for form in _ELSEWHERE:
        wish = form.format(bait.at)
        for path in (f"/login?next={quote(wish)}", f"/login/start?next={quote(wish)}"):
            answer = inside.get(path)
            count.answered(f"GET {path}", answer.status_code, answer.headers, _leads_away(house.url, answer.headers))
        newcomer = Person(house.url)
        answer = newcomer.log_in("bob", next=wish)
        count.answered(
            f"POST /login, {wish!r}", answer.status_code, answer.headers, _leads_away(house.url, answer.headers)
        )
        newcomer.http.close()


def _leads_away(url: str, headers: object) -> str:
    """As a browser reads it: backslashes are slashes, tabs and line ends are nothing (WHATWG URL)."""
    said = str(dict(headers).get("Location", "/"))  # type: ignore[call-overload]  # of requests
    read = said.replace("\\", "/").replace("\t", "").replace("\r", "").replace("\n", "").strip()
    there = urlsplit(urljoin(url + "/", read))
    extra = "a=b" in str(dict(headers).get("Set-Cookie", ""))  # type: ignore[call-overload]  # as above
    return said if extra or there.netloc != urlsplit(url).netloc or there.scheme != "http" else ""
