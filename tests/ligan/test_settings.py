"""The site file: every error says where and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from ligan.settings import Settings, SettingsError, load_settings


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site.toml"


def error_of(site: Path, text: str) -> str:
    site.write_text(text)
    with pytest.raises(SettingsError) as raised:
        load_settings(site)
    return str(raised.value)


def test_without_a_file_every_setting_has_its_default() -> None:
    settings = load_settings(None)
    assert settings == Settings()
    assert (settings.daemon.port, settings.daemon.resource_manager) == (7022, "local")
    assert settings.frontend.time_limit == 7 * 24 * 3600


def test_an_empty_file_is_all_defaults(site: Path) -> None:
    site.touch()
    assert load_settings(site) == Settings()


def test_a_whole_file(site: Path) -> None:
    site.write_text(
        """
        [daemon]
        host = "0.0.0.0"
        port = 0
        resource_manager = "slurm_cli"
        [backend]
        time_limit = "1-02:03:04"
        gres = "gpu:1"
        account = "ä"
        sbatch = ["--comment=ä", "--exclude=x"]
        [frontend]
        time_limit = 90
        """,
        encoding="utf-8",
    )
    settings = load_settings(site)
    assert settings.daemon.resource_manager == "slurm_cli"
    assert settings.backend.time_limit == ((24 + 2) * 60 + 3) * 60 + 4
    assert settings.backend.sbatch == ("--comment=ä", "--exclude=x")
    assert settings.backend.account == "ä"
    assert settings.backend.slots == Settings().backend.slots
    assert settings.frontend.time_limit == 90


@pytest.mark.parametrize(
    ("text", "seconds"),
    [('"00:01:00"', 60), ('"1:00:00"', 3600), ('"7-00:00:00"', 604800), ("61", 61), ('"0-0:02:05"', 125), ('"90"', 90)],
)
def test_durations(site: Path, text: str, seconds: int) -> None:
    site.write_text(f"[backend]\ntime_limit = {text}\n")
    assert load_settings(site).backend.time_limit == seconds


@pytest.mark.parametrize(
    "text",
    ['"tomorrow"', '"1:00"', '"1h"', '""', "59", '"00:00:59"', "-1", "true", "60.5", "nan", "[]"],
)
def test_durations_that_are_none(site: Path, text: str) -> None:
    assert "backend.time_limit:" in error_of(site, f"[backend]\ntime_limit = {text}\n")


@pytest.mark.parametrize("section", ["frontend", "backend"])
@pytest.mark.parametrize("key", ["slots", "cpus"])
def test_numbers_that_must_be_positive(site: Path, section: str, key: str) -> None:
    assert f"{section}.{key}: Input should be greater than" in error_of(site, f"[{section}]\n{key} = 0\n")


def test_a_duration_in_words_is_told_the_form(site: Path) -> None:
    assert "write [days-]HH:MM:SS" in error_of(site, '[backend]\ntime_limit = "tomorrow"\n')


def test_an_unknown_key_lists_all_that_are_valid(site: Path) -> None:
    text = error_of(site, "[backend]\ntimelimit = 60\n")
    assert f"{site}:" in text
    assert "backend.timelimit: no such setting; did you mean time_limit? valid here: account, constraint, cpus" in text
    assert "time_limit" in text
    assert "cluster_host" not in text


def test_an_unknown_section_lists_the_sections(site: Path) -> None:
    sections = ", ".join(sorted(Settings.model_fields))
    text = error_of(site, "[backends]\n")
    assert f"backends: no such setting; did you mean backend? valid here: {sections}" in text


def test_every_finding_is_told_at_once(site: Path) -> None:
    text = error_of(site, "[daemon]\nport = 70000\nhots = 1\n[frontend]\nslots = 0\n")
    assert [word for word in ("daemon.port", "daemon.hots", "frontend.slots") if word not in text] == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('daemon = "x"\n', "daemon:"),
        ("[daemon]\nport = -1\n", "daemon.port:"),
        ('[daemon]\nport = "http"\n', "daemon.port:"),
        ('[daemon]\nresource_manager = "pbs"\n', "daemon.resource_manager: Input should be 'local'"),
        ('[backend]\nsbatch = "--qos=x"\n', "backend.sbatch:"),
        ("[backend]\nsbatch = [1]\n", "backend.sbatch.0:"),
        ('[cpu]\nsbatch = ["--nice=1", "--requeue"]\n', "cpu.sbatch.1: --requeue cannot be given here: a job that"),
        ('[backend]\nsignal = "USR1@60"\n', "backend.signal: write TERM@SECONDS"),
        ('[backend]\nsignal = "TERM@1801"\n', "backend: signal = 'TERM@1801' leaves the job less than half"),
        ('[slurm]\naccount = "faces --uid=0"\n', "slurm.account: write a name such as faces"),
        ('[daemon]\nlog_dir = "/logs\\n#SBATCH --uid=0"\n', "daemon.log_dir: control characters"),
        ('[backend]\nprefix = ["a\\u0000b"]\n', "backend.prefix.0: control characters"),
        ('[backend]\npython = "python\\u2028"\n', "backend.python: control characters"),
        ("[backend]\nidle_release_s = 1\n", "backend.idle_release_s:"),
        ('[backend]\ndevice = "tpu"\n', "backend.device:"),
    ],
)
def test_values_out_of_range(site: Path, text: str, place: str) -> None:
    assert place in error_of(site, text)


@pytest.mark.parametrize("text", ["[daemon\n", "port 1\n", "[daemon]\nport = 1\nport = 2\n", "\0"])
def test_broken_toml_says_where(site: Path, text: str) -> None:
    assert f"{site} is not valid TOML" in error_of(site, text)


def test_a_file_in_another_encoding(site: Path) -> None:
    site.write_bytes('[daemon]\nhost = "\xe4"\n'.encode("latin-1"))
    with pytest.raises(SettingsError, match="not valid TOML"):
        load_settings(site)


def test_a_file_that_is_not_there(site: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read.*site\.toml"):
        load_settings(site)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path)


def test_every_setting_is_explained() -> None:
    for section in ("daemon", "frontend", "backend"):
        model = type(getattr(Settings(), section))
        for name, field in model.model_fields.items():
            assert field.description or name == "time_limit" or name in ("slots", "cpus"), f"{section}.{name}"
