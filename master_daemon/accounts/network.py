"""Where a request comes from, and what the site's proxies may say about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from ligan.settings import SettingsError
from ligan.web.http.head import RequestHead

_FORWARDED_FOR = b"x-forwarded-for"
_FORWARDED_PROTO = b"x-forwarded-proto"
_FORWARDED_HOST = b"x-forwarded-host"
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request came here."""

    address: str
    """Of the person's machine, or of the nearest machine that is not one of the site's proxies."""
    secure: bool
    """It came through TLS, to this port or to the site's proxy."""
    vouched: bool
    """The site's proxy handed it over: what its headers say is true."""
    host: str
    """As the person's browser asked for it: name and port."""


class Network:
    """The site's proxies. Raises SettingsError for what is no address or network."""

    def __init__(self, trusted_proxies: tuple[str, ...]) -> None:
        try:
            self._trusted = tuple(ip_network(each) for each in trusted_proxies)
        except ValueError as error:
            raise SettingsError(f"accounts.trusted_proxies: {error}; write 10.0.0.5 or 10.0.0.0/24") from error

    def arrival(self, head: RequestHead) -> Arrival:
        """X-Forwarded-* count from a trusted proxy only, and of the addresses the last that is not a proxy's."""
        if not self.trusts(head.peer):
            return Arrival(head.peer, secure=head.secure, vouched=False, host=head.get(b"host") or "")
        proto = values(head, _FORWARDED_PROTO)[-1:]
        host = [*values(head, b"host"), *values(head, _FORWARDED_HOST)][-1:]
        hops = [hop.strip() for value in values(head, _FORWARDED_FOR) for hop in value.split(",")]
        address = next((hop for hop in reversed(hops) if not self.trusts(hop)), head.peer)
        known = address if _parsed(address) else head.peer
        return Arrival(known, secure=proto == ["https"], vouched=True, host="".join(host))

    def trusts(self, text: str) -> bool:
        """Is that the address of one of them?"""
        if not self._trusted:
            return False
        address = _parsed(text)
        return address is not None and any(address in network for network in self._trusted)


def values(head: RequestHead, name: bytes) -> list[str]:
    """All values of a header field; `name` in lower case."""
    return [value.decode("latin-1") for key, value in head.headers if key == name]


def neighbourhood(address: str) -> str:
    """What counts as one address in limits: an IPv6 subscriber has a /64 of them."""
    parsed = _parsed(address)
    return str(IPv6Network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def is_loopback(host: str) -> bool:
    """Does only this machine reach that listening address?"""
    parsed = _parsed(host)
    return host in _LOOPBACK_NAMES if parsed is None else parsed.is_loopback


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
