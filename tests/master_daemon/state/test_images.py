"""Images and artifacts: another session's do not exist, and bytes are what their name says (promise 8)."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from ligan.problem import Problem
from ligan.wire.image import Origin
from master_daemon.state import images
from master_daemon.state.artifacts import Artifacts
from master_daemon.state.database import Database
from tests.master_daemon.state.rows import NOW, new_session

SHA = "ab" * 32


def test_another_sessions_image_does_not_exist(database: Database) -> None:
    (_, mine), (_, other) = new_session(database), new_session(database)
    with database.write() as transaction:
        image_id = images.add(transaction, mine, SHA, (10, 20), Origin.UPLOAD, NOW, face=2)
    with database.read() as connection:
        found = images.ref(connection, mine, image_id)
        assert (found.sha256, found.origin, found.face) == (SHA, Origin.UPLOAD, 2)
        assert images.owns_artifact(connection, mine, SHA)
        assert not images.owns_artifact(connection, other, SHA)
        for key, name in ((other, image_id), (mine, "i-" + "0" * 22), (mine, "%"), ("", image_id)):
            with pytest.raises(Problem) as raised:
                images.ref(connection, key, name)
            assert raised.value.slug == "unknown-image"


def test_one_photo_in_two_sessions_is_each_ones_own(database: Database) -> None:
    (_, one), (_, two) = new_session(database), new_session(database)
    with database.write() as transaction:
        first = images.add(transaction, one, SHA, (1, 1), Origin.UPLOAD, NOW)
        images.add(transaction, two, SHA, (1, 1), Origin.UPLOAD, NOW)
        images.remove(transaction, first)
    with database.read() as connection:
        assert not images.owns_artifact(connection, one, SHA)
        assert images.owns_artifact(connection, two, SHA)


def test_bytes_are_kept_under_their_hash(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    body = b"a photo"
    sha256 = hashlib.sha256(body).hexdigest()
    assert not artifacts.has(sha256)
    artifacts.put(sha256, body)
    artifacts.put(sha256, body)
    assert artifacts.path(sha256).read_bytes() == body
    assert artifacts.has(sha256)
    files = [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]
    assert files == [artifacts.path(sha256)], "no temporary file is left"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "artifacts", *files, files[0].parent)]
    assert modes == [0o700, 0o600, 0o700]


@pytest.mark.parametrize("body", [b"", b"other", b"a photo\0"])
def test_bytes_of_another_hash_are_refused(tmp_path: Path, body: bytes) -> None:
    artifacts = Artifacts(tmp_path)
    sha256 = hashlib.sha256(b"a photo").hexdigest()
    with pytest.raises(Problem) as raised:
        artifacts.put(sha256, body)
    assert raised.value.slug == "malformed-request"
    assert list(tmp_path.rglob("*")) == []
