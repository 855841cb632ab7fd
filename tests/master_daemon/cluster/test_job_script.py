"""The batch script. To record the golden file anew after a change that is meant:

LIGAN_RECORD=1 pytest tests/master_daemon/cluster/test_job_script.py
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from master_daemon.cluster.job_script import directive_word, free_delimiter, render_job_script
from master_daemon.cluster.manager import JobRequest, SubmitRefusedError
from master_daemon.cluster.site import SlurmSite

GOLDEN = Path(__file__).parent / "golden" / "job.sh"
SITE = SlurmSite(
    log_dir=Path("/shared/ligan logs"),
    partitions={"backend": "gpu", "frontend": "cpu"},
    gres={"backend": "gpu:1"},
    cpus={"backend": 4},
    memory={"backend": "16G"},
    extra_args={"backend": ("--account=faces", "--comment=GPUs for faces")},
)
AWKWARD = "\n".join(
    ["{", "END_OF_BOOTSTRAP", "END_OF_BOOTSTRAP_", "$(touch /tmp/owned) `id` $HOME \\ \" ' @{name} @@ é", "EOF", "}"]
)


IN_CONTAINER = ("apptainer", "exec", "--nv", "/shared/ligan image.sif", "python3", "-m", "backend_container")


def script(stdin: str = '{"token": "t0ken"}', command: tuple[str, ...] = IN_CONTAINER) -> str:
    request = JobRequest("n0nce", "backend", command, stdin, 3601)
    return render_job_script(request, SITE.log_dir / "n0nce.log", SITE.options("backend"))


def run_with_bash(request: JobRequest) -> str:
    text = render_job_script(request, Path("/dev/null"), ())
    return subprocess.run(["bash"], input=text, capture_output=True, text=True, check=True).stdout


def test_golden_script() -> None:
    if os.environ.get("LIGAN_RECORD"):
        GOLDEN.write_text(script())
    assert script() == GOLDEN.read_text()


def test_a_site_may_name_no_more_than_a_partition() -> None:
    assert SlurmSite(Path("/logs"), {"frontend": "cpu"}).options("frontend") == ("--partition=cpu", "--chdir=/logs")


def test_directives_come_before_the_first_command() -> None:
    lines = script().splitlines()
    directives = [number for number, line in enumerate(lines) if line.startswith("#SBATCH")]
    commands = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
    assert max(directives) < min(commands)


@pytest.mark.parametrize("document", ['{"a": 1}', AWKWARD, "", "END_OF_BOOTSTRAP"])
def test_the_document_arrives_as_it_is(document: str) -> None:
    assert run_with_bash(JobRequest("n", "backend", ("cat",), document, 60)) == document + "\n"


def test_a_line_feed_at_the_end_is_not_doubled() -> None:
    assert run_with_bash(JobRequest("n", "backend", ("cat",), "a\n", 60)) == "a\n"


def test_arguments_arrive_as_they_are() -> None:
    words = ("a b", "$HOME", "`id`", "'", '"', "\\", "@{name}", "é", "")
    assert run_with_bash(JobRequest("n", "backend", ("printf", "%s|", *words), "", 60)) == "".join(
        f"{w}|" for w in words
    )


def test_the_server_replaces_the_shell() -> None:
    """Or Slurm's signals would end the shell and not the server."""
    show_parent = ("sh", "-c", "ps -o comm= -p $PPID")
    plain = subprocess.run(show_parent, capture_output=True, text=True, check=True).stdout
    assert run_with_bash(JobRequest("n", "backend", show_parent, "", 60)) == plain


def test_a_signal_reaches_the_server_and_its_exit_code_is_kept(tmp_path: Path) -> None:
    """As Slurm sends it to the batch shell alone (`--signal=B:`); on a real one in tests/slurm/test_job_on_slurm.py."""
    told = ("sh", "-c", "trap 'exit 7' TERM; cat; while :; do sleep 0.1; done")
    (tmp_path / "job.sh").write_text(render_job_script(JobRequest("n", "backend", told, "up", 60), Path("/logs/n"), ()))
    with subprocess.Popen(["bash", tmp_path / "job.sh"], stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "up\n"
        job.terminate()
        assert job.wait(20) == 7


def test_the_token_stands_in_the_here_document_alone() -> None:
    head, _, rest = script().partition("<<'END_OF_BOOTSTRAP'\n")
    assert "t0ken" not in head
    assert rest == '{"token": "t0ken"}\nEND_OF_BOOTSTRAP\n'


@pytest.mark.parametrize("text", ["", "END_OF_BOOTSTRAP", "xEND_OF_BOOTSTRAP__\nEND_OF_BOOTSTRAP_"])
def test_a_delimiter_that_does_not_occur(text: str) -> None:
    assert free_delimiter(text) not in text


@pytest.mark.parametrize(
    ("stdin", "command"), [("a\0b", ("true",)), ("", ("printf", "a\nb")), ("", ("printf", "a\0b")), ("", ("e\x1b",))]
)
def test_what_a_script_cannot_carry_is_refused(stdin: str, command: tuple[str, ...]) -> None:
    with pytest.raises(SubmitRefusedError, match=r"cannot carry|can carry"):
        script(stdin, command)


@pytest.mark.parametrize("text", ["--a=b", "--a=b c", "it's", 'say "x"', "\\", "x\\' \" --nice=99 #", "# none", "é"])
def test_a_word_of_a_directive_is_one_word_for_sbatch_and_for_a_shell(text: str) -> None:
    """What the real sbatch makes of it is in tests/slurm/test_directives.py."""
    assert shlex.split(directive_word(text), comments=True) == [text]


def test_a_directive_cannot_be_slipped_in_by_a_site_value() -> None:
    request = JobRequest("n", "backend", ("true",), "", 60)
    with pytest.raises(SubmitRefusedError, match="control characters"):
        render_job_script(request, Path("/logs/n"), ("--comment=x\n#SBATCH --uid=0",))
