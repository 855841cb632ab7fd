"""The public port over TLS: the site's certificate, its renewal, and what changes for pages and operators."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ligan.settings import Settings, SettingsError
from ligan.tls.setting import TlsSettings
from master_daemon import daemon_file
from master_daemon.authority.authority import Authority, Credentials
from master_daemon.authority.file import open_authority
from master_daemon.authority.findings import tls_findings
from master_daemon.authority.site_certificate import SiteCertificate
from master_daemon.finding import Finding, Health
from tests.ligan_command import said
from tests.master_daemon.running import House, house_in

_DAY = 86400.0
HOST = "login.ligan.internal"


class Site:
    """Its own authority, and its files."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.new(time.time() - 9 * _DAY)
        self.certificate, self.key, self.trusted = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
        self.trusted.write_text(self.authority.certificate)
        self.put(self.issue())

    def issue(self, days: float = 90) -> Credentials:
        now = time.time()
        return self.authority.issue(HOST, now, now + days * _DAY)

    def put(self, issued: Credentials) -> None:
        """As certbot does: the old files are replaced."""
        for path, text in ((self.certificate, issued.certificate), (self.key, issued.key)):
            part = path.with_suffix(".part")
            part.write_text(text)
            part.chmod(0o600)
            part.replace(path)

    @property
    def settings(self) -> TlsSettings:
        return TlsSettings(certificate=str(self.certificate), key=str(self.key))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def at_once(work):
    work()


# ---- the files


def test_new_files_are_taken_when_they_fit_together(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    held = SiteCertificate(str(site.certificate), str(site.key))
    assert not held.turn(at_once)
    fresh = site.issue()
    site.certificate.write_text(fresh.certificate)
    assert not held.turn(at_once), "half of it is there"
    assert "keeps its certificate" in caplog.text
    site.key.write_text(fresh.key)
    assert held.turn(at_once)
    assert held.shown == fresh.certificate
    assert not held.turn(at_once)
    site.key.unlink()
    assert not held.turn(at_once)
    assert held.shown == fresh.certificate


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda site: site.key.unlink(), "cannot be read"),
        (lambda site: site.key.chmod(0o644), "chmod 600"),
        (lambda site: site.key.write_text(site.issue().key), "no certificate and its key"),
        (lambda site: site.certificate.write_text("hello"), "no certificate and its key"),
        (lambda site: site.certificate.write_bytes(b"\xff"), "cannot be read"),
    ],
)
def test_files_that_cannot_be_used_are_refused_at_the_start(harm, said: str, site: Site) -> None:
    harm(site)
    with pytest.raises(SettingsError, match=said):
        SiteCertificate(str(site.certificate), str(site.key))


# ---- the port


@pytest.fixture
def house(site: Site, tmp_path: Path) -> Iterator[House]:
    with house_in(tmp_path / "state", tls=site.settings) as made:
        yield made


@pytest.fixture
def browser(site: Site, house: House) -> Iterator[requests.Session]:
    """It takes the name that the certificate has for this machine's."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(site.trusted)
        session.mount("https://", _Named())
        yield session


class _Named(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs, server_hostname=HOST, assert_hostname=HOST)


def test_the_cookie_is_for_tls_alone(house: House, browser: requests.Session) -> None:
    house.frontend()
    assert house.url.startswith("https://")
    answer = browser.get(house.url + "/", timeout=20)
    assert answer.status_code == 200
    assert "; Secure" in answer.headers["Set-Cookie"]
    assert browser.get(house.url + "/api/v1/session", timeout=20).status_code == 200


def test_a_new_certificate_is_shown_without_a_restart(site: Site, house: House, browser: requests.Session) -> None:
    house.frontend()
    other = Site(site.trusted.parent)  # writes over all three
    with pytest.raises(requests.exceptions.SSLError):
        browser.get(house.url + "/", timeout=20)
    house.daemon._certificates.turn(time.time())
    assert browser.get(house.url + "/", timeout=20).status_code == 200
    told = daemon_file.read(house.daemon.parts.observatory.state_dir)
    assert told is not None
    assert told.certificate == other.certificate.read_text()


def test_who_speaks_no_tls_or_nonsense_is_no_fault_of_ours(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(house.url.replace("https", "http"), timeout=20)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(house.url, timeout=20)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("words", [("status",), ("jobs", "--mine")])
def test_commands_here_find_it_by_what_it_shows(house: House, words: tuple[str, ...]) -> None:
    state_dir = house.daemon.parts.observatory.state_dir
    said(*words, "--state-dir", state_dir)
    daemon_file.write(state_dir, house.url, Authority.new(time.time()).certificate)
    said(*words, "--state-dir", state_dir, fails=1)


# ---- ligan doctor


def secure(**tls: str) -> Settings:
    return Settings(tls=TlsSettings(between_parts="always", **tls))


def healths(found: list[Finding]) -> list[Health]:
    return [finding.health for finding in found]


def test_the_doctor_says_until_when(site: Site, tmp_path: Path) -> None:
    now = time.time()
    assert "loopback" in tls_findings(Settings(), tmp_path, now)[0].detail
    assert "first start" in tls_findings(secure(), tmp_path, now)[0].detail
    open_authority(tmp_path, now)
    (found,) = tls_findings(secure(), tmp_path, now)
    assert found.health is Health.OK
    assert time.strftime("%Y", time.gmtime(now + 3650 * _DAY)) in found.detail
    assert healths(tls_findings(secure(), tmp_path, now + 3600 * _DAY)) == [Health.WARNING]
    (tmp_path / "authority.pem").chmod(0o644)
    assert healths(tls_findings(secure(), tmp_path, now)) == [Health.FAILED]


@pytest.mark.parametrize(("days", "health"), [(90, Health.OK), (7, Health.WARNING), (-1, Health.FAILED)])
def test_the_doctor_looks_at_the_public_ports_too(days: float, health: Health, site: Site, tmp_path: Path) -> None:
    site.put(site.issue(days) if days > 0 else site.authority.issue(HOST, time.time() - 3 * _DAY, time.time() - _DAY))
    settings = Settings(tls=site.settings)
    assert healths(tls_findings(settings, tmp_path, time.time())) == [Health.OK, health]
    site.key.unlink()
    assert healths(tls_findings(settings, tmp_path, time.time())) == [Health.OK, Health.FAILED]
