"""The local manager's own: slots, the queue, jobs that outlive the daemon. The rest is in test_contract.py."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from master_daemon.cluster import local
from master_daemon.cluster.local import LISTED_S, PIPE_CAPACITY, LocalManager
from master_daemon.cluster.local_job import JobFolder, LocalJob
from master_daemon.cluster.manager import JobPhase, JobRequest, SubmitRefusedError
from master_daemon.cluster.process import Process, boot_id, identify
from tests.master_daemon.cluster.jobs import ECHO, STAY, request, status, wait_for, wait_until

GRACE_S = 0.5
STUBBORN = ("bash", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")


def open_manager(state_dir: Path, slots: int = 1) -> LocalManager:
    return LocalManager(state_dir, {"backend": slots}, grace_s=GRACE_S)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[LocalManager]:
    manager = open_manager(tmp_path)
    yield manager
    manager.cancel_all()


def job_file(state_dir: Path, job: JobRequest, name: str = "job.json") -> Path:
    return state_dir / "jobs" / job.nonce / name


def process_of(state_dir: Path, job: JobRequest) -> Process:
    return Process(**json.loads(job_file(state_dir, job).read_text())["process"])


def submit_from_another_daemon(state_dir: Path, *jobs: JobRequest) -> None:
    """A daemon that submits and is gone: the jobs are no children of this process."""
    code = f"""
from pathlib import Path
from master_daemon.cluster.local import LocalManager
from master_daemon.cluster.manager import JobRequest
manager = LocalManager(Path({str(state_dir)!r}), dict(backend=1), grace_s={GRACE_S})
for job in {[asdict(job) for job in jobs]!r}:
    manager.submit(JobRequest(**job))
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(local.__file__).parents[2])


# ---- slots and queue


def test_jobs_start_in_the_order_of_submission_when_a_slot_is_free(manager: LocalManager) -> None:
    jobs = [request(STAY) for _ in range(3)]
    for job in jobs:
        manager.submit(job)
    for running, *waiting in (jobs[0:], jobs[1:], jobs[2:]):
        wait_for(manager, running.nonce, JobPhase.RUNNING)
        listing = manager.listing() or {}
        assert [(listing[job.nonce].state, listing[job.nonce].reason) for job in waiting] == [
            ("PENDING", "Resources") for _ in waiting
        ]
        assert manager.cancel(running.nonce)


def test_roles_do_not_share_slots(tmp_path: Path) -> None:
    manager = LocalManager(tmp_path, {"backend": 1, "frontend": 1}, grace_s=GRACE_S)
    for role in ("backend", "frontend"):
        manager.submit(request(STAY, role=role))
    assert {job.phase for job in (manager.listing() or {}).values()} == {JobPhase.RUNNING}
    manager.cancel_all()


def test_a_waiting_job_is_cancelled_without_ever_starting(manager: LocalManager, tmp_path: Path) -> None:
    first, second = request(STAY), request(STAY)
    manager.submit(first)
    manager.submit(second)
    assert manager.cancel(second.nonce)
    cancelled = status(manager, second.nonce)
    assert cancelled is not None
    assert cancelled.state == "CANCELLED"
    assert not job_file(tmp_path, second, "log").exists()
    assert not job_file(tmp_path, second, "stdin").exists()


def test_slots_hold_when_many_threads_submit_and_list(tmp_path: Path) -> None:
    manager = open_manager(tmp_path, slots=2)
    running: list[int] = []

    def use() -> None:
        for _ in range(3):
            manager.submit(request(("true",)))
            running.append(sum(job.phase is JobPhase.RUNNING for job in (manager.listing() or {}).values()))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = wait_until(
        "the end of all jobs",
        lambda: (
            (jobs := manager.listing() or {}) and all(job.phase is JobPhase.ENDED for job in jobs.values()) and jobs
        ),
    )
    assert len(ended) == 24
    assert {job.state for job in ended.values()} == {"COMPLETED"}
    assert max(running) <= 2


@pytest.mark.parametrize(
    ("job", "why"),
    [
        (request(role="painter"), "no slots for the role 'painter'; roles with slots: backend"),
        (request(()), "needs a command"),
        (request(time_limit_s=0), "at least a second"),
        (request(stdin="x" * (PIPE_CAPACITY + 1)), "longer than 65536 bytes"),
    ],
)
def test_what_cannot_run_is_refused(manager: LocalManager, job: JobRequest, why: str) -> None:
    with pytest.raises(SubmitRefusedError, match=why):
        manager.submit(job)
    assert manager.listing() == {}


def test_a_nonce_is_submitted_once(manager: LocalManager) -> None:
    job = request(STAY)
    manager.submit(job)
    with pytest.raises(SubmitRefusedError, match="was submitted before"):
        manager.submit(job)


