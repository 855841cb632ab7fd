"""Commands over a real sshd: the same contract as here, and never a "no" for what may have been done."""

import signal
import threading
from pathlib import Path

import pytest

from master_daemon.cluster import sbatch
from master_daemon.cluster import ssh as module
from master_daemon.cluster.command import (
    CommandError,
    CommandLostError,
    CommandMissingError,
    CommandTimeoutError,
    CommandUnreachedError,
    Runner,
    run,
)
from master_daemon.cluster.manager import SubmitUnknownError
from master_daemon.cluster.ssh import SshRunner
from master_daemon.ssh.connection import SshConnection
from tests.ligan.stub import wait_until
from tests.sshd import Sshd


@pytest.fixture
def over_ssh(connection: SshConnection) -> SshRunner:
    return SshRunner(connection)


@pytest.fixture(params=["here", "over_ssh"])
def runner(request: pytest.FixtureRequest) -> Runner:
    """The contract holds for both."""
    return run if request.param == "here" else request.getfixturevalue("over_ssh")


def test_output_and_standard_input(runner: Runner) -> None:
    done = runner(["sh", "-c", "cat; echo complaint >&2"], stdin="ünï")
    assert (done.stdout, done.stderr) == ("ünï", "complaint\n")


@pytest.mark.parametrize("word", ["$HOME; exit 1", "it's", "two\nlines", "*", "", "\\", '"', "!", "~"])
def test_arguments_meet_no_shell(runner: Runner, word: str) -> None:
    assert runner(["printf", "%s", word]).stdout == word


def test_a_bad_end_carries_all_that_is_known(runner: Runner) -> None:
    argv = ("sh", "-c", "echo out; echo err >&2; exit 7")
    with pytest.raises(CommandError, match="sh: exit status 7: err") as caught:
        runner(argv)
    error = caught.value
    assert (error.argv, error.code, error.stdout, error.stderr) == (argv, 7, "out\n", "err\n")


def test_a_command_that_is_not_there(runner: Runner) -> None:
    with pytest.raises(CommandMissingError, match="no-such-command: cannot be started"):
        runner(["no-such-command"])


def test_a_command_that_ends_as_if_it_were_not_there_was_there(runner: Runner) -> None:
    with pytest.raises(CommandError, match="exit status 127") as caught:
        runner(["sh", "-c", "exit 127"])
    assert not isinstance(caught.value, CommandMissingError)


def test_a_time_out_kills_the_whole_group(runner: Runner, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(CommandTimeoutError) as caught:
        runner(["sh", "-c", f"echo begun; sleep 600 & echo $! > {pid_file}; wait"], timeout_s=1)
    assert caught.value.code is None
    assert caught.value.stdout == "begun\n"
    stat = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    wait_until(lambda: not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z", "its end")


def test_a_command_that_does_not_read_its_input(runner: Runner) -> None:
    assert runner(["true"], stdin="x" * 5_000_000).stdout == ""


def test_much_goes_both_ways(runner: Runner) -> None:
    text = "0123456789" * 1_000_000
    assert runner(["cat"], stdin=text).stdout == text


def test_output_that_is_no_text_is_not_fatal(runner: Runner) -> None:
    assert runner(["printf", r"a\377b"]).stdout == "a\ufffdb"


def test_files_are_for_their_user_alone(runner: Runner, tmp_path: Path) -> None:
    runner(["touch", str(tmp_path / "file")])
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_ten_at_once_are_more_than_sshd_takes_and_all_come_through(over_ssh: SshRunner) -> None:
    said: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: said.append(over_ssh(["sh", "-c", f"sleep 0.2; echo {n}"]).stdout.strip()))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said, key=int) == [str(n) for n in range(20)]


