"""Where a request comes from: this machine or another, our own pages or somebody else's. Trusts no proxy's word."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

SAFE = ("GET", "HEAD", "OPTIONS")
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def from_this_machine(request: Request) -> bool:
    """Whether peer and Host are loopback ones and no proxy says that it stands between.

    A page of another site can make its own name point to 127.0.0.1 (DNS rebinding), but not change the Host that a
    browser then sends.
    """
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    return _loopback(request.client.host) and _loopback(_name(request.headers.get("host", "")))


def from_our_pages(request: Request) -> bool:
    """Whether no other site made a browser send this: by Sec-Fetch-Site, else by Origin.

    A client that is no browser sends neither, and carries nobody's cookies.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()


def secure(request: Request) -> bool:
    """Whether a cookie may be kept to https. To believe a proxy here can only make it stricter."""
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "").lower() == "https"


def peer(request: Request) -> str:
    """Who is at the other end of the connection."""
    return request.client.host if request.client else ""


def _name(host: str) -> str:
    """A Host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
