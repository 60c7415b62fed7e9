"""API Gateway HTTP API events (payload 2.0) in, responses out."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from otp_feedback.adapters.request_log import RequestJournal, RequestLog
from otp_feedback.adapters.web.errors import Forbidden, NotFound
from otp_feedback.adapters.web.problems import problem_response
from otp_feedback.adapters.web.request import NOBODY, HttpRequest, object_at
from otp_feedback.adapters.web.response import Response
from otp_feedback.domain.errors import ConfigurationError, MalformedRequest, MessageRejected, Problem, Unavailable

MISCONFIGURED_RETRY_S = 60

Route = Callable[[HttpRequest], Response]
Routes = Mapping[str, Route]
"""Routes by API Gateway's route key: method and path, with `{name}` for a path parameter, as in the template."""


class HttpFunction:
    """A Lambda function behind the HTTP API; it answers one event at a time, as Lambda calls it.

    API Gateway has found the route and asked the authoriser. But an event that was made up can claim both, so the route
    key, method and path must agree, and callers' routes need a caller's name.

    Parameters
    ----------
    log
        The function's log.
    callers, public
        The routes of authorised callers, and the public ones.
    unsigned_callers
        Whether callers' routes also answer without a caller's name: for a laptop's gateway without authorisers.
    failing
        What some of them answer in place of a 503, if an error would do more harm.
    """

    def __init__(
        self,
        log: RequestLog,
        *,
        callers: Routes = MappingProxyType({}),
        public: Routes = MappingProxyType({}),
        unsigned_callers: bool = False,
        failing: Mapping[str, Response] = MappingProxyType({}),
    ) -> None:
        self._log = log
        guarded = callers if unsigned_callers else {key: _authorised(route) for key, route in callers.items()}
        self._routes = {**guarded, **public}
        self._failing = failing

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one event; an event that is not an HTTP API's is malformed."""
        with self._log.invoked(context) as journal:
            response = self._answer(event, journal)
            journal.note(status=response.status)
            return _for_gateway(response)

    def _answer(self, event: Any, journal: RequestJournal) -> Response:
        failing = self._failing.get(str(event.get("routeKey"))) if isinstance(event, Mapping) else None
        try:
            return self._routed(event, journal)
        except Problem as problem:
            journal.refused(problem)
            if isinstance(problem, MessageRejected):
                journal.count("MessageRejected")
            return failing if failing and isinstance(problem, Unavailable) else problem_response(problem)
        except ConfigurationError as error:
            self._log.logger.exception("misconfigured", extra={"variable": error.variable})
            journal.note(outcome="misconfigured")
        except Exception:
            self._log.logger.exception("fault")
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
        # The stage is $default, which is in no path.
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


def _for_gateway(response: Response) -> dict[str, Any]:
    headers = {"Content-Type": response.content_type, "Cache-Control": "no-store", **response.headers}
    return {"statusCode": response.status, "headers": headers, "body": response.body, "isBase64Encoded": False}
