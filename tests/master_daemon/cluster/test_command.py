from pathlib import Path

import pytest

from master_daemon.cluster.command import CommandError, CommandMissingError, CommandTimeoutError, run
from tests.master_daemon.cluster.jobs import wait_until


def test_output_and_standard_input() -> None:
    done = run(["sh", "-c", "cat; echo complaint >&2"], stdin="ünï")
    assert (done.stdout, done.stderr) == ("ünï", "complaint\n")


def test_arguments_meet_no_shell() -> None:
    assert run(["echo", "$HOME; exit 1"]).stdout == "$HOME; exit 1\n"


def test_a_bad_end_carries_all_that_is_known() -> None:
    argv = ("sh", "-c", "echo out; echo err >&2; exit 7")
    with pytest.raises(CommandError, match="sh: exit status 7: err") as caught:
        run(argv)
    error = caught.value
    assert (error.argv, error.code, error.stdout, error.stderr) == (argv, 7, "out\n", "err\n")


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(CommandMissingError, match="no-such-command: cannot be started"):
        run(["no-such-command"])


def test_a_time_out_kills_the_whole_group(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(CommandTimeoutError) as caught:
        run(["sh", "-c", f"echo begun; sleep 600 & echo $! > {pid_file}; wait"], timeout_s=1)
    assert caught.value.code is None
    assert caught.value.stdout == "begun\n"
    stat = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    wait_until(
        "the grandchild's end", lambda: not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
    )


def test_a_command_that_does_not_read_its_input() -> None:
    assert run(["true"], stdin="x" * 1_000_000).stdout == ""


def test_output_that_is_no_text_is_not_fatal() -> None:
    assert run(["printf", r"a\377b"]).stdout == "a\ufffdb"


def test_secrets_and_slurm_settings_of_the_daemon_stay_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIGAN_SECRET", "SQUEUE_FORMAT", "SBATCH_PARTITION", "SLURM_TIME_FORMAT"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("SLURM_CONF", "/elsewhere/slurm.conf")
    environment = run(["env"]).stdout
    assert "s3cret" not in environment
    assert "SLURM_CONF=/elsewhere/slurm.conf" in environment


def test_a_daemon_whose_working_folder_is_gone_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an upgrade that replaced the folder it was started in: sbatch and srun ask for it, and end without."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert run(("/bin/pwd",)).stdout == "/\n"
