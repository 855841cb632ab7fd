"""The main job with PostgreSQL as database: over the daemon's sudden death, and over backup and restore into SQLite."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from ligan.page import Page
from ligan.wire.notice import Notices
from ligan.wire.task import Task, TaskState
from ligan.wire.usage import Usage
from tests.ligan.stub import wait_until
from tests.ligan_command import said
from tests.port import free_port
from tests.system.running import ligan_up


def generate(page: Page, image_id: str, number: int) -> Task:
    """Sixteen faces like that of the photo."""
    done = page.wait_task(page.submit("similar", image=image_id, page=number, count=16, seed=1))
    assert done.state is TaskState.DONE
    return done


def images(page: Page, task: Task) -> list[bytes]:
    assert task.result is not None
    return [page.image(one.image_id) for one in task.result.images]


def test_the_main_job_from_the_photo_to_the_restored_results(tmp_path: Path, postgresql_url: str, photo: bytes) -> None:
    site, state = tmp_path / "site.toml", tmp_path / "state"
    port = str(free_port())  # the same for each daemon: a cookie belongs to it
    site.write_text(f'[daemon]\ndatabase = "{postgresql_url}"\n')
    with ligan_up(state, "--config", str(site), "--port", port) as system:
        page = Page(system.url)
        page.wait_ready()
        image_id = page.upload(photo).image_id
        first = generate(page, image_id, 1)
        faces = images(page, first)
        said("announce", "On PostgreSQL.", "--state-dir", state)
        os.kill(system.process.pid, signal.SIGKILL)
        system.process.wait(20)
    assert not (state / "ligan.sqlite").exists()

    with ligan_up(state, "--config", str(site), "--port", port) as system:
        wait_until(lambda: page.http.get(system.url, timeout=30).status_code == 200, "the next web server")
        assert images(page, page.task(first.task_id)) == faces
        page.wait_ready()
        second = generate(page, image_id, 2)
        assert not set(images(page, second)) & set(faces)
        used = Usage.model_validate_json(said("usage", "--json", "--state-dir", state))
        assert [(one.name, one.gpu_hours > 0) for one in used.users] == [("127.0.0.1", True)]
        said("backup", tmp_path / "backup.tar", "--state-dir", state, "--config", site)

    restored = tmp_path / "restored"
    said("restore", tmp_path / "backup.tar", "--state-dir", restored)
    with ligan_up(restored, "--port", port) as system:
        wait_until(lambda: page.http.get(system.url, timeout=30).status_code == 200, "the restored web server")
        assert images(page, page.task(first.task_id)) == faces
        told = Notices.model_validate_json(page.get("/notices").content)
        assert told.announcement is not None
        again = Usage.model_validate_json(said("usage", "--json", "--state-dir", restored))
        assert again.gpu_hours >= used.gpu_hours
        page.http.delete(f"{page.url}/api/v1/session", timeout=30).raise_for_status()
    page.http.close()
