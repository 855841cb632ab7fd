"""What a person has at the service, by the names that an attacker would like to use."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tests.ligan.stub import wait_until
from tests.master_daemon.accounts.person import Person


class Prey:
    """One person's session, photo, tasks, results and API token."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.session_id = person.session_id
        self.task_id = self.image_id = self.result_id = self.token = self.token_id = ""

    def settle(self, images: bool) -> None:
        """Make the person a backend; with `images` also a photo, results and a token."""
        started = self.person.api("POST", "/start-of-interaction")
        assert started.status_code == 200, started.text
        wait_until(self._ready, "a backend")
        self.task_id = self.task("random", count=1)
        task = self.person.api("GET", f"/tasks/{self.task_id}").json()
        self.result_id = task["result"]["images"][0]["image_id"]
        if images:
            self.image_id = self.person.api("POST", "/uploads", files={"file": photo(self.session_id)}).json()[
                "image_id"
            ]
            made = self.person.api("POST", "/account/tokens", json={"label": "prey"}).json()
            self.token, self.token_id = made["token"], made["token_id"]

    def task(self, kind: str, **params: object) -> str:
        """ID of a task that is done."""
        posted = self.person.api("POST", "/tasks", json={"kind": kind, "params": params})
        assert posted.status_code == 202, posted.text
        task_id = str(posted.json()["task_id"])
        wait_until(lambda: self.person.api("GET", f"/tasks/{task_id}").json()["state"] == "done", "the task's end")
        return task_id

    @property
    def names(self) -> dict[str, str]:
        """What must not be seen by others, by what it is."""
        found = {"session": self.session_id, "task": self.task_id, "result": self.result_id}
        found |= {"photo": self.image_id, "token": self.token, "token's ID": self.token_id}
        return {what: name for what, name in found.items() if name}

    def seen_in(self, text: str) -> list[str]:
        """What of it stands there."""
        return [what for what, name in self.names.items() if name in text]

    def _ready(self) -> bool:
        return bool(self.person.api("GET", "/session").json()["backend"]["ready"])


def photo(of: str = "") -> bytes:
    """Noise as PNG, for everybody another; the fake engine finds a face on anything."""
    pixels = np.random.default_rng(list(of.encode())).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
