"""Where a webhook may point. Who can write a URL must not reach, through the portal, what stands inside its network."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput

MAX_URL = 500
_PORTS = {"http": 80, "https": 443}
_VISIBLE_ASCII = re.compile(r"[!-~]+\Z")
# The addresses by which a NAT64 gateway reaches IPv4: the last 32 bits are the address behind it.
_NAT64 = ip_network("64:ff9b::/96")
Address = IPv4Address | IPv6Address


class Target(NamedTuple):
    """A URL taken apart. `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str


class Refused(Exception):
    """Nothing may or can be sent there; the text says why and holds no part of the URL but its host."""


def parse(url: str) -> Target:
    """Raises InvalidInput for what is no plain http or https URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _wrong(_("This is no URL: write it as https://host/path.")) from None
    if parts.scheme not in _PORTS or not host or not _VISIBLE_ASCII.match(url) or len(url) > MAX_URL:
        raise _wrong(_("Write a URL such as https://host/path, in ASCII and with at most 500 characters."))
    if "@" in parts.netloc or parts.fragment or port == 0:
        raise _wrong(_("Leave user, password and fragment out of the URL: the signature says who sends."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path)


def _wrong(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, code="invalid_url", details={"field": "url"})


def check(url: str) -> Target:
    """As `parse`, and an address in place of a name has to be one that may be reached. Names are asked when sending."""
    target = parse(url)
    try:
        address = ip_address(target.host)
    except ValueError:
        return target
    if not is_permitted(address):
        sentence = _("This address is private or reserved, and webhooks may not reach it. Use a public host.")
        raise InvalidInput(sentence, code="address_refused", details={"field": "url"})
    return target


def is_permitted(address: Address) -> bool:
    """Public, or within the networks of PORTAL_WEBHOOK_ALLOW_PRIVATE; for each address that it wraps too."""
    inner = _inside(address)
    if any(inner in network for network in settings.PORTAL_WEBHOOK_ALLOW_PRIVATE):
        return True
    site_local = isinstance(inner, IPv6Address) and inner.is_site_local
    refused = inner.is_multicast or inner.is_reserved or inner.is_loopback or inner.is_link_local or site_local
    return inner.is_global and not refused and not inner.is_private and not inner.is_unspecified


def _inside(address: Address) -> Address:
    """The IPv4 address that an IPv6 one only carries, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


def resolve(target: Target) -> list[str]:
    """The permitted addresses of the host, in the resolver's order. Raises Refused.

    The caller connects to one of these and asks no resolver again, so that an answer that changes in between is moot.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused(_("The host name cannot be resolved.")) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    permitted = [address for address in addresses if is_permitted(ip_address(address))]
    if not permitted:
        raise Refused(_("The host has a private or reserved address, and webhooks may not reach it."))
    return permitted
