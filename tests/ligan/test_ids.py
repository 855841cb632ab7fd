"""Identifiers and intervals."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from ligan import intervals
from ligan.ids import ImageId, Nonce, SessionId, TaskId, is_id, new_id


@pytest.mark.parametrize(("kind", "prefix"), [(SessionId, "s"), (ImageId, "i"), (TaskId, "t"), (Nonce, "")])
def test_new_ids_are_what_the_messages_take(kind: object, prefix: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    made = {adapter.validate_python(new_id(prefix)) for _ in range(500)}
    assert len(made) == 500
    assert all(is_id(one, prefix) for one in made)


@pytest.mark.parametrize("text", ["", "s-", "s-" + "0" * 21, "s-" + "0" * 23, "S-" + "0" * 22, "s-" + "A" * 22])
def test_what_is_no_session_id(text: str) -> None:
    assert not is_id(text, "s")
    with pytest.raises(ValidationError):
        TypeAdapter(SessionId).validate_python(text)


@pytest.mark.parametrize("tail", ["\n", "\0", " ", "/../"])
def test_nothing_follows_an_id(tail: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(TaskId).validate_python(new_id("t") + tail)


def test_the_intervals_fit_each_other() -> None:
    assert intervals.CONTACT_LOST >= 3 * intervals.HEARTBEAT
    assert intervals.ORPHAN_LEASE_LOCAL > intervals.CONTACT_LOST
    assert intervals.SSE_KEEPALIVE < 15
    assert intervals.MAX_BODY > intervals.MAX_UPLOAD
    assert intervals.POLL_IDLE > intervals.POLL_BUSY > intervals.TICK
    assert intervals.COMMAND_TIMEOUT > 10