# ---- ends


def test_a_job_that_ignores_its_cancel_is_killed_after_the_grace(manager: LocalManager) -> None:
    job = request(STUBBORN)
    manager.submit(job)
    wait_until("its start", lambda: manager.read_log(job.nonce) == "ready\n")
    manager.cancel(job.nonce)
    assert wait_for(manager, job.nonce, JobPhase.ENDED).state == "CANCELLED"


def test_a_job_that_ignores_its_time_limit_is_killed_after_the_grace(manager: LocalManager) -> None:
    job = request(STUBBORN, time_limit_s=1)
    manager.submit(job)
    assert wait_for(manager, job.nonce, JobPhase.ENDED).state == "TIMEOUT"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("sh", "-c", "exit 3"), "exit code 3"),
        (("sh", "-c", "kill -SEGV $$"), "killed by SIGSEGV"),
        (("no-such-command",), "exit code 127: the command was not found"),
        (("/dev/null",), "exit code 126: the command cannot be executed"),
        (("sh", "-c", "exit 124"), "exit code 124"),
    ],
)
def test_a_bad_end_says_why(manager: LocalManager, command: tuple[str, ...], reason: str) -> None:
    job = request(command)
    manager.submit(job)
    ended = wait_for(manager, job.nonce, JobPhase.ENDED)
    assert (ended.state, ended.reason) == ("FAILED", reason)


def test_what_a_job_leaves_behind_ends_with_it(manager: LocalManager) -> None:
    job = request(("bash", "-c", "trap '' TERM; sleep 600 & echo $!"))
    manager.submit(job)
    wait_for(manager, job.nonce, JobPhase.ENDED)
    left = Path("/proc") / manager.read_log(job.nonce).strip() / "stat"
    wait_until("the end of the process left behind", lambda: not left.exists() or ") Z " in left.read_text())


def test_no_zombie_stays(manager: LocalManager, tmp_path: Path) -> None:
    job = request(("true",))
    manager.submit(job)
    wait_for(manager, job.nonce, JobPhase.ENDED)
    with pytest.raises(ProcessLookupError):
        identify(process_of(tmp_path, job).pid)


def test_a_clean_stop_ends_every_job_and_starts_none(manager: LocalManager, tmp_path: Path) -> None:
    running, waiting = request(STAY), [request(ECHO) for _ in range(20)]
    for job in (running, *waiting):
        manager.submit(job)
    manager.cancel_all()
    assert {job.state for job in (manager.listing() or {}).values()} == {"CANCELLED"}
    assert not process_of(tmp_path, running).is_alive()
    assert [job for job in waiting if job_file(tmp_path, job, "log").exists()] == []


def test_a_clean_stop_waits_for_a_stubborn_job_no_longer_than_the_grace(manager: LocalManager, tmp_path: Path) -> None:
    job = request(STUBBORN)
    manager.submit(job)
    wait_until("its start", lambda: manager.read_log(job.nonce) == "ready\n")
    manager.cancel_all()
    assert not process_of(tmp_path, job).is_alive()


