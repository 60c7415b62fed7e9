"""The HTTP listeners of the laptop stack: who may talk to them, how they are stopped, how a connection is lost."""

import errno
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, override
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

STOP_TIMEOUT_S = 5.0


class AddressTaken(OSError):
    """Another program listens at the address; the message names the variable that chooses another port."""


class QuietHandler(WSGIRequestHandler):
    """Serves requests without an access log, and without waiting for a delayed acknowledgement."""

    disable_nagle_algorithm = True

    @override
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    @override
    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:
        # What is left of the request must not be taken for the next one, nor the client kept waiting.
        self.close_connection = True


class _Server(ThreadedWSGIServer):
    """A threaded server that knows its open connections, so that stopping it waits for nobody."""

    request_queue_size = 1024
    _connections: dict[socket.socket, threading.Thread]
    _lock: threading.Lock

    def __init__(self, host: str, port: int, app: WSGIApplication, fd: int) -> None:
        self._connections = {}
        self._lock = threading.Lock()
        super().__init__(host, port, app, QuietHandler, fd=fd)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name=f"http-{self.port}", daemon=True
        )
        with self._lock:
            self._connections[request] = thread
        thread.start()

    @override
    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._lock:
            self._connections.pop(request, None)

    def close_connections(self) -> None:
        """Hang up on every client and wait for the threads that served them."""
        with self._lock:
            open_now = dict(self._connections)
        for connection in open_now:
            with suppress(OSError):  # the client may have hung up first
                connection.shutdown(socket.SHUT_RDWR)
        for thread in open_now.values():
            thread.join(STOP_TIMEOUT_S)


class Listener:
    """One HTTP address of the laptop stack.

    It is bound when made, so that the others can be told its URL, and answers from `serve` on.

    Parameters
    ----------
    bind
        The address to listen at.
    port
        0 for any free one.
    variable
        The environment variable that chooses the port, for the message of `AddressTaken`.

    Raises
    ------
    AddressTaken
        It cannot listen there.
    """

    def __init__(self, bind: str = "127.0.0.1", port: int = 0, variable: str = "") -> None:
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((bind, port))
            self._socket.listen(_Server.request_queue_size)
        except OSError as error:
            self._socket.close()
            other = "address with OTP_BIND" if error.errno == errno.EADDRNOTAVAIL else f"port with {variable}"
            advice = f"; choose another {other}" if variable else ""
            raise AddressTaken(f"cannot listen at {bind}:{port}: {error.strerror}{advice}") from error
        self.bind = bind
        self.port: int = self._socket.getsockname()[1]
        self.stopping = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where a program on this machine reaches the listener, without a trailing slash."""
        try:
            wildcard = ipaddress.ip_address(self.bind).is_unspecified
        except ValueError:
            wildcard = False
        host = "127.0.0.1" if wildcard else self.bind
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def serve(self, app: WSGIApplication) -> None:
        """Start to answer with `app`, behind the rules of `guarded`."""
        self._server = _Server(self.bind, self.port, guarded(app, self.bind), self._socket.fileno())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name=f"listener-{self.port}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the address and every connection; held connections are dropped. Idempotent."""
        self.stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join(STOP_TIMEOUT_S)
            self._server.close_connections()
            self._server.server_close()
            self._server = None
        self._socket.close()


def hold(stopping: threading.Event, seconds: float) -> ConnectionAbortedError:
    """Keep a client waiting, then return the error that makes the server hang up without an answer."""
    stopping.wait(seconds)
    return ConnectionAbortedError("connection held and dropped")


def guarded(app: WSGIApplication, bind: str) -> WSGIApplication:
    """Refuse requests that a web page elsewhere could have made: a foreign Host (DNS rebinding) or a foreign Origin.

    Origin `null` is what a browser sends from a page with `Referrer-Policy: no-referrer`, as the confirmation page
    has; it is accepted only where the browser itself says that the request came from the same origin.
    """

    def guard(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "")
        if not _is_own_host(host, bind, environ):
            return _forbidden("Host", environ, start_response)
        origin = environ.get("HTTP_ORIGIN")
        same_site = origin == "null" and environ.get("HTTP_SEC_FETCH_SITE") == "same-origin"
        if origin is not None and origin.lower() != f"http://{host}".lower() and not same_site:
            return _forbidden("Origin", environ, start_response)
        return app(environ, start_response)

    return guard


def _is_own_host(host: str, bind: str, environ: WSGIEnvironment) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if name in ("localhost", bind.lower()):
        return True
    try:
        address = ipaddress.ip_address(name or "")
    except ValueError:
        return False
    # Bound to every interface, the server is also reached at the address the connection came in on.
    local_end = environ["werkzeug.socket"].getsockname()[0]
    return address.is_loopback or str(address) == local_end


def _forbidden(header: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    answer = Response(f"This {header} is not served here.\n", HTTPStatus.FORBIDDEN, mimetype="text/plain")
    return answer(environ, start_response)


def control_body(request: Request) -> dict[str, Any]:
    """The JSON object of a control request.

    Raises
    ------
    UnsupportedMediaType
        It has another content type; a form that a foreign page may post is no control request.
    BadRequest
        It is no object.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("control requests are application/json")
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


type Observer = Callable[[str, str], None]
"""Is called with the name of a call (`dynamodb:UpdateItem`, `twilio:feedback`) and `before` or `after` it acted."""


def observed(
    app: WSGIApplication, name_of: Callable[[WSGIEnvironment], str], observers: Iterable[Observer]
) -> WSGIApplication:
    """Tell observers of every call that has a name, before it acts and after, while the caller still waits.

    An observer that raises `ConnectionAbortedError` drops the connection at that point.
    """

    def watch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = name_of(environ)
        if not name:
            return app(environ, start_response)
        for observer in tuple(observers):
            observer(name, "before")
        answer = app(environ, start_response)
        for observer in tuple(observers):
            observer(name, "after")
        return answer

    return watch
