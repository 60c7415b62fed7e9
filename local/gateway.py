"""The laptop's API Gateway: the routes of template.yaml, answered by the real functions; and pages of its own."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.wrappers import Request, Response

from local.functions import Clock, FunctionError, Functions
from local.gateway_events import ArrivedRequest, HttpAnswer, InvalidResponse, from_result, match, to_event
from local.servers import Listener, control_body
from local.template import Route

MAX_BODY = 10 * 1024 * 1024
"""API Gateway's limit for a request body, in bytes."""
MAX_DRAINED = 64 * 1024 * 1024
"""How much of a refused body is still read, so that the client sees the answer instead of a broken connection."""
MAX_ADVANCE_S = 10 * 365 * 24 * 3600

type LocalPage = Callable[[Request], Response]


class Gateway:
    """An HTTP API at one address.

    Parameters
    ----------
    routes, functions
        The routes, and the functions that answer them.
    clock
        What `POST /_local/clock` moves on.
    """

    def __init__(self, listener: Listener, routes: Sequence[Route], functions: Functions, clock: Clock) -> None:
        self.listener = listener
        # The most specific route wins, as in API Gateway: literal parts before parameters, a greedy one last.
        self._routes = sorted(routes, key=lambda route: ("+}" in route.path, route.path.count("{"), -len(route.path)))
        self._functions = functions
        self._clock = clock
        self._pages: dict[tuple[str, str], LocalPage] = {("POST", "/_local/clock"): self._advance_clock}

    def add_pages(self, pages: Mapping[tuple[str, str], LocalPage]) -> None:
        """Serve more beside the API, by method and path."""
        self._pages |= pages

    def serve(self) -> None:
        """Start to answer."""
        self.listener.serve(self._application)

    def stop(self) -> None:
        """Close the address. Idempotent."""
        self.listener.stop()

    def call(self, request: ArrivedRequest) -> HttpAnswer:
        """Answer a request to the API as API Gateway does."""
        for route in self._routes:
            if route.method in (request.method, "ANY"):
                parameters = match(route, request.path)
                if parameters is not None:
                    return self._run(request, route, parameters)
        return _gateway_answer(404, "Not Found")

    def _run(self, request: ArrivedRequest, route: Route, parameters: Mapping[str, str]) -> HttpAnswer:
        event = to_event(request, route, parameters, self._clock.now_ms())
        try:
            result = self._functions.invoke(route.function, event)
            return from_result(result, head=request.method == "HEAD")
        except (FunctionError, InvalidResponse) as error:
            if not self._functions.stopped:
                print(f"gateway: {event['routeKey']}: {error}", file=sys.stderr)
            return _gateway_answer(500, "Internal Server Error")

    def _application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        page = self._pages.get((request.method, request.path))
        try:
            answer = self._answer(request) if page is None else page(request)
        except HTTPException as error:
            answer = _local_answer({"message": error.description or error.name}, error.code or 500)
        return answer(environ, start_response)

    def _answer(self, request: Request) -> Response:
        body = _read_body(request)
        if body is None:
            answer = _gateway_answer(413, "Request Entity Too Large")
        else:
            path, _, query = request.environ["REQUEST_URI"].partition("?")
            answer = self.call(
                ArrivedRequest(
                    method=request.method,
                    path=path,
                    query=query,
                    headers={name.lower(): value for name, value in request.headers.items()},
                    body=body,
                    source_ip=request.remote_addr or "127.0.0.1",
                    protocol=request.environ["SERVER_PROTOCOL"],
                )
            )
        response = Response(answer.body, answer.status, list(answer.headers))
        if request.method == "HEAD":
            response.headers.pop("content-length", None)
        return response

    def _advance_clock(self, request: Request) -> Response:
        seconds = control_body(request).get("advance_s")
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= MAX_ADVANCE_S:
            raise BadRequest(f"'advance_s' must be a whole number from 0 to {MAX_ADVANCE_S}")
        self._clock.advance(seconds)
        return _local_answer({"now_ms": self._clock.now_ms(), "offset_s": self._clock.offset_ms // 1000})


def _read_body(request: Request) -> bytes | None:
    """The body, None if it is larger than API Gateway takes."""
    body = request.stream.read(MAX_BODY + 1)
    if len(body) <= MAX_BODY:
        return body
    drained = len(body)
    while drained < MAX_DRAINED and (chunk := request.stream.read(1 << 16)):
        drained += len(chunk)
    return None


def _gateway_answer(status: int, message: str) -> HttpAnswer:
    return HttpAnswer(status, (("content-type", "application/json"),), json.dumps({"message": message}).encode())


def _local_answer(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content) + "\n", status, mimetype="application/json")
