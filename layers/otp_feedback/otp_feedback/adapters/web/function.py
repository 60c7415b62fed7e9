"""API Gateway HTTP API events (payload 2.0) in, responses out."""

from collections.abc import Callable, Mapping
from time import perf_counter
from types import MappingProxyType
from typing import Any

from aws_lambda_powertools import Logger

from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.request_log import RequestJournal
from otp_feedback.adapters.web.problems import Response, problem_response
from otp_feedback.adapters.web.request import NOBODY, HttpRequest, object_at
from otp_feedback.domain.errors import (
    ConfigurationError,
    Forbidden,
    MalformedRequest,
    MessageRejected,
    NotFound,
    Problem,
    Unavailable,
)

MISCONFIGURED_RETRY_S = 60


Route = Callable[[HttpRequest], Response]
Routes = Mapping[tuple[str, str], Route]
"""Routes by method and path, with `{name}` for a path parameter, as in the template."""


class HttpFunction:
    """A Lambda function behind the HTTP API; it answers one event at a time, as Lambda calls it.

    API Gateway has found the route and asked the authoriser. Whoever may invoke the function by itself can claim
    either, so an event is believed only where its route key, method and path agree, and where it names the caller.

    Parameters
    ----------
    service
        The function's name.
    logger
        Its logger.
    invocation
        Told of each invocation's context.
    callers, public
        The routes of authorised callers, and those that anybody may ask.
    unsigned_callers
        Whether callers' routes answer nobody, too: for a gateway without authorisers on a laptop.
    failing
        What some of them answer in place of a 503, where whoever asks makes more of an error than of that.
    """

    def __init__(
        self,
        service: str,
        logger: Logger,
        invocation: Invocation,
        *,
        callers: Routes = MappingProxyType({}),
        public: Routes = MappingProxyType({}),
        unsigned_callers: bool = False,
        failing: Mapping[tuple[str, str], Response] = MappingProxyType({}),
    ) -> None:
        self._service = service
        self._invocation = invocation
        self._logger = logger
        guarded = callers if unsigned_callers else {key: _authorised(route) for key, route in callers.items()}
        self._routes = {f"{method} {path}": route for (method, path), route in {**guarded, **public}.items()}
        self._failing = {f"{method} {path}": reply for (method, path), reply in failing.items()}

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one event; one that is none of an HTTP API is malformed."""
        started = perf_counter()
        self._invocation.begin(context)
        journal = RequestJournal(self._logger, self._service)
        try:
            reply = self._reply(event, journal)
            journal.note(status=reply.status)
            return _response(reply)
        finally:
            journal.note(duration_ms=round((perf_counter() - started) * 1000))
            journal.write()

    def _reply(self, event: Any, journal: RequestJournal) -> Response:
        failing = self._failing.get(str(event.get("routeKey"))) if isinstance(event, Mapping) else None
        try:
            return self._routed(event, journal)
        except Problem as problem:
            journal.note(outcome=problem.name, field=getattr(problem, "field", None))
            if isinstance(problem, Unavailable):
                journal.count("Unavailable")
                return failing or problem_response(problem)
            if isinstance(problem, MessageRejected):
                journal.count("MessageRejected")
            return problem_response(problem)
        except ConfigurationError as error:
            self._logger.exception("misconfigured", extra={"variable": error.variable})
            journal.note(outcome="misconfigured")
        except Exception:
            self._logger.exception("fault")
            journal.note(outcome="fault")
        journal.count("Fault")
        return failing or problem_response(Unavailable(MISCONFIGURED_RETRY_S))

    def _routed(self, event: Any, journal: RequestJournal) -> Response:
        context = event.get("requestContext") if isinstance(event, Mapping) else None
        if not isinstance(context, Mapping):
            raise MalformedRequest("requestContext", "is required: only events of the HTTP API are taken")
        key = event.get("routeKey")
        journal.note(correlation_id=context.get("requestId"))
        route = self._routes.get(key) if isinstance(key, str) else None
        if route is None:
            raise NotFound
        journal.note(route=key)
        parameters = object_at(event, "pathParameters")
        # The stage is $default, whose name no path begins with.
        method, _, path = key.partition(" ")
        for name, value in parameters.items():
            path = path.replace(f"{{{name}}}", str(value))
        if (object_at(context, "http").get("method"), event.get("rawPath")) != (method, path):
            raise NotFound
        return route(HttpRequest(event, parameters, journal))


def _authorised(route: Route) -> Route:
    def guarded(request: HttpRequest) -> Response:
        if request.caller == NOBODY:
            raise Forbidden
        return route(request)

    return guarded


def _response(reply: Response) -> dict[str, Any]:
    headers = {"Content-Type": reply.content_type, "Cache-Control": "no-store", **reply.headers}
    return {"statusCode": reply.status, "headers": headers, "body": reply.body, "isBase64Encoded": False}
