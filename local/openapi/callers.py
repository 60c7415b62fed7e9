"""The routes of the stack's callers."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from local.openapi.operation import (
    EXAMPLE_ID,
    EXAMPLE_SID,
    Answer,
    Operation,
    component_parameter,
    json_answer,
    json_body,
)
from otp_feedback.adapters.web import wire as api
from otp_feedback.domain import errors

ONE = "/verifications/{verification_id}"
VERIFICATION_ID = component_parameter("VerificationId")
IDEMPOTENCY_KEY = component_parameter("IdempotencyKey")

_SENT_AT = "2026-01-31T12:00:00.000Z"
_CONFIRMED_AT = "2026-01-31T12:00:21.000Z"
_EXPIRES_AT = "2026-01-31T12:10:00.000Z"

_UNKNOWN = (errors.UnknownVerification, errors.NotFound)
_REFUSED_BY_TWILIO = (
    errors.InvalidRecipient,
    errors.RecipientOptedOut,
    errors.CountryNotAllowed,
    errors.MessageRejected,
)


def _sent(number: int) -> Answer:
    def answer(message: api.SentMessage) -> api.SentAnswer:
        return api.SentAnswer(EXAMPLE_ID, "pending", _EXPIRES_AT, message)

    return json_answer(
        202,
        "The message is with Twilio; or, where its status is `unknown`, it may be.",
        {
            "accepted": answer(api.SentMessage(number, "accepted", EXAMPLE_SID)),
            "unknown": answer(api.SentMessage(number, "unknown")),
        },
    )


def _confirmed(description: str, proof: Literal["secret", "caller"]) -> Answer:
    confirmed = api.ConfirmedAnswer(EXAMPLE_ID, "confirmed", proof, 1, _CONFIRMED_AT, "order-4711")
    return json_answer(200, description, {"confirmed": confirmed})


def _views() -> Mapping[str, api.VerificationView]:
    replace = msgspec.structs.replace
    message = api.MessageView(1, "delivered", "none", _SENT_AT, _EXPIRES_AT, EXAMPLE_SID)
    pending = api.VerificationView(EXAMPLE_ID, "pending", "code", _SENT_AT, _EXPIRES_AT, 5, [message], "order-4711")
    confirmed = replace(
        pending,
        status="confirmed",
        messages=[replace(message, feedback="reported")],
        confirmed_at=_CONFIRMED_AT,
        attempts_left=4,
        message=1,
        proof="secret",
    )
    failed = replace(message, status="undelivered", error_code=30003)
    return {"pending": pending, "confirmed": confirmed, "undelivered": replace(pending, messages=[failed])}


CALLERS = (
    Operation(
        method="POST",
        path="/verifications",
        operation_id="startVerification",
        caller="caller",
        summary="Start a verification and send its first message",
        description=(
            "Reserves the recipient's budget, writes the record, then has Twilio send the message. The secret is in "
            "the message alone, never in an answer. With an `Idempotency-Key`, the same request again gets the same "
            "answer while the verification is pending, and sends nothing."
        ),
        answers=(_sent(1),),
        problems=(
            errors.MalformedRequest,
            errors.Forbidden,
            errors.IdempotencyConflict,
            errors.PayloadTooLarge,
            *_REFUSED_BY_TWILIO,
            errors.TooManyMessages,
            errors.Unavailable,
        ),
        body=json_body(
            api.StartBody,
            {
                "code": {"to": "+4915112345678", "action": "code", "locale": "de", "reference": "order-4711"},
                "link": {"to": "+4915112345678", "action": "link"},
                "password": {"to": "+4915112345678", "action": "password"},
                "reply": {"to": "+4915112345678", "action": "reply"},
                "own secret": {"to": "+4915112345678", "action": "caller", "secret": "7QX2M9"},
                "own password": {"to": "+4915112345678", "action": "caller", "secret": "vK3$w!r9<Qe"},
                "message already sent": {"to": "+4915112345678", "action": "caller", "sid": EXAMPLE_SID},
            },
        ),
        parameters=(IDEMPOTENCY_KEY,),
        continues=True,
    ),
    Operation(
        method="POST",
        path=f"{ONE}/messages",
        operation_id="sendAnotherMessage",
        caller="caller",
        summary="Send another message for a verification",
        description=(
            "A message has its own secret and expiry; the attempts are shared, and another message gives none back. "
            "The secret of any live message confirms. An expired verification can have another message too."
        ),
        answers=(_sent(2),),
        problems=(
            errors.MalformedRequest,
            errors.Forbidden,
            *_UNKNOWN,
            errors.AlreadyConfirmed,
            errors.Canceled,
            errors.IdempotencyConflict,
            errors.PayloadTooLarge,
            *_REFUSED_BY_TWILIO,
            errors.Locked,
            errors.TooManyMessages,
            errors.Unavailable,
        ),
        body=json_body(
            api.MessageBody,
            {"message": {}, "own secret": {"secret": "M4K8WZ"}, "message already sent": {"sid": EXAMPLE_SID}},
            required=False,
        ),
        parameters=(VERIFICATION_ID, IDEMPOTENCY_KEY),
        continues=True,
    ),
    Operation(
        method="GET",
        path=ONE,
        operation_id="getVerification",
        caller="caller",
        summary="Show a verification",
        description="Its status, its messages with their delivery and feedback, and what the confirmation proves.",
        answers=(json_answer(200, "The verification as it is now.", _views()),),
        problems=(errors.Forbidden, *_UNKNOWN, errors.Unavailable),
        parameters=(VERIFICATION_ID,),
    ),
    Operation(
        method="POST",
        path=f"{ONE}/check",
        operation_id="checkSecret",
        caller="caller",
        summary="Check a secret that was entered",
        description=(
            "For the actions `code`, `password`, and `caller` with its own secret. Takes one of the verification's "
            "attempts before anything is compared. Pass on what was typed as it is: `123 456` and `١٢٣٤٥٦` are "
            "`123456`. Where nothing is left of it, `malformed-request` costs no attempt. The right secret of an "
            "expired message is answered as a wrong one is. Where `expect` does not fit, the verification is unknown."
        ),
        answers=(_confirmed("The secret is right: the action is confirmed.", "secret"),),
        problems=(
            errors.MalformedRequest,
            errors.Forbidden,
            *_UNKNOWN,
            errors.AlreadyConfirmed,
            errors.Canceled,
            errors.WrongAction,
            errors.Expired,
            errors.PayloadTooLarge,
            errors.WrongSecret,
            errors.Locked,
            errors.Unavailable,
        ),
        body=json_body(
            api.CheckBody,
            {
                "code": {"secret": "123456"},
                "as it was typed": {"secret": "123 456"},
                "expected recipient": {
                    "secret": "123456",
                    "expect": {"to": "+4915112345678", "reference": "order-4711"},
                },
            },
        ),
        parameters=(VERIFICATION_ID,),
    ),
    Operation(
        method="POST",
        path=f"{ONE}/confirm",
        operation_id="confirmByCaller",
        caller="caller",
        summary="Confirm by the caller's own word",
        description=(
            "For the action `caller` alone: the caller saw the action itself. Nothing is compared and no attempt "
            "taken. The same again is answered the same."
        ),
        answers=(_confirmed("The action is confirmed, now or before.", "caller"),),
        problems=(
            errors.MalformedRequest,
            errors.Forbidden,
            *_UNKNOWN,
            errors.AlreadyConfirmed,
            errors.Canceled,
            errors.WrongAction,
            errors.Expired,
            errors.PayloadTooLarge,
            errors.Locked,
            errors.Unavailable,
        ),
        body=json_body(api.ConfirmBody, {"only message": {}, "second message": {"message": 2}}, required=False),
        parameters=(VERIFICATION_ID,),
    ),
    Operation(
        method="POST",
        path=f"{ONE}/cancel",
        operation_id="cancelVerification",
        caller="caller",
        summary="Cancel a verification",
        description="No secret of it confirms any more. The same again is answered the same.",
        answers=(json_answer(200, "It is canceled, now or before.", {"canceled": api.CanceledAnswer(EXAMPLE_ID)}),),
        problems=(
            errors.MalformedRequest,
            errors.Forbidden,
            *_UNKNOWN,
            errors.AlreadyConfirmed,
            errors.PayloadTooLarge,
            errors.Unavailable,
        ),
        body=json_body(api.CancelBody, {"nothing": {}}, required=False),
        parameters=(VERIFICATION_ID,),
    ),
)
