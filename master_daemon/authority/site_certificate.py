"""The site's certificate for the public port, read anew when its files change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from ligan.settings import SettingsError
from ligan.tls.contexts import show
from ligan.tls.setting import TlsSettings
from master_daemon.authority.between_parts import Later

log = logging.getLogger(__name__)
Stamp = tuple[tuple[int, int, int], ...]
"""Of both files: inode, size and time of change (ns). A renewal changes at least one of them."""


class SiteCertificate:
    """Raises SettingsError when the files cannot be used."""

    def __init__(self, certificate: str, key: str) -> None:
        self._paths = Path(certificate), Path(key)
        self._stamp = self._look()
        self.shown, key_text = self.read()
        self.context = public_context(self.shown, key_text)
        """For the port; TLS 1.2 too, for the browsers of others."""

    def read(self) -> tuple[str, str]:
        """Certificates and key, PEM. Raises SettingsError."""
        certificate, key = self._paths
        try:
            if key.stat().st_mode & 0o077:
                raise SettingsError(f"tls.key: others may read {key}; run: chmod 600 {key}")
            return certificate.read_text(), key.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"tls.certificate, tls.key: they cannot be read ({error}).") from error

    def turn(self, later: Later) -> bool:
        """Take new files when they fit together; a site may put the two in place one after the other. True: taken."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return False
            fresh = self.read()
            public_context(*fresh)
        except SettingsError as error:
            log.warning("the public port keeps its certificate: %s", error)
            return False
        self._stamp, self.shown = stamp, fresh[0]
        later(lambda: show(self.context, *fresh))
        log.warning("the public port has a new certificate")
        return True

    def _look(self) -> Stamp:
        try:
            found = [path.stat() for path in self._paths]
        except OSError as error:
            raise SettingsError(f"tls.certificate, tls.key: they cannot be read ({error}).") from error
        return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in found)


def site_certificate(settings: TlsSettings) -> SiteCertificate | None:
    """None where the site has none. Raises SettingsError as SiteCertificate."""
    return SiteCertificate(settings.certificate, settings.key) if settings.certificate else None


def public_context(certificate: str, key: str) -> ssl.SSLContext:
    """Raises SettingsError when the two are no certificate and its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        show(context, certificate, key)
    except ssl.SSLError as error:
        raise SettingsError(
            f"tls.certificate, tls.key: they are no certificate and its key ({error.reason})."
        ) from error
    return context
