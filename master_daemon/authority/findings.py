"""What `ligan doctor` says of certificates. Looks only; changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from ligan.intervals import AUTHORITY_SOON, SITE_CERTIFICATE_SOON
from ligan.settings import Settings, SettingsError
from master_daemon.authority.file import NAME, read_authority
from master_daemon.authority.site_certificate import SiteCertificate
from master_daemon.finding import Finding, failed, ok, warning

_AGAIN = "Stop the daemon, delete it and start again: a new one is made, and the jobs that run are replaced."


def tls_findings(settings: Settings, state_dir: Path, now: float) -> list[Finding]:
    """Of the installation's authority and of the public port's certificate; `now` is Unix s."""
    found = [authority(settings, state_dir, now)]
    if settings.tls.certificate:
        found.append(public_port(settings.tls.certificate, settings.tls.key, now))
    return found


def authority(settings: Settings, state_dir: Path, now: float) -> Finding:
    """Of TLS between daemon and jobs."""
    if not settings.tls.secures(settings.daemon.resource_manager):
        return ok("TLS", "none between daemon and jobs: all of it is on this machine's loopback")
    try:
        there = read_authority(state_dir)
    except (SettingsError, OSError) as error:
        return failed("TLS", str(error), f"See to {state_dir / NAME}.")
    if there is None:
        return ok("TLS", f"between daemon and jobs; its authority, {state_dir / NAME}, is made at the first start")
    what = f"between daemon and jobs; its authority ends on {_day(there.ends_at)}"
    return warning("TLS", what, _AGAIN) if there.ends_at - now < AUTHORITY_SOON else ok("TLS", what)


def public_port(certificate: str, key: str, now: float) -> Finding:
    """Of the site's own."""
    try:
        shown = SiteCertificate(certificate, key).shown
    except SettingsError as error:
        return failed("certificate", str(error), "Give the port a certificate and its key, or leave both out.")
    ends_at = x509.load_pem_x509_certificate(shown.encode()).not_valid_after_utc.timestamp()
    what = f"the public port's ends on {_day(ends_at)}"
    if ends_at < now:
        return failed("certificate", what, f"Renew {certificate}; the daemon takes it within a minute.")
    if ends_at - now < SITE_CERTIFICATE_SOON:
        return warning("certificate", what, f"Renew {certificate}; the daemon takes it within a minute.")
    return ok("certificate", what)


def _day(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d")
