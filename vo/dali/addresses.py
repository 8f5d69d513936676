"""Which hosts may be asked: those of the public internet, and none of the network that this service stands in.

A server that fetches what others name can be made to ask its own neighbours (SSRF).
"""

from __future__ import annotations

import ipaddress
import socket

#: Ranges that embed an IPv4 address of anybody: NAT64, 6to4, Teredo.
_EMBEDDING = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


def find_addresses(host: str, port: int) -> list[str]:
    """The IP addresses of a host; :class:`OSError` when it is not known."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(str(error)) from error
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, and of nothing that leads elsewhere (RFC 6890)."""
    one = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(one, ipaddress.IPv6Address):
        if one.ipv4_mapped is not None:
            return is_public(str(one.ipv4_mapped))
        if any(one in network for network in _EMBEDDING):
            return False
    return one.is_global and not one.is_multicast and not one.is_reserved
