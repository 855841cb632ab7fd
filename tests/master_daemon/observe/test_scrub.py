"""What gives access is taken out of every text, whatever stands around it."""

from __future__ import annotations

from itertools import count

import pytest
from pydantic import SecretStr, ValidationError

from ligan.identity import derive
from ligan.ids import new_id
from ligan.wire.job import Bootstrap
from master_daemon.authority.authority import Authority
from master_daemon.observe.scrub import scrub
from master_daemon.observe.session_tag import session_tag
from master_daemon.tunnel.cookie import SessionCookie, set_cookie

SECRET = b"0123456789abcdef0123456789abcdef"
TOKEN = derive(SECRET, "backend", "nonce")
SESSION, FRONTEND, KEY = new_id("s"), new_id("f"), new_id("k")
COOKIE = SessionCookie(SECRET).seal(SESSION)
BOOTSTRAP = Bootstrap(
    role="backend",
    nonce=new_id(),
    instance_id=SESSION,
    token=SecretStr(TOKEN),
    daemon_url="http://10.0.0.1:7023",
    orphan_lease_s=30,
    weights_files={"model.safetensors": "0" * 64},
    protocol=1,
).model_dump_json()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJsaWdhbiJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"a token {TOKEN}.", TOKEN),
        (f"'Authorization': 'Bearer {TOKEN}'", TOKEN),
        ("Authorization: Bearer short", "short"),
        (f"token={TOKEN[:20]} was cut off", TOKEN[:20]),
        (f"Cookie: theme=dark; ligan_session={COOKIE}; x=1", COOKIE),
        (set_cookie(COOKIE, secure=True), COOKIE),
        (f"cannot open {COOKIE!r}", COOKIE),
        (f"session {SESSION} is gone", SESSION),
        (f"X-Ligan-Frontend: {FRONTEND}", FRONTEND),
        (f"UNIQUE failed: {KEY}", KEY),
        (f"stdin was {BOOTSTRAP}\nand more", TOKEN),
        (f"stdin was {BOOTSTRAP}\nand more", "daemon_url"),
        (f"stdin was {BOOTSTRAP}\nand more", "protocol"),
        (f"stdin was {BOOTSTRAP[:-40]}", TOKEN),
        (f"stdin was {BOOTSTRAP.partition('safetensors')[0]}", "weights_files"),
        (f"X-SLURM-USER-TOKEN: {JWT}", JWT),
        (Authority.new(0).pem.decode(), "PRIVATE KEY"),
        (Authority.new(0).pem.decode()[:-40].replace("\n", "\\n"), "PRIVATE KEY"),
        ("postgresql+psycopg://ligan:hunter2@db/ligan", "hunter2"),
        (f"[SQL: INSERT]\n[parameters: ('{KEY}', 'Alice [1]', '{{}}')]\n(Background", "Alice"),
    ],
    ids=map(str, count()),  # the texts are other ones in each process
)
def test_it_is_taken_out(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in scrub(text)


def test_a_document_that_was_cut_off_shows_no_token() -> None:
    with pytest.raises(ValidationError) as caught:
        Bootstrap.model_validate_json(BOOTSTRAP.replace('"protocol":1', '"protocol":"x"') + "}")
    assert TOKEN[:12] not in scrub(str(caught.value))


def test_what_tells_things_apart_stays() -> None:
    nonce, task = new_id(), new_id("t")
    text = f"backend {nonce}: PENDING -> STARTING; task {task} of 64 images, job 4711, node gpu-01:7023"
    assert scrub(text) == text
    assert scrub(f"of {KEY}") == f"of {session_tag(KEY)}"


def test_tags_tell_sessions_apart_and_give_nothing_away() -> None:
    keys = [new_id("k") for _ in range(1000)]
    tags = {session_tag(key) for key in keys}
    assert len(tags) == len(keys)
    assert not any(key[2:10] in tag for key in keys for tag in tags)