def test_output_without_end_is_cut_off(over_ssh: SshRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OUTPUT_LIMIT", 1_000_000)
    with pytest.raises(CommandLostError, match="more than 1000000 bytes"):
        over_ssh(["yes"])


@pytest.fixture
def sshd_with_variables(sshd: Sshd) -> Sshd:
    sshd.stop()
    config = sshd.folder / "config"
    config.write_text(config.read_text().replace("SetEnv ", "SetEnv SLURM_CONF=/there SQUEUE_FORMAT=s3cret "))
    sshd.start()
    return sshd


def test_the_accounts_slurm_settings_stay_out(sshd_with_variables: Sshd) -> None:
    connection = SshConnection(sshd_with_variables.node)
    environment = SshRunner(connection)(["env"]).stdout
    connection.close()
    assert "s3cret" not in environment
    assert "SLURM_CONF=/there\n" in environment
    assert str(sshd_with_variables.programs) in environment.partition("PATH=")[2].splitlines()[0].split(":")


# ---- faults on the way: (what the caller hears, how often sbatch ran)


def counting_sbatch(sshd: Sshd, ending: str) -> Path:
    """An sbatch that leaves a line for each time it was called, and then does `ending`."""
    calls = sshd.folder / "calls"
    sshd.program("sbatch", f"cat >/dev/null; echo called >>{calls}; {ending}")
    return calls


def in_background(runner: Runner) -> tuple[threading.Thread, list[CommandError]]:
    heard: list[CommandError] = []

    def submit() -> None:
        try:
            runner(sbatch.ARGV, stdin="#!/bin/sh\n")
        except CommandError as error:
            heard.append(error)

    thread = threading.Thread(target=submit)
    thread.start()
    return thread, heard


def test_a_line_cut_while_sbatch_runs_is_dont_know_and_nothing_is_sent_twice(sshd: Sshd, over_ssh: SshRunner) -> None:
    calls = counting_sbatch(sshd, "sleep 60; echo 4711")
    thread, heard = in_background(over_ssh)
    wait_until(calls.exists, "sbatch's start")
    sshd.cut()
    thread.join(10)
    assert isinstance(heard[0], CommandLostError)
    assert isinstance(sbatch.verdict(heard[0]), SubmitUnknownError)
    sshd.program("sbatch", f"echo called >>{calls}; echo 4712")
    assert over_ssh(["cat", str(calls)]).stdout == "called\n", "the new line must not repeat what the old one sent"


def test_an_sshd_that_hangs_before_the_command_is_unreached_and_the_command_never_comes(
    sshd: Sshd, connection: SshConnection, over_ssh: SshRunner
) -> None:
    calls = counting_sbatch(sshd, "echo 4711")
    connection.transport()
    sshd.signal(signal.SIGSTOP)
    with pytest.raises(CommandUnreachedError) as caught:
        over_ssh(sbatch.ARGV, timeout_s=1)
    assert isinstance(sbatch.verdict(caught.value), SubmitUnknownError)
    sshd.signal(signal.SIGCONT)
    assert over_ssh(["echo", "on"]).stdout == "on\n"
    assert not calls.exists(), "what was given up before it was sent must not be sent later"


def test_an_sshd_that_hangs_while_the_command_runs_is_dont_know(sshd: Sshd, over_ssh: SshRunner) -> None:
    calls = counting_sbatch(sshd, "sleep 2; echo 4711")
    thread, heard = in_background(lambda argv, stdin: over_ssh(argv, stdin, timeout_s=3))  # type: ignore[arg-type]
    wait_until(calls.exists, "sbatch's start")
    sshd.signal(signal.SIGSTOP)
    thread.join(10)
    sshd.signal(signal.SIGCONT)
    assert isinstance(heard[0], CommandTimeoutError)
    assert isinstance(sbatch.verdict(heard[0]), SubmitUnknownError)
    assert calls.read_text() == "called\n"


def test_a_login_node_that_is_down_is_unreached_and_no_refusal(sshd: Sshd, over_ssh: SshRunner) -> None:
    sshd.stop()
    with pytest.raises(CommandUnreachedError, match=r"sbatch: not begun: .*cannot be reached") as caught:
        over_ssh(sbatch.ARGV)
    assert isinstance(sbatch.verdict(caught.value), SubmitUnknownError)


def test_after_a_restart_of_sshd_commands_run_again(sshd: Sshd, over_ssh: SshRunner) -> None:
    assert over_ssh(["echo", "1"]).stdout == "1\n"
    sshd.stop()
    sshd.start()
    wait_until(lambda: _answers(over_ssh), "an answer over a new line")


def _answers(runner: Runner) -> bool:
    try:
        return runner(["echo", "2"]).stdout == "2\n"
    except CommandUnreachedError:
        return False
