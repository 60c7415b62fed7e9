"""API Gateway HTTP API events (payload 2.0) in, responses out."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from msgspec import Struct

from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.journal import RequestJournal
from otp_feedback.adapters.malformed import explain
from otp_feedback.adapters.problems import Reply, problem_reply
from otp_feedback.domain.errors import (
    ConfigurationError,
    MalformedRequest,
    NotFound,
    PayloadTooLarge,
    Problem,
    Unavailable,
    UnknownVerification,
)
from otp_feedback.domain.secret import is_verification_id

MAX_BODY_BYTES = 8192
MAX_FORM_FIELDS = 200
MISCONFIGURED_RETRY_S = 60

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request.

    Parameters
    ----------
    event
        API Gateway's event.
    path
        The path's parameters.
    journal
        Where its facts are noted.
    """

    event: Mapping[str, Any]
    path: Mapping[str, str]
    journal: RequestJournal

    @property
    def method(self) -> str:
        """The HTTP method, upper case."""
        return str(self.event["requestContext"]["http"]["method"])

    @property
    def verification_id(self) -> str:
        """The verification that the path names; one that cannot exist is unknown."""
        verification_id = self.path["verification_id"]
        if not is_verification_id(verification_id):
            raise UnknownVerification
        return verification_id

    @property
    def domain_name(self) -> str:
        """The host that API Gateway was reached at; a client cannot set it."""
        return str(self.event["requestContext"]["domainName"])

    @property
    def query(self) -> str:
        """The query exactly as sent."""
        return str(self.event.get("rawQueryString") or "")

    @property
    def raw_path(self) -> str:
        """The path exactly as sent."""
        return str(self.event["rawPath"])

    def header(self, name: str) -> str | None:
        """A header by its lower-case name; API Gateway lower-cases them, `sam local start-api` does not."""
        headers = self.event.get("headers") or {}
        return next((str(value) for key, value in headers.items() if key.lower() == name), None)

    @property
    def idempotency_key(self) -> str | None:
        """The `Idempotency-Key` header: 1 to 255 visible ASCII characters."""
        return require_idempotency_key(self.header("idempotency-key"), "Idempotency-Key")

    @property
    def caller(self) -> str:
        """Who asks: the IAM principal without its session, or the JWT's subject; `-` where nothing authorised it."""
        authorizer = self.event["requestContext"].get("authorizer") or {}
        if user_id := (authorizer.get("iam") or {}).get("userId"):
            return str(user_id).partition(":")[0]
        claims = (authorizer.get("jwt") or {}).get("claims") or {}
        return str(claims.get("sub") or "-")

    def body(self, limit: int = MAX_BODY_BYTES) -> bytes:
        """The body's bytes.

        Raises
        ------
        PayloadTooLarge, MalformedRequest
        """
        text = self.event.get("body") or ""
        if len(text) > limit * 2:
            raise PayloadTooLarge
        if self.event.get("isBase64Encoded"):
            try:
                raw = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                raise MalformedRequest("body", "must be valid base64") from None
        else:
            raw = text.encode("utf-8", "surrogatepass")
        if len(raw) > limit:
            raise PayloadTooLarge
        return raw

    def json[T: Struct](self, wire_type: type[T]) -> T:
        """The JSON body as a wire type; an empty body counts as an empty object."""
        return decode(self.body() or b"{}", wire_type)

    def form(self, limit: int = MAX_BODY_BYTES) -> list[tuple[str, str]]:
        """The form body's fields in order, blank ones included."""
        try:
            return parse_qsl(
                self.body(limit).decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS
            )
        except ValueError:
            raise MalformedRequest("body", "must be a form in UTF-8") from None


def decode[T: Struct](raw: bytes, wire_type: type[T]) -> T:
    """JSON as a wire type.

    Raises
    ------
    MalformedRequest
        Names the field, and what it takes.
    """
    try:
        return msgspec.json.decode(raw, type=wire_type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _fault_of(raw, wire_type) from None


def convert[T: Struct](value: Any, wire_type: type[T]) -> T:
    """Plain values, as a direct invocation brings them, as a wire type; errors as `decode`."""
    try:
        return msgspec.convert(value, wire_type)
    except msgspec.ValidationError:
        raise explain(value, wire_type) from None


def require_idempotency_key(value: str | None, field: str) -> str | None:
    """The key, if it has the right form; names `field` where it has not."""
    if value is not None and not _IDEMPOTENCY_KEY.fullmatch(value):
        raise MalformedRequest(field, "must be 1 to 255 visible ASCII characters")
    return value


def _fault_of(raw: bytes, wire_type: type[Struct]) -> MalformedRequest:
    try:
        return explain(msgspec.json.decode(raw), wire_type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return MalformedRequest("body", "must be JSON, in UTF-8")


Route = Callable[[HttpRequest], Reply]


class HttpFunction:
    """A Lambda function behind the HTTP API; it answers one event at a time, as Lambda calls it.

    Parameters
    ----------
    service
        The function's name.
    logger
        Its logger.
    invocation
        Told of each invocation's context.
    routes
        By method and path, with `{name}` for a path parameter, as in the template.
    """

    def __init__(
        self, service: str, logger: Logger, invocation: Invocation, routes: Mapping[tuple[str, str], Route]
    ) -> None:
        self._service = service
        self._invocation = invocation
        self._logger = logger
        self._journal = RequestJournal(logger, service)
        self._resolver = APIGatewayHttpResolver()
        for (method, path), route in routes.items():
            self._register(method, path, route)
        self._resolver.not_found(self._not_found)

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event."""
        started = perf_counter()
        self._invocation.begin(context)
        journal = RequestJournal(self._logger, self._service)
        request_context = event["requestContext"]
        journal.note(correlation_id=request_context.get("requestId"), route=event.get("routeKey"))
        self._journal = journal
        try:
            response: dict[str, Any] = self._resolver.resolve(dict(event), context)
            journal.note(status=response["statusCode"])
            return response
        finally:
            journal.note(duration_ms=round((perf_counter() - started) * 1000))
            journal.write()

    def _register(self, method: str, path: str, route: Route) -> None:
        rule = path.replace("{", "<").replace("}", ">")

        @self._resolver.route(rule, method=method)
        def call(**path_parameters: str) -> Response[str]:
            event = self._resolver.current_event.raw_event
            reply = self._reply(route, HttpRequest(event, path_parameters, self._journal))
            return _response(reply)

    def _reply(self, route: Route, request: HttpRequest) -> Reply:
        try:
            return route(request)
        except Problem as problem:
            request.journal.note(outcome=problem.name, field=getattr(problem, "field", None))
            if isinstance(problem, Unavailable):
                request.journal.count("Unavailable")
            return problem_reply(problem)
        except ConfigurationError as error:
            self._logger.exception("misconfigured", extra={"variable": error.variable})
            request.journal.note(outcome="misconfigured")
        except Exception:
            self._logger.exception("fault")
            request.journal.note(outcome="fault")
        request.journal.count("Fault")
        return problem_reply(Unavailable(MISCONFIGURED_RETRY_S))

    def _not_found(self, _error: Exception) -> Response[str]:
        return _response(problem_reply(NotFound()))


def _response(reply: Reply) -> Response[str]:
    return Response(
        status_code=reply.status,
        content_type=reply.content_type,
        body=reply.body,
        headers={"Cache-Control": "no-store", **reply.headers},
    )
