"""HTTP clients that follow no redirect, so that credentials go where they were sent."""

import ssl
from functools import cache

import httpx


@cache
def _tls() -> ssl.SSLContext:
    """Reading the trusted certificates takes long, so it is done once."""
    return httpx.create_ssl_context()


def web_client(timeout_s: float) -> httpx.Client:
    """A client; `timeout_s` holds for each step of a request."""
    return httpx.Client(
        timeout=timeout_s, verify=_tls(), headers={"Accept": "application/json"}, follow_redirects=False
    )
