"""API Gateway HTTP API events (payload 2.0) in, responses out."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aws_lambda_powertools import Logger
from msgspec import Struct

from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.journal import RequestJournal
from otp_feedback.adapters.malformed import explain
from otp_feedback.adapters.problems import Reply, problem_reply
from otp_feedback.domain.errors import (
    ConfigurationError,
    Forbidden,
    MalformedRequest,
    MessageRejected,
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
NOBODY = "-"
"""The caller where no authoriser named one."""

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
        verification_id = self.path.get("verification_id", "")
        if not is_verification_id(verification_id):
            raise UnknownVerification
        return verification_id

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
        """Who asks: the IAM principal without its session, or the JWT's subject; `NOBODY` where none was authorised."""
        authorizer = _object(self.event["requestContext"], "authorizer")
        user_id = _object(authorizer, "iam").get("userId")
        if isinstance(user_id, str) and (principal := user_id.partition(":")[0]):
            return principal
        subject = _object(_object(authorizer, "jwt"), "claims").get("sub")
        return subject if isinstance(subject, str) and subject else NOBODY

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


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}


Route = Callable[[HttpRequest], Reply]
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
        failing: Mapping[tuple[str, str], Reply] = MappingProxyType({}),
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

    def _reply(self, event: Any, journal: RequestJournal) -> Reply:
        failing = self._failing.get(str(event.get("routeKey"))) if isinstance(event, Mapping) else None
        try:
            return self._routed(event, journal)
        except Problem as problem:
            journal.note(outcome=problem.name, field=getattr(problem, "field", None))
            if isinstance(problem, Unavailable):
                journal.count("Unavailable")
                return failing or problem_reply(problem)
            if isinstance(problem, MessageRejected):
                journal.count("MessageRejected")
            return problem_reply(problem)
        except ConfigurationError as error:
            self._logger.exception("misconfigured", extra={"variable": error.variable})
            journal.note(outcome="misconfigured")
        except Exception:
            self._logger.exception("fault")
            journal.note(outcome="fault")
        journal.count("Fault")
        return failing or problem_reply(Unavailable(MISCONFIGURED_RETRY_S))

    def _routed(self, event: Any, journal: RequestJournal) -> Reply:
        context = event.get("requestContext") if isinstance(event, Mapping) else None
        if not isinstance(context, Mapping):
            raise MalformedRequest("requestContext", "is required: only events of the HTTP API are taken")
        key = event.get("routeKey")
        journal.note(correlation_id=context.get("requestId"))
        route = self._routes.get(key) if isinstance(key, str) else None
        if route is None:
            raise NotFound
        journal.note(route=key)
        parameters = _object(event, "pathParameters")
        # The stage is $default, whose name no path begins with.
        method, _, path = key.partition(" ")
        for name, value in parameters.items():
            path = path.replace(f"{{{name}}}", str(value))
        if (_object(context, "http").get("method"), event.get("rawPath")) != (method, path):
            raise NotFound
        return route(HttpRequest(event, parameters, journal))


def _authorised(route: Route) -> Route:
    def guarded(request: HttpRequest) -> Reply:
        if request.caller == NOBODY:
            raise Forbidden
        return route(request)

    return guarded


def _response(reply: Reply) -> dict[str, Any]:
    headers = {"Content-Type": reply.content_type, "Cache-Control": "no-store", **reply.headers}
    return {"statusCode": reply.status, "headers": headers, "body": reply.body, "isBase64Encoded": False}
