"""The express way of an order: taken without Flask, by the same desk, in the same words."""

from __future__ import annotations

from functools import partial

from backend_container.desk import Desk
from ligan.web.front import SMALL, is_small_json
from ligan.web.guard import AT_ONCE, PREFER_HEADER, TOKEN_HEADER, check_daemon
from ligan.web.http.answer import Answer
from ligan.web.http.head import RequestHead
from ligan.web.http.route import Whole
from ligan.web.reading import read
from ligan.wire.task import TaskOrder

_TOKEN, _PREFER = TOKEN_HEADER.lower().encode(), PREFER_HEADER.lower().encode()
_JSON = ((b"content-type", b"application/json"),)


class Express:
    """For the daemon alone, which shows the job's `token`."""

    def __init__(self, desk: Desk, token: str) -> None:
        self._desk = desk
        self._token = token

    def order(self, head: RequestHead) -> Whole | None:
        """None for anything but an order, and while models are loading: the first order may wait for their imports."""
        if (head.method, head.target) != ("POST", "/tasks") or not is_small_json(head) or not self._desk.loading.done():
            return None
        take = partial(self._take, head.get(_TOKEN) or "", head.get(_PREFER) == AT_ONCE)
        return Whole(take, SMALL, at_once=True)

    def _take(self, authorization: str, at_once: bool, body: bytes) -> Answer:
        check_daemon(authorization, self._token)
        accepted = self._desk.accept(read(TaskOrder, body), at_once)
        return Answer(202, accepted.model_dump_json().encode(), _JSON)
