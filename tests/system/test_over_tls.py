"""The main job with TLS between all parts, on real processes: a photo, a backend, 16 faces."""

from __future__ import annotations

from pathlib import Path

from ligan.page import Page
from ligan.wire.image import FaceState
from ligan.wire.task import TaskState
from tests.system.running import ligan_up


def test_a_photo_becomes_a_page_of_sixteen_faces(tmp_path: Path, photo: bytes) -> None:
    site = tmp_path / "site.toml"
    site.write_text('[tls]\nbetween_parts = "always"\n')
    with ligan_up(tmp_path / "state", "--config", str(site)) as system:
        page = Page(system.url)
        page.wait_ready()
        upload = page.upload(photo)
        assert upload.face.state is FaceState.FOUND
        task = page.wait_task(page.submit("similar", image=upload.image_id))
        assert task.state is TaskState.DONE
        assert task.result is not None
        assert len({page.image(image.image_id) for image in task.result.images}) == 16
        secrets = ("PRIVATE KEY", (tmp_path / "state" / "authority.pem").read_text().splitlines()[-3])
        logs = [path.read_text(errors="replace") for path in (tmp_path / "state" / "jobs").glob("*/log")]
        assert len(logs) == 2
        assert not [log for log in logs for secret in secrets if secret in log]
        assert not list((tmp_path / "state" / "jobs").glob("*/stdin")), "nothing is left of what jobs were given"
    assert system.process.returncode == 0
