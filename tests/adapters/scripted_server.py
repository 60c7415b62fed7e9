"""A small HTTP server that answers as it is told, byte by byte where asked, and remembers what it was sent."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

REASONS = {200: "OK", 201: "Created", 302: "Found", 400: "Bad Request", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Received:
    """A request; `connection` counts from 1."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    connection: int

    @property
    def form(self) -> dict[str, str]:
        pairs = parse_qsl(self.body, keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)


@dataclass
class Exchange:
    """What a step may use: the connection, the request, and a flag that is set when the server stops."""

    connection: socket.socket
    received: Received
    stopping: threading.Event


Step = Callable[[Exchange], bool]
"""Answers a request; returns whether the connection stays open."""


def raw_answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(status: int, body: bytes = b"", **headers: str) -> Step:
    def step(exchange: Exchange) -> bool:
        exchange.connection.sendall(raw_answer(status, body, **headers))
        return True

    return step


def answer_and_close(status: int, body: bytes = b"") -> Step:
    def step(exchange: Exchange) -> bool:
        exchange.connection.sendall(raw_answer(status, body))
        return False

    return step


def trickle(at_once: bytes, slowly: bytes, pause_s: float = 0.05) -> Step:
    def step(exchange: Exchange) -> bool:
        exchange.connection.sendall(at_once)
        for byte in slowly:
            if exchange.stopping.wait(pause_s):
                break
            exchange.connection.sendall(bytes([byte]))
        return False

    return step


def hang(exchange: Exchange) -> bool:
    exchange.stopping.wait()
    return False


def disconnect(exchange: Exchange) -> bool:
    return False


@dataclass
class ScriptedServer:
    """Takes the steps in turn, one for each request, and the last one for ever.

    Parameters
    ----------
    deaf
        Whether it accepts connections without reading from them.
    port
        0 for a free one.
    """

    steps: list[Step]
    tls: ssl.SSLContext | None = None
    deaf: bool = False
    port: int = 0
    requests: list[Received] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> "ScriptedServer":
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._closed = threading.Condition(self._lock)
        self._stack = ExitStack()
        self._listener = self._stack.enter_context(socket.create_server(("127.0.0.1", self.port), backlog=128))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
            assert not thread.is_alive()
        self._stack.close()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def wait_until_closed(self) -> None:
        """Return when the server has closed all connections."""
        with self._closed:
            assert self._closed.wait_for(lambda: not self._open, timeout=5)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
                if self._stopping.is_set():
                    connection.shutdown(socket.SHUT_RDWR)
            self._start(self._serve, connection, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        served = connection
        try:
            if self.deaf:
                self._stopping.wait()
                return
            if self.tls:
                served = self.tls.wrap_socket(connection, server_side=True)
            with served.makefile("rb") as lines:
                while (received := _read(lines, number)) and self._step(received)(
                    Exchange(served, received, self._stopping)
                ):
                    pass
        except OSError:
            pass
        finally:
            served.close()
            connection.close()
            with self._closed:
                self._open.discard(connection)
                self._closed.notify_all()

    def _step(self, received: Received) -> Step:
        with self._lock:
            self.requests.append(received)
            return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]


def _read(lines, number: int) -> Received | None:
    request_line = lines.readline()
    if not request_line:
        return None
    method, path, _ = request_line.decode().split()
    headers = {}
    while (line := lines.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Received(method, path, headers, lines.read(int(headers.get("content-length", 0))).decode(), number)
