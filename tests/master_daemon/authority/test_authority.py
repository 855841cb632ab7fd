"""The installation's authority: what it issues, what it cannot, and the file it is kept in."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509

from ligan.intervals import AUTHORITY_LIFE, LONGEST_QUEUE, NODE_CLOCK_SKEW
from ligan.settings import Settings, SettingsError
from ligan.tls.contexts import name_of, serving, trusting
from ligan.wire.job import Bootstrap
from ligan.wire.session import JobState
from master_daemon.authority.authority import Authority, Credentials
from master_daemon.authority.file import NAME, open_authority, read_authority
from master_daemon.state.jobs import Job
from master_daemon.supervisor.launch import Launcher

NOW, DAY = time.time(), 86400
JOB = name_of("a" * 22)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new(NOW)


def parsed(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def shake(shown: Credentials, trusted: str, name: str) -> None:
    """A handshake between the two sides. Raises ssl.SSLError."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            serving(*shown).wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        with trusting(trusted).wrap_socket(ours, server_hostname=name) as line:
            assert line.version() == "TLSv1.3"
            assert line.recv(1) == b"", "no ticket comes unasked"
    finally:
        ours.close()
        server.join()


def test_its_own_are_believed(authority: Authority) -> None:
    shake(authority.issue(JOB, NOW, NOW + DAY), authority.certificate, JOB)


def test_it_can_vouch_for_no_host_of_the_world(authority: Authority) -> None:
    shown = authority.issue("www.example.org", NOW, NOW + DAY)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake(shown, authority.certificate, "www.example.org")


def test_a_certificate_is_its_names_alone_and_issues_none(authority: Authority) -> None:
    issued = parsed(authority.issue(JOB, NOW, NOW + DAY).certificate)
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [JOB]
    assert not issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not issued.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert issued.signature_hash_algorithm is not None
    assert issued.public_key().curve.name == "secp256r1"  # type: ignore[union-attr]


def test_clocks_may_differ_and_nothing_outlives_the_authority(authority: Authority) -> None:
    issued = parsed(authority.issue(JOB, NOW, NOW + DAY).certificate)
    assert issued.not_valid_before_utc.timestamp() == int(NOW - NODE_CLOCK_SKEW)
    assert issued.not_valid_after_utc.timestamp() == int(NOW + DAY)
    longer = parsed(authority.issue(JOB, NOW, NOW + 2 * AUTHORITY_LIFE).certificate)
    assert longer.not_valid_after_utc.timestamp() == authority.ends_at


def test_a_jobs_certificate_is_bounded_by_its_own_time_and_is_nobody_elses(authority: Authority) -> None:
    launcher = Launcher(Settings(), b"s" * 32, "https://10.0.0.1:7023", authority)
    job = launcher.prepared(Job("b" * 22, "backend", "k-x", 1, "s-" + "0" * 22, JobState.REQUESTED, NOW))
    assert job.tls
    given = Bootstrap.model_validate_json(launcher.request(job).stdin).tls
    assert given is not None
    assert given.authority == authority.certificate
    issued = parsed(given.certificate)
    assert issued.not_valid_after_utc.timestamp() == int(NOW + LONGEST_QUEUE + launcher.time_limit_s(job))
    shown = Credentials(given.certificate, given.key.get_secret_value())
    shake(shown, authority.certificate, name_of(job.nonce))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(shown, authority.certificate, JOB)
    assert "PRIVATE" not in repr(launcher.request(job)) + repr(given)


def test_what_a_job_speaks_is_decided_once(authority: Authority) -> None:
    launcher = Launcher(Settings(), b"s" * 32, "https://10.0.0.1:7023", authority)
    running = Job("b" * 22, "backend", "k-x", 1, "s-" + "0" * 22, JobState.READY, NOW)
    assert not launcher.prepared(running).tls


def test_it_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    assert read_authority(tmp_path) is None
    made = open_authority(tmp_path, NOW)
    assert open_authority(tmp_path, NOW + 1).pem == made.pem
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    (tmp_path / NAME).chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        read_authority(tmp_path)


@pytest.mark.parametrize("damage", [lambda pem: b"", lambda pem: pem[:300], lambda pem: pem[:700] + pem[:700]])
def test_a_damaged_file_is_not_replaced_in_silence(damage, tmp_path: Path) -> None:
    made = open_authority(tmp_path, NOW)
    (tmp_path / NAME).write_bytes(damage(made.pem))
    with pytest.raises(SettingsError, match=r"authority\.pem is damaged .*take it from a backup"):
        open_authority(tmp_path, NOW)


def test_another_ones_key_is_noticed(tmp_path: Path) -> None:
    made, other = Authority.new(NOW), Authority.new(NOW)
    mixed = made.certificate.encode() + other.pem.removeprefix(other.certificate.encode())
    with pytest.raises(ValueError, match="do not belong together"):
        Authority.read(mixed)
