"""Whether a request that changes something comes from one of the service's own pages. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

from ligan.problem import Problem
from ligan.web.http.head import RequestHead
from master_daemon.accounts.network import Arrival, values

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110, section 9.2.1."""
_FOREIGN = "The request does not come from this service's own pages: open the page itself and try there."
_HOST = re.compile(r"(?:(?P<v6>\[[0-9a-f:.]+\])|(?P<name>[^\[\]/?#@:]*))(?::[0-9]*)?")
_OTHER_NAME = "Without accounts this service answers to localhost or an address only; name a proxy in trusted_proxies."
_UNPROVEN = "Send the page's own Origin or Sec-Fetch-Site header; a script uses an API token (docs/accounts.md)."


def check(head: RequestHead, arrival: Arrival, strict: bool) -> None:
    """Raises Problem `cross-site-request`.

    Browsers say whence a request comes by Sec-Fetch-Site (W3C Fetch Metadata) and, older ones or where there is no TLS,
    by Origin (RFC 6454). `strict`: one of them must prove it; else neither may deny it.
    """
    if head.method in SAFE:
        return
    proofs = _by_metadata(head) or _by_origin(head, arrival)
    if not all(proofs):
        raise Problem("cross-site-request", _FOREIGN)
    if strict and not proofs:
        raise Problem("cross-site-request", _UNPROVEN)


def check_name(arrival: Arrival) -> None:
    """Raises Problem `cross-site-request` for a name that another site may have made to mean this machine.

    For its browser that site's page would be of the same origin as the service (DNS rebinding). Where there are
    accounts it would still lack the cookie, which belongs to the right name.
    """
    if not arrival.vouched and not _is_nobodys(arrival.host):
        raise Problem("cross-site-request", _OTHER_NAME)


@lru_cache(256)
def _is_nobodys(host: str) -> bool:
    """An address, or a name that is in nobody's domain: without a dot, or under localhost (RFC 6761, section 6.3)."""
    matched = _HOST.fullmatch(host.lower())
    if matched is None:
        return False
    name = matched["name"] or ""
    return bool(matched["v6"]) or "." not in name.rstrip(".") or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _by_metadata(head: RequestHead) -> list[bool]:
    """`none` is what a person does to the browser itself, which changes nothing by POST: no page has sent that."""
    return [value == "same-origin" for value in values(head, b"sec-fetch-site")]


def _by_origin(head: RequestHead, arrival: Arrival) -> list[bool]:
    return [_is_here(value, arrival) for value in values(head, b"origin")]


def _is_here(origin: str, arrival: Arrival) -> bool:
    """The scheme must be TLS's where the request is known to have come by it; a proxy that ends TLS may not say so."""
    scheme, separator, host = origin.partition("://")
    known = scheme == "https" or (scheme == "http" and not arrival.secure)
    return known and bool(separator and host) and host.lower() == arrival.host.lower()
