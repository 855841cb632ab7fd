"""The images for real: what is in them, what they see of their node, and how signals and exit codes pass through."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ligan import __version__
from ligan.settings import Settings
from ligan.wire.task import TaskAccepted
from master_daemon.cluster.container import python_argv
from tests.backend_container.builders import order
from tests.backend_container.stub_daemon import StubDaemon
from tests.images_fixture import ROOT, USER, Images, ordinary
from tests.ligan.stub import wait_until

pytestmark = pytest.mark.timeout(600)  # the first of them builds the images


def argv(images: Images, role: str, **container: Any) -> list[str]:
    """The role's Python as the daemon has it run."""
    site = Settings.model_validate({"container": {**images.container, **container}})
    return list(python_argv(site, role, site.frontend if role == "frontend" else site.backend))


def call(*words: str, said: str = "", timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `words` to their end as an ordinary user, with `said` on standard input."""
    options = ordinary(**environment)
    return subprocess.run(words, input=said, capture_output=True, text=True, timeout=timeout, **options)


def run(images: Images, role: str, program: str) -> Any:
    """What a Python program prints as JSON, run in the role's container."""
    done = call(*argv(images, role), "-c", program)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("role", ["frontend", "backend"])
def test_an_image_passes_its_own_test_as_an_ordinary_user(images: Images, role: str) -> None:
    image = images.folder / f"{role}.sif"
    done = call("apptainer", "--quiet", "test", "--contain", "--no-home", str(image), timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"self-test: {role}: " in done.stdout


@pytest.mark.parametrize("role", ["frontend", "backend"])
def test_an_image_says_which_ligan_it_holds(images: Images, role: str) -> None:
    said = call("apptainer", "inspect", "--labels", str(images.folder / f"{role}.sif")).stdout
    assert f"org.opencontainers.image.version: {__version__}\n" in said


_INSTALLED = """
import json
from importlib.metadata import distributions
print(json.dumps({found.name.lower().replace("_", "-"): found.version for found in distributions()}))
"""


@pytest.mark.parametrize(("role", "others"), [("frontend", "backend_container"), ("backend", "frontend_server")])
def test_an_image_holds_what_its_server_needs_in_pinned_versions(images: Images, role: str, others: str) -> None:
    files = (ROOT / "constraints.txt", ROOT / "singularity" / "constraints.txt")
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", "\n".join(file.read_text() for file in files), re.MULTILINE))
    installed = run(images, role, _INSTALLED)
    assert installed.pop("ligan")
    assert installed == {name: pins.get(name) for name in installed}, "scripts/build-images --pin writes new pins"
    absent = {"torch", "scikit-learn", "sqlalchemy", "paramiko"}
    assert not absent & installed.keys()
    found = "import json; from importlib.util import find_spec; print(json.dumps(bool(find_spec('NAME'))))"
    assert [run(images, role, found.replace("NAME", name)) for name in (others, "master_daemon")] == [False, False]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a folder in /")
def test_a_folder_that_came_after_apptainer_is_seen(images: Images) -> None:
    with tempfile.TemporaryDirectory(dir="/") as folder:
        Path(folder).chmod(0o755)
        Path(folder, "note").write_text("here")
        words = ["apptainer", "--silent", "exec", "--bind", folder, str(images.frontend), "cat", f"{folder}/note"]
        for user in ("root", USER):
            done = subprocess.run(words, capture_output=True, text=True, cwd=folder, user=user)
            assert done.stdout == "here", done.stderr


def test_the_images_are_small(images: Images) -> None:
    assert images.frontend.stat().st_size < 120 * 2**20
    assert images.backend.stat().st_size < 160 * 2**20


_COMPILED = """
import frontend_server.frontend, json, sys
flags = {}
for name, module in list(sys.modules.items()):
    cached = getattr(getattr(module, "__spec__", None), "cached", None)
    if cached and cached.endswith(".pyc"):
        with open(cached, "rb") as file:
            flags[name] = int.from_bytes(file.read(8)[4:], "little")
print(json.dumps(flags))
"""


def test_all_is_compiled_and_no_import_looks_at_a_files_time(images: Images) -> None:
    flags = run(images, "frontend", _COMPILED)
    assert len(flags) > 200
    unchecked = 0b01  # PEP 552
    assert {name for name, flag in flags.items() if flag != unchecked} == set()


_LOOK = """
import json, os, sys
from pathlib import Path
def may_write(place):
    try:
        Path(place, "probe").write_text("x")
    except OSError:
        return False
    return True
print(json.dumps({
    "user": os.getuid(), "pid": os.getpid(), "cwd": os.getcwd(), "stdin": sys.stdin.read(),
    "seen": [place for place in sys.argv[1:] if os.path.exists(place)],
    "home": os.path.ismount(os.path.expanduser("~")),
    "root": may_write("/") or may_write("/opt/ligan") or may_write("/etc"), "tmp": may_write("/tmp"),
    "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
}))
"""


def test_a_job_is_its_user_and_sees_nothing_of_its_node(images: Images, tmp_path: Path) -> None:
    (tmp_path / "bound").mkdir()
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    command = argv(images, "backend", binds=[f"{tmp_path}/bound:/bound:ro"])
    places = [str(ROOT), str(tmp_path), "/var/lib/apptainer", "/bound", "/opt/ligan"]
    done = call(*command, "-c", _LOOK, *places, said="the document", CUDA_VISIBLE_DEVICES="1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = int(subprocess.check_output(["id", "-u", USER])) if os.geteuid() == 0 else os.geteuid()
    assert (found["user"], found["cwd"], found["stdin"]) == (expected, "/", "the document")
    assert set(found["seen"]) == {"/bound", "/opt/ligan"}
    assert (found["home"], found["root"], found["tmp"]) == (False, False, True)
    assert found["pid"] < 100, "it does not see the node's processes"
    assert found["gpu"] == "1", "Slurm says by the environment which GPU is the job's"


@pytest.mark.parametrize("code", [0, 5])
def test_exit_codes_are_kept(images: Images, code: int) -> None:
    assert call(*argv(images, "backend"), "-c", f"raise SystemExit({code})").returncode == code


@pytest.fixture
def daemon() -> Iterator[StubDaemon]:
    made = StubDaemon()
    yield made
    made.server.close()


@pytest.fixture
def start(images: Images, daemon: StubDaemon, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a backend in its container; the process returned is Apptainer, as a job script's `exec` makes it."""
    running = []
    log = (tmp_path / "log").open("wb")

    def begin() -> subprocess.Popen[bytes]:
        command = [*argv(images, "backend"), "-m", "backend_container"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, stdout=log, **ordinary())
        running.append(process)
        process.stdin.write(daemon.bootstrap(engine="fake").model_dump_json().encode())
        process.stdin.close()
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait(20)
    log.close()


def apptainer_of(process: subprocess.Popen[bytes]) -> int:
    """Every word before it is replaced by `exec`, so it is the very process that was started."""
    assert "apptainer" in Path(f"/proc/{process.pid}/cmdline").read_text().lower()
    return process.pid


def test_a_signal_to_the_job_reaches_the_backend_in_the_middle_of_a_task(
    daemon: StubDaemon, start: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    process = start()
    before = _in_the_middle_of_a_task(daemon)
    os.kill(apptainer_of(process), signal.SIGTERM)
    assert process.wait(30) == 0
    assert len(daemon.named("on-checkpoint")) > before, "it said its last words"
    assert daemon.token not in (tmp_path / "log").read_text()


_NEW_FILES = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("up", flush=True)
signal.sigwait({signal.SIGTERM})
import frontend_server.frontend, sqlite3, wave
print("done", flush=True)
raise SystemExit(7)
"""


def test_a_signal_to_all_processes_leaves_the_images_files_there(images: Images) -> None:
    """As slurmstepd sends it: to Apptainer and to what serves the image's files, too."""
    command = [*argv(images, "frontend"), "-c", _NEW_FILES]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **ordinary()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        _to_all(process, signal.SIGTERM)
        assert process.stdout.read() == b"done\n"
    assert process.returncode == 7


@pytest.mark.parametrize("time", range(3))
def test_a_backend_has_its_last_words_when_all_processes_get_a_signal(
    daemon: StubDaemon, start: Callable[[], subprocess.Popen[bytes]], time: int
) -> None:
    process = start()
    before = _in_the_middle_of_a_task(daemon)
    of_the_job = _to_all(process, signal.SIGTERM)
    # Apptainer's process inside, which is told twice, says 143 where the backend has left before it hands the second on
    assert process.wait(30) in (0, 128 + signal.SIGTERM)
    assert len(daemon.named("on-checkpoint")) > before, "it said its last words"
    wait_until(lambda: not any(map(_alive, of_the_job)), "all of the container ends with it")


def _in_the_middle_of_a_task(daemon: StubDaemon) -> int:
    """How many checkpoints there are: the first comes with the first step, the next ten seconds later or at the end."""
    daemon.wait_for("on-ready")
    daemon.backend.post("/tasks", order("count", steps=400, seconds=0.05), TaskAccepted)
    daemon.wait_for("on-checkpoint")
    wait_until(lambda: any(one["percent"] >= 2 for one in daemon.named("on-progress")), "some steps are done")
    return len(daemon.named("on-checkpoint"))


def _to_all(process: subprocess.Popen[bytes], number: signal.Signals) -> list[int]:
    """Signal the job's processes, as slurmstepd does: one after the other, children after their parents."""
    of_the_job = [process.pid, *_children(process.pid)]
    assert any("squashfuse" in Path(f"/proc/{pid}/comm").read_text() for pid in of_the_job)
    for pid in of_the_job:
        os.kill(pid, number)
    return of_the_job


def test_nothing_outlives_a_job_that_is_killed(
    daemon: StubDaemon, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = start()
    daemon.wait_for("on-ready")
    beats = len(daemon.named("heartbeat"))
    inside = _children(apptainer_of(process))
    assert inside
    process.kill()
    assert process.wait(30) == -signal.SIGKILL
    wait_until(lambda: not any(map(_alive, inside)), "the container's processes end with it")
    assert len(daemon.named("heartbeat")) - beats <= 2


def _children(pid: int) -> list[int]:
    """All processes that come from it, whichever of its threads they were started by."""
    lists = [file.read_text().split() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    found = [int(child) for children in lists for child in children]
    return found + [grandchild for child in found for grandchild in _children(child)]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_every_requirement_of_the_whole_backend_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text() + (ROOT / "singularity" / "constraints.txt").read_text()
    pinned = {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", pins, re.MULTILINE)}
    script = (
        "import sys; sys.argv = ['setup.py', '--name']; import setuptools; setuptools.setup = lambda **known:"
        " print(*known['extras_require']['backend-image'], *known['extras_require']['frontend-image'], sep='\\n');"
        " exec(open('setup.py').read(), {'__file__': 'setup.py', '__name__': '__main__'})"
    )
    listed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {re.split(r"[<>=!~ \[;]", line)[0].lower() for line in listed.split("\n") if line}
    assert {"flask", "torch"} <= names
    assert names - pinned == set(), "scripts/build-images --pin"
