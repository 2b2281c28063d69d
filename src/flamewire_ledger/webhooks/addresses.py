"""Where a webhook may go: addresses on the public internet, and such as the operator has named.

A URL comes from a merchant, and the ledger stands inside a network that trusts it. So the host is
looked up, each address it has is judged, and the connection is made to an address that was judged:
a name that says something else a moment later changes nothing. What a URL looks like is checked
when it is given; what it leads to, each time it is sent to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, Literal, TypeAlias, cast
from urllib.parse import SplitResult, urlsplit

URL_CHARACTERS_MAX: Final = 2048
Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
LOOPBACK: Final[tuple[Network, ...]] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)
# An IPv4 address may hide in one of IPv6: translated (RFC 6052), or tunnelled (RFC 3056, 4380).
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
# What the IANA registries of special-purpose addresses have, and versions of Python do not agree on.
_NEVER: Final[tuple[Network, ...]] = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2001::/23"),
    ipaddress.ip_network("2001:db8::/32"),
    ipaddress.ip_network("3fff::/20"),
    ipaddress.ip_network("5f00::/16"),
)


class NotAllowed(Exception):
    """A URL or an address that nothing is sent to. The message is a sentence for the merchant."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be reached beside the public internet by https: these networks, by http too."""

    networks: tuple[Network, ...] = ()

    @property
    def is_inside(self) -> bool:
        """Whether names that only a network of the operator knows may lead somewhere."""
        return any(network not in LOOPBACK for network in self.networks)

    def check(self, address: Address, scheme: str) -> None:
        """Raises NotAllowed, without the address: whoever asks may not know it."""
        plain = _unwrapped(address)
        if any(_is_in(plain, network) for network in self.networks):
            return
        if scheme != "https":
            raise NotAllowed("only https leads to a public address")
        if not _is_public(plain):
            raise NotAllowed("the host has an address that is not public")


def read_networks(text: str) -> tuple[Network, ...]:
    """Networks as they are set: `10.0.0.0/8, fd00::/8`. Raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def check_url(url: str, reach: Reach) -> None:
    """Raises NotAllowed for a URL that could never be sent to; asks no name server."""
    if len(url) > URL_CHARACTERS_MAX:
        raise NotAllowed(f"a URL has at most {URL_CHARACTERS_MAX} characters")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise NotAllowed(
            "a URL is of printable ASCII: write other hosts in punycode, and escape paths"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise NotAllowed("this is no URL") from None
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise NotAllowed("a webhook goes to https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise NotAllowed("a URL here has no user, no password and no fragment")
    if parts.scheme == "http" and not reach.networks:
        raise NotAllowed("a webhook goes to https://, not to http://")
    _check_host(parts, host, reach)


def _check_host(parts: SplitResult, host: str, reach: Reach) -> None:
    if host == "localhost" or host.endswith(".localhost"):
        reach.check(IPv4Address("127.0.0.1"), parts.scheme)
        return
    address = literal(host)
    if address is not None:
        reach.check(address, parts.scheme)
    elif parts.scheme == "http" and not reach.is_inside:
        raise NotAllowed("a webhook goes to https://, not to http://")
    elif "." not in host and not reach.is_inside:
        raise NotAllowed("a host on the public internet has a dot in its name")


def literal(host: str) -> Address | None:
    """The address that a host is, where it is no name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def judged(found: Sequence[str], scheme: str, reach: Reach) -> list[str]:
    """The addresses of a host, when all of them may be sent to. Raises NotAllowed, also for none."""
    if not found:
        raise NotAllowed("the host has no address")
    for text in found:
        address = literal(text)
        if address is None:
            raise NotAllowed("the host has no address")
        reach.check(address, scheme)
    return [text.partition("%")[0] for text in found]


def scheme_of(url: str) -> Literal["http", "https"]:
    return cast("Literal['http', 'https']", urlsplit(url).scheme)


def _is_in(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _is_public(address: Address) -> bool:
    if any(_is_in(address, network) for network in _NEVER):
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _unwrapped(address: Address) -> Address:
    """The IPv4 address within, where there is one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
