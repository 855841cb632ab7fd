"""The frontend ID stolen: of use to nobody, from outside or at the jobs' own doors."""

from __future__ import annotations

import itertools

from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.prey import photo
from tests.attack.routes import routes
from tests.attack.wire import Address, request

_SPELLINGS = ("X-Ligan-Frontend", "x-ligan-frontend", "X_Ligan_Frontend", "X-Ligan_Frontend", "X-LIGAN-FRONTEND")


@family()
def frontend_ids(house: House, count: Count) -> None:
    """the frontend ID stolen, with and without more, from outside and at the doors of frontend, daemon and backend"""
    alice = house.prey("alice", images=False)
    nonce, stolen, host, port = house.ask(
        "SELECT nonce, instance_id, host, port FROM jobs WHERE role = 'frontend' AND state = 'READY'"
    )[0]
    backend = house.ask("SELECT host, port FROM jobs WHERE role = 'backend' AND state = 'READY'")[0]
    token = f"Bearer {house.token('frontend', nonce)}"
    front: Address = (str(host), int(port))
    for name, session in itertools.product(_SPELLINGS, ("", alice.session_id)):
        papers = {name: stolen, **({"X-Ligan-Session": session, "X-Ligan-Job": nonce} if session else {})}
        _knock(house, count, "outside", house.public, papers, tuple({r.path for r in routes(house, "frontend")}))
        _knock(
            house,
            count,
            "outside, with the token too",
            house.public,
            {**papers, "Authorization": token},
            ("/api/v1/tasks/kinds",),
        )
        _knock(
            house,
            count,
            "the frontend",
            front,
            papers,
            ("/", "/api/v1/tasks/kinds", "/api/v1/uploads", "/index.html", "/leave"),
        )
        _knock(house, count, "the daemon", house.cluster, papers, ("/cluster/v1/kinds", "/cluster/v1/images"))
        _knock(
            house,
            count,
            "a backend",
            (str(backend[0]), int(backend[1])),
            papers,
            ("/tasks", "/faces", "/leave", "/openapi.json"),
        )
    for papers in ({"Authorization": token}, {"Authorization": token, "X-Ligan-Frontend": "f-" + "0" * 22}):
        _knock(house, count, "the frontend, with the token alone", front, papers, ("/", "/api/v1/tasks/kinds"))
    answer = request(front, "GET", "/api/v1/tasks/kinds", {"Authorization": token, "X-Ligan-Frontend": stolen})
    count.attack("both are not believed: nothing was proved", answer.status != 200)


def _knock(
    house: House, count: Count, where: str, address: Address, papers: dict[str, str], paths: tuple[str, ...]
) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + photo() + b"\r\n--x--\r\n"
    headers = {**papers, "Content-Type": "multipart/form-data; boundary=x", "Origin": house.url}
    for path, method in itertools.product(paths, ("GET", "POST")):
        answer = request(address, method, path, headers, form if method == "POST" else None)
        count.answered(
            f"{method} {path} at {where}", answer.status, answer.headers, 0 < answer.status < 300 and answer.text[:200]
        )
