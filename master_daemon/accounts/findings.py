"""What `ligan doctor` says of accounts. Looks at the settings alone."""

from __future__ import annotations

from ligan.settings import Settings, SettingsError
from master_daemon.accounts.accounts import check
from master_daemon.accounts.network import Network
from master_daemon.finding import Finding, failed, ok, warning

_WHO = {
    "none": "none: everybody on this machine may come in",
    "local": "local: users of `ligan users`",
    "oidc": "oidc: users of an OpenID Connect provider",
    "header": "header: whom the site's proxy names",
}
_LOOPBACK = ("127.0.0.1", "::1")
_ANYBODY = "header: the proxy is on this machine, and whoever has a login here can name anybody as it does"


def accounts_finding(settings: Settings) -> Finding:
    """Whether the daemon would start with these."""
    try:
        check(settings)
    except SettingsError as error:
        return failed("accounts", str(error), "docs/accounts.md shows each kind; the daemon does not start with this.")
    if settings.accounts.mode == "header" and any(map(Network(settings.accounts.trusted_proxies).trusts, _LOOPBACK)):
        return warning(
            "accounts", _ANYBODY, "Put the web server on another machine, or let nobody else have a login here."
        )
    return ok("accounts", _WHO[settings.accounts.mode])