def test_ended_jobs_are_listed_for_a_while_and_their_logs_kept_longer(
    manager: LocalManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = request(ECHO, stdin="words")
    manager.submit(job)
    wait_for(manager, job.nonce, JobPhase.ENDED)
    monkeypatch.setattr(local, "LISTED_S", 0.0)
    assert manager.listing() == {}
    assert manager.read_log(job.nonce) == "words"
    monkeypatch.setattr(local, "KEPT_S", 0.0)
    assert manager.listing() == {}
    assert not job_file(tmp_path, job).parent.exists()
    assert LISTED_S > 0


# ---- a restart of the daemon


def test_a_job_outlives_its_daemon_and_is_found_again(tmp_path: Path) -> None:
    job = request(STAY)
    submit_from_another_daemon(tmp_path, job)
    manager = open_manager(tmp_path)
    found = status(manager, job.nonce)
    assert found is not None
    assert (found.phase, found.job_id) == (JobPhase.RUNNING, job.nonce)
    assert found.remaining_s is not None
    process = process_of(tmp_path, job)
    assert process.is_alive()
    assert manager.cancel(job.nonce)
    assert wait_for(manager, job.nonce, JobPhase.ENDED).state == "CANCELLED"
    assert not process.is_alive()


def test_the_time_limit_holds_without_a_daemon(tmp_path: Path) -> None:
    job = request(STUBBORN, time_limit_s=1)
    submit_from_another_daemon(tmp_path, job)
    process = process_of(tmp_path, job)
    wait_until("its end", lambda: not process.is_alive())
    ended = status(open_manager(tmp_path), job.nonce)
    assert ended is not None
    assert (ended.state, ended.reason) == ("FAILED", "exit code not known: it ended while no daemon watched")


def test_waiting_jobs_outlive_their_daemon_with_their_documents(tmp_path: Path) -> None:
    first, second = request(STAY), request(ECHO, stdin='{"token": "t0ken"}')
    submit_from_another_daemon(tmp_path, first, second)
    manager = open_manager(tmp_path)
    waiting = status(manager, second.nonce)
    assert waiting is not None
    assert waiting.phase is JobPhase.PENDING
    manager.cancel(first.nonce)
    wait_for(manager, second.nonce, JobPhase.ENDED)
    assert manager.read_log(second.nonce) == second.stdin


@pytest.mark.parametrize("stranger", [{"started": 1}, {"boot": "another boot"}])
def test_a_stranger_with_the_number_of_our_job_is_left_alone(tmp_path: Path, stranger: dict[str, object]) -> None:
    innocent = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        remembered = Process(**{**asdict(identify(innocent.pid)), **stranger})
        job = LocalJob("old", "backend", STAY, 600, 0, state="RUNNING", process=remembered)
        JobFolder(tmp_path / "jobs", "old").create(job, "")
        manager = open_manager(tmp_path)
        manager.cancel("old")
        manager.cancel_all()
        ended = status(manager, "old")
        assert ended is not None
        assert ended.phase is JobPhase.ENDED
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_a_submit_cut_short_is_forgotten(tmp_path: Path) -> None:
    cut = tmp_path / "jobs" / "cut"
    cut.mkdir(parents=True)
    (cut / "stdin").write_text("{}")
    assert open_manager(tmp_path).listing() == {}
    assert not cut.exists()


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "jobs" / "broken" / "job.json"
    broken.parent.mkdir(parents=True)
    broken.write_text('{"nonce": "broken"')
    with pytest.raises(ValueError, match=r"broken/job.json is damaged .* remove the folder"):
        open_manager(tmp_path)


def test_a_start_that_cannot_be_kept_leaves_no_process_and_happens_later(
    manager: LocalManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk: a process nobody remembers would be started again after a restart."""
    save = JobFolder.save

    def full_disk(folder: JobFolder, job: LocalJob) -> None:
        if job.process:
            started.append(job.process)
            raise OSError(28, "No space left on device")
        save(folder, job)

    started: list[Process] = []
    job = request(ECHO, stdin="words")
    with monkeypatch.context() as patch:
        patch.setattr(JobFolder, "save", full_disk)
        manager.submit(job)
        assert manager.listing() is None
    assert started
    assert not any(process.is_alive() for process in started)
    wait_for(manager, job.nonce, JobPhase.ENDED)
    assert manager.read_log(job.nonce) == "words"


def test_a_submit_that_cannot_be_kept_is_refused(manager: LocalManager, tmp_path: Path, monkeypatch) -> None:
    def full_disk(folder: JobFolder, job: LocalJob) -> None:
        raise OSError(28, "No space left on device")

    job = request()
    monkeypatch.setattr(JobFolder, "save", full_disk)
    with pytest.raises(SubmitRefusedError, match="No space left"):
        manager.submit(job)
    assert not job_file(tmp_path, job).parent.exists()


# ---- secrets


def test_folders_and_files_are_for_the_user_alone_and_the_document_goes_when_the_job_starts(
    manager: LocalManager, tmp_path: Path
) -> None:
    first, second = request(STAY), request(STAY)
    old = os.umask(0)
    try:
        manager.submit(first)
        manager.submit(second)
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "jobs").rglob("*")}
    assert modes == {first.nonce: 0o700, second.nonce: 0o700, "job.json": 0o600, "log": 0o600, "stdin": 0o600}
    assert not job_file(tmp_path, first, "stdin").exists()
    assert job_file(tmp_path, second, "stdin").exists()


# ---- processes


def test_a_process_is_itself_only_with_its_start_and_boot() -> None:
    ours = identify(os.getpid())
    assert ours.is_alive()
    assert ours.age_s > 0
    assert not Process(ours.pid, ours.started + 1, ours.boot).is_alive()
    assert not Process(ours.pid, ours.started, "another boot").is_alive()
    assert ours.boot == boot_id()


def test_a_command_name_with_brackets_is_read_right(tmp_path: Path) -> None:
    odd = tmp_path / "a) R 1 (b"
    odd.symlink_to("/bin/sleep")
    sleeper = subprocess.Popen([odd, "600"])
    try:
        wait_until("its name", lambda: "a) R" in Path(f"/proc/{sleeper.pid}/stat").read_text())
        process = identify(sleeper.pid)
        assert process.is_alive()
        process.signal(signal.SIGKILL)
        wait_until("its end", lambda: not process.is_alive())
    finally:
        sleeper.kill()
        sleeper.wait()
