"""Where there is TLS, by the site file; and that nobody does without it by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from ligan.settings import Settings, SettingsError, load_settings
from ligan.tls.setting import TlsSettings

OTHERS = ("slurm_cli", "slurm_rest", "slurm_pyslurm")


@pytest.mark.parametrize("manager", ["local", *OTHERS])
def test_it_is_on_wherever_jobs_run_elsewhere(manager: str) -> None:
    assert TlsSettings().secures(manager) is (manager != "local")
    assert TlsSettings(between_parts="always").secures(manager)


@pytest.mark.parametrize("manager", OTHERS)
def test_nobody_does_without_it_between_machines(manager: str, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(f'[daemon]\nresource_manager = "{manager}"\n[tls]\nbetween_parts = "never"\n')
    with pytest.raises(SettingsError, match=r'tls\.between_parts = "never": .*"auto" encrypts there'):
        load_settings(site)
    assert not Settings(tls=TlsSettings(between_parts="never")).tls.secures("local")


@pytest.mark.parametrize("half", [{"certificate": "/x"}, {"key": "/x"}])
def test_a_certificate_has_a_key(half: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="belong together"):
        TlsSettings(**half)
