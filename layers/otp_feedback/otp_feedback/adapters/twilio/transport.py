"""An httpx transport with a deadline for each whole call.

httpx's timeouts are per operation: a server that sends a byte now and then outlasts them all. Here every connect,
handshake, write and read gets what is left of the call's deadline, and no more.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, override

import httpcore
import httpx

IDLE_S = 5.0
"""Seconds after which an idle connection is not used again; a Lambda may have been frozen meanwhile."""

MAX_BODY_BYTES = 65_536
"""The most bytes of an answer's body that are read."""

_WRITE_BYTES = 4096
"""The most bytes written at once: few enough that a socket takes them whole; the deadline is checked in between."""

_PASSED_ON = frozenset({b"content-type", b"retry-after"})
"""The other headers would make httpx decompress the body, keep cookies and parse redirects."""

_deadline: ContextVar[float] = ContextVar("deadline")


class DeadlineTransport(httpx.BaseTransport):
    """Sends requests whose extension `deadline` says when they must be over (seconds of `time.monotonic`).

    Answers come back whole, their bodies cut at 64 kB. A body that breaks off or does not end in time is passed on as
    far as it came, since the status is known by then. May be used from many threads: a call never waits for another
    one's connection, so those who start the threads decide how many there are.

    The deadline does not cut short the resolver's own time-outs.

    Parameters
    ----------
    ssl_context
        For https; None where only http is spoken.
    wall_clock
        Epoch seconds. Idle connections expire by it, because a frozen Lambda's monotonic clock may stand still.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None, wall_clock: Callable[[], float] = time.time) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context, max_connections=None, keepalive_expiry=IDLE_S, network_backend=_Backend()
        )
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._in_flight = 0
        self._idle_since = 0.0

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises
        ------
        httpx.PoolTimeout, httpx.ConnectTimeout, httpx.ConnectError
            Nothing of the request was sent.
        httpx.TransportError
            Some of it may have been.
        """
        deadline = float(request.extensions["deadline"])
        if deadline <= time.monotonic():
            raise httpx.PoolTimeout("The deadline had passed before the request was sent.")
        token = _deadline.set(deadline)
        try:
            with self._fresh_pool() as pool, _httpx_errors():
                return _exchange(pool, request)
        finally:
            _deadline.reset(token)

    @override
    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    @contextmanager
    def _fresh_pool(self) -> Iterator[httpcore.ConnectionPool]:
        with self._lock:
            if not self._in_flight and not 0 <= self._wall_clock() - self._idle_since <= IDLE_S:
                self._pool.close()
            self._in_flight += 1
        try:
            yield self._pool
        finally:
            with self._lock:
                self._in_flight -= 1
                self._idle_since = self._wall_clock()


def _exchange(pool: httpcore.ConnectionPool, request: httpx.Request) -> httpx.Response:
    response = pool.handle_request(
        httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.read(),
        )
    )
    try:
        body = _read_body(response)
    finally:
        response.close()
    headers = [(name, value) for name, value in response.headers if name.lower() in _PASSED_ON]
    return httpx.Response(response.status, headers=headers, content=body)


def _read_body(response: httpcore.Response) -> bytes:
    body = bytearray()
    try:
        for chunk in response.iter_stream():
            body += chunk
            if len(body) >= MAX_BODY_BYTES:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass
    return bytes(body[:MAX_BODY_BYTES])


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except httpcore.ConnectTimeout as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except httpcore.ConnectError as error:
        raise httpx.ConnectError(str(error)) from error
    except httpcore.TimeoutException as error:
        raise httpx.TimeoutException(str(error)) from error
    except httpcore.NetworkError as error:
        raise httpx.NetworkError(str(error)) from error
    except httpcore.ProtocolError as error:
        raise httpx.ProtocolError(str(error)) from error


def _left(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise expired("The deadline has passed.")
    return left if timeout is None else min(timeout, left)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _resolve(host, port)
        while True:
            address = addresses.pop(0)
            # A share for each: an address that swallows packets leaves time for the next one.
            share = _left(timeout, httpcore.ConnectTimeout) / (len(addresses) + 1)
            try:
                return _Stream(self._sockets.connect_tcp(address, port, share, local_address, socket_options or ()))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not addresses:
                    raise


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("The host name does not resolve.") from error
    return [str(address[0]) for *_, address in found]


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_BYTES):
            self._stream.write(buffer[start : start + _WRITE_BYTES], _left(timeout, httpcore.WriteTimeout))

    @override
    def close(self) -> None:
        self._stream.close()

    @override
    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
