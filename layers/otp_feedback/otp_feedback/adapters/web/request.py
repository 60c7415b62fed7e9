"""One request of the HTTP API, and what can be read from it."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from otp_feedback.adapters.request_log import RequestJournal
from otp_feedback.adapters.web.errors import PayloadTooLarge
from otp_feedback.adapters.web.malformed import explain
from otp_feedback.domain.errors import MalformedRequest, UnknownVerification
from otp_feedback.domain.ids import is_verification_id

MAX_BODY_BYTES = 8192


MAX_FORM_FIELDS = 200


NOBODY = "-"
"""The caller, if no authoriser named one."""


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
        """The verification that the path names; unknown if no id has this form."""
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
        """Who asks: the IAM principal without its session, or the JWT's subject; `NOBODY` if none was authorised."""
        authorizer = object_at(self.event["requestContext"], "authorizer")
        user_id = object_at(authorizer, "iam").get("userId")
        if isinstance(user_id, str) and (principal := user_id.partition(":")[0]):
            return principal
        subject = object_at(object_at(authorizer, "jwt"), "claims").get("sub")
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

    def about_verification[T: Struct](self, wire_type: type[T]) -> tuple[str, T]:
        """The verification that the path names, and the JSON body; the path is checked first."""
        return self.verification_id, self.json(wire_type)

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
    """The key, if it has the right form; else an error that names `field`."""
    if value is not None and not _IDEMPOTENCY_KEY.fullmatch(value):
        raise MalformedRequest(field, "must be 1 to 255 visible ASCII characters")
    return value


def _fault_of(raw: bytes, wire_type: type[Struct]) -> MalformedRequest:
    try:
        return explain(msgspec.json.decode(raw), wire_type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return MalformedRequest("body", "must be JSON, in UTF-8")


def object_at(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under a name of an event; empty where there is none."""
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}
