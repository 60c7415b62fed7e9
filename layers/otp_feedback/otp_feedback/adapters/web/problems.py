"""Problems as RFC 9457 `application/problem+json`."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from otp_feedback.domain import errors
from otp_feedback.domain.errors import (
    MalformedRequest,
    MessageRejected,
    Problem,
    TooManyMessages,
    Unavailable,
    WrongSecret,
)

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[Problem], int] = {
    errors.MalformedRequest: 400,
    errors.InvalidSignature: 403,
    errors.Forbidden: 403,
    errors.UnknownVerification: 404,
    errors.NotFound: 404,
    errors.AlreadyConfirmed: 409,
    errors.Canceled: 409,
    errors.WrongAction: 409,
    errors.IdempotencyConflict: 409,
    errors.Expired: 410,
    errors.PayloadTooLarge: 413,
    errors.InvalidRecipient: 422,
    errors.RecipientOptedOut: 422,
    errors.CountryNotAllowed: 422,
    errors.WrongSecret: 422,
    errors.Locked: 423,
    errors.TooManyMessages: 429,
    errors.MessageRejected: 502,
    errors.Unavailable: 503,
}


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, before API Gateway's form is put on it."""

    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def problem_response(problem: Problem) -> Response:
    """The response that a problem is answered with."""
    status = STATUS[type(problem)]
    members: dict[str, Any] = {
        "type": f"urn:otp-feedback:{problem.name}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": str(problem),
    }
    headers = {"Cache-Control": "no-store"}
    match problem:
        case MalformedRequest():
            unknown = f", not {problem.unknown}" if problem.unknown is not None else ""
            members |= {"field": problem.field, "detail": f"{problem.field} {problem.reason}{unknown}."}
        case WrongSecret():
            members["attempts_left"] = problem.attempts_left
        case MessageRejected() if problem.code is not None:
            members["code"] = problem.code
        case TooManyMessages(retry_after_s=int(seconds)) | Unavailable(retry_after_s=seconds):
            members["retry_after_s"] = seconds
            headers["Retry-After"] = str(seconds)
    return Response(status, json.dumps(members), MEDIA_TYPE, headers)
