"""The routes: who may call each, what it takes, and everything that it can answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from local.openapi.schemas import reference
from otp_feedback.adapters import api
from otp_feedback.domain import errors
from otp_feedback.domain.errors import Problem
from otp_feedback.domain.texts import PAGE_LANGUAGES, page_texts

type Caller = Literal["caller", "public", "twilio"]

EXAMPLE_ID = "AAECAwQFBgcICQoLDA0ODw"
EXAMPLE_SID = "SM0123456789abcdef0123456789abcdef"
EXAMPLE_LINK = "AAECAwQFBgcICQoLDA0ODwHwoNDwoNDwoNDwoNDwoNDw"
_SENT_AT, _EXPIRES_AT, _CONFIRMED_AT = (f"2026-01-31T12:{at}.000Z" for at in ("00:00", "10:00", "00:21"))

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
TWIML = "text/xml; charset=utf-8"

type Examples = Mapping[str, Any]
"""Values by a name of one to three words."""


@dataclass(frozen=True)
class Body:
    """A request's body: its media type, its schema, valid examples."""

    media_type: str
    schema: dict[str, Any]
    examples: Examples
    required: bool = True


@dataclass(frozen=True)
class Answer:
    """An answer that is no problem; `headers` names entries of the document's components."""

    status: int
    description: str
    media_type: str | None = None
    schema: dict[str, Any] = field(default_factory=dict)
    examples: Examples = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One route.

    Parameters: `operation_id`; `caller`, who may call it; `parameters`, OpenAPI's; `problems`, the types that it can
    answer; `continues`, whether its answer names a verification that other routes take.
    """

    method: str
    path: str
    operation_id: str
    caller: Caller
    summary: str
    description: str
    answers: tuple[Answer, ...]
    problems: tuple[type[Problem], ...]
    body: Body | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    continues: bool = False


VERIFICATION_ID = {"$ref": "#/components/parameters/VerificationId"}
IDEMPOTENCY_KEY = {"$ref": "#/components/parameters/IdempotencyKey"}
ACCEPT_LANGUAGE = {"$ref": "#/components/parameters/AcceptLanguage"}
NO_STORE = {"Cache-Control": "NoStore"}
PAGE_HEADERS = {
    name: name.replace("-", "")
    for name in (
        "Cache-Control",
        "Content-Security-Policy",
        "Referrer-Policy",
        "X-Content-Type-Options",
        "X-Frame-Options",
        "X-Robots-Tag",
        "Vary",
    )
} | NO_STORE

_REFUSED_BY_TWILIO = (
    errors.InvalidRecipient,
    errors.RecipientOptedOut,
    errors.CountryNotAllowed,
    errors.MessageRejected,
)
_UNKNOWN = (errors.UnknownVerification, errors.NotFound)
_WEBHOOK_PROBLEMS = (
    errors.MalformedRequest,
    errors.InvalidSignature,
    errors.PayloadTooLarge,
    errors.Unavailable,
)
_ONE = "/verifications/{verification_id}"


def _json_answer(status: int, description: str, examples: Mapping[str, msgspec.Struct]) -> Answer:
    wire_type = type(next(iter(examples.values())))
    shown = {name: msgspec.to_builtins(value) for name, value in examples.items()}
    return Answer(status, description, JSON, reference(wire_type), shown, NO_STORE)


def _json_body(wire_type: type[msgspec.Struct], examples: Examples, *, required: bool = True) -> Body:
    return Body(JSON, reference(wire_type), examples, required)


def _page(status: int, description: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, description, HTML, {"type": "string"}, {}, PAGE_HEADERS | dict(headers or {}))


def _sent(description: str, number: int) -> Answer:
    message = api.SentMessage(number, "accepted", EXAMPLE_SID)
    unknown = api.SentMessage(number, "unknown")
    return _json_answer(
        202,
        description,
        {
            "accepted": api.SentAnswer(EXAMPLE_ID, "pending", _EXPIRES_AT, message),
            "unknown": api.SentAnswer(EXAMPLE_ID, "pending", _EXPIRES_AT, unknown),
        },
    )


def _confirmed(description: str, proof: Literal["secret", "caller"]) -> Answer:
    confirmed = api.ConfirmedAnswer(EXAMPLE_ID, "confirmed", proof, 1, _CONFIRMED_AT, "order-4711")
    return _json_answer(200, description, {"confirmed": confirmed})


def _views() -> dict[str, api.VerificationView]:
    message = api.MessageView(1, "delivered", "none", _SENT_AT, _EXPIRES_AT, EXAMPLE_SID)
    pending = api.VerificationView(
        EXAMPLE_ID, "pending", "code", _SENT_AT, _EXPIRES_AT, 5, [message], reference="order-4711"
    )
    replace = msgspec.structs.replace
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


def _link_form() -> Body:
    link = {
        "type": "string",
        "pattern": r"^[A-Za-z0-9_-]{44}$(?!\n)",
        "description": "The id that the link carried.",
        "examples": [EXAMPLE_LINK],
    }
    return Body(FORM, {"type": "object", "properties": {"id": link}, "required": ["id"]}, {"tap": {"id": EXAMPLE_LINK}})


def _text(description: str, example: str, pattern: str | None = None) -> dict[str, Any]:
    return {
        "type": "string",
        "description": description,
        **({"pattern": pattern} if pattern else {}),
        "examples": [example],
    }


_ACCOUNT_SID = _text("Our account; another one is refused.", "AC" + "0" * 32, "^AC[0-9a-fA-F]{32}$")


def _webhook_form(required: Mapping[str, dict[str, Any]], optional: Mapping[str, dict[str, Any]]) -> Body:
    """Twilio adds parameters without notice (https://www.twilio.com/docs/usage/webhooks): others are allowed."""
    fields = {"AccountSid": _ACCOUNT_SID, **required}
    schema = {
        "type": "object",
        "properties": {**fields, **optional},
        "required": list(fields),
        "additionalProperties": {"type": "string"},
    }
    shown = {name: each["examples"][0] for name, each in fields.items()}
    return Body(FORM, schema, {"webhook": shown})


def _twiml(description: str, **verbs: str) -> Answer:
    header = '<?xml version="1.0" encoding="UTF-8"?>'
    examples = {name: f"{header}<Response>{verb}</Response>" for name, verb in verbs.items()}
    return Answer(200, description, TWIML, {"type": "string", "pattern": r"^<\?xml .*</Response>$"}, examples)


_BUTTON = page_texts("en", "Acme").button
_PAGE_LANGUAGES = ", ".join(PAGE_LANGUAGES)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/verifications",
        "startVerification",
        "caller",
        "Start a verification and send its first message",
        "Reserves the recipient's budget, writes the record, then has Twilio send the message. The secret is in the message "
        "alone, never in an answer. With an `Idempotency-Key`, the same request again gets the same answer while the "
        "verification is pending, and sends nothing.",
        (_sent("The message is with Twilio; or, where `status` is `unknown`, it may be.", 1),),
        (
            errors.MalformedRequest,
            errors.IdempotencyConflict,
            errors.PayloadTooLarge,
            *_REFUSED_BY_TWILIO,
            errors.TooManyMessages,
            errors.Unavailable,
        ),
        _json_body(
            api.StartBody,
            {
                "code": {"to": "+4915112345678", "action": "code", "locale": "de", "reference": "order-4711"},
                "link": {"to": "+4915112345678", "action": "link"},
                "password": {"to": "+4915112345678", "action": "password"},
                "reply": {"to": "+4915112345678", "action": "reply"},
                "own secret": {"to": "+4915112345678", "action": "caller", "secret": "7QX2M9"},
                "message already sent": {"to": "+4915112345678", "action": "caller", "sid": EXAMPLE_SID},
            },
        ),
        (IDEMPOTENCY_KEY,),
        continues=True,
    ),
    Operation(
        "POST",
        f"{_ONE}/messages",
        "sendAnotherMessage",
        "caller",
        "Send another message for a verification",
        "A message has its own secret and expiry; the attempts are shared, and another message gives none back. Any live "
        "message's secret confirms. An expired verification can have another message too.",
        (_sent("The message is with Twilio; or, where `status` is `unknown`, it may be.", 2),),
        (
            errors.MalformedRequest,
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
        _json_body(
            api.MessageBody,
            {"message": {}, "own secret": {"secret": "M4K8WZ"}, "message already sent": {"sid": EXAMPLE_SID}},
            required=False,
        ),
        (VERIFICATION_ID, IDEMPOTENCY_KEY),
        continues=True,
    ),
    Operation(
        "GET",
        _ONE,
        "getVerification",
        "caller",
        "Show a verification",
        "Its status, its messages with their delivery and feedback, and what the confirmation proves.",
        (_json_answer(200, "The verification as it is now.", _views()),),
        (*_UNKNOWN, errors.Unavailable),
        parameters=(VERIFICATION_ID,),
    ),
    Operation(
        "POST",
        f"{_ONE}/check",
        "checkSecret",
        "caller",
        "Check a secret that was entered",
        "For the actions `code`, `password`, and `caller` with its own secret. Takes one of the verification's attempts "
        "before anything is compared. The right secret of an expired message is answered as a wrong one is.",
        (_confirmed("The secret is right: the action is confirmed.", "secret"),),
        (
            errors.MalformedRequest,
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
        _json_body(
            api.CheckBody,
            {
                "code": {"secret": "123456"},
                "expected recipient": {
                    "secret": "123456",
                    "expect": {"to": "+4915112345678", "reference": "order-4711"},
                },
            },
        ),
        (VERIFICATION_ID,),
    ),
    Operation(
        "POST",
        f"{_ONE}/confirm",
        "confirmByCaller",
        "caller",
        "Confirm by the caller's own word",
        "For the action `caller` alone: the caller saw the action itself. Nothing is compared and no attempt taken. "
        "The same again is answered the same.",
        (_confirmed("The action is confirmed, now or before.", "caller"),),
        (
            errors.MalformedRequest,
            *_UNKNOWN,
            errors.AlreadyConfirmed,
            errors.Canceled,
            errors.WrongAction,
            errors.Expired,
            errors.PayloadTooLarge,
            errors.Locked,
            errors.Unavailable,
        ),
        _json_body(api.ConfirmBody, {"only message": {}, "second message": {"message": 2}}, required=False),
        (VERIFICATION_ID,),
    ),
    Operation(
        "POST",
        f"{_ONE}/cancel",
        "cancelVerification",
        "caller",
        "Cancel a verification",
        "No secret of it confirms any more. The same again is answered the same.",
        (_json_answer(200, "It is canceled, now or before.", {"canceled": api.CanceledAnswer(EXAMPLE_ID)}),),
        (
            errors.MalformedRequest,
            *_UNKNOWN,
            errors.AlreadyConfirmed,
            errors.PayloadTooLarge,
            errors.Unavailable,
        ),
        _json_body(api.CancelBody, {"nothing": {}}, required=False),
        (VERIFICATION_ID,),
    ),
    Operation(
        "GET",
        "/confirm",
        "showLinkPage",
        "public",
        "The page that a link opens",
        f"Asks, with one button ({_BUTTON}). Reads and changes nothing, whatever the id is: previews and scanners come here. "
        "Only where the stack chose `LinkConfirmation=open` does it confirm, and can answer as `POST /confirm` does.",
        (
            _page(200, "The page; with `LinkConfirmation=open` also the result."),
            _page(303, "Confirmed, with `LinkConfirmation=open` and a `SuccessUrl`.", {"Location": "Location"}),
            _page(400, "Not confirmed, with `LinkConfirmation=open`."),
            _page(503, "Not confirmed for the moment, with `LinkConfirmation=open`."),
        ),
        (errors.Unavailable,),
        parameters=(
            {
                "name": "id",
                "in": "query",
                "required": False,
                "description": "The link's id.",
                "schema": {"type": "string"},
                "example": EXAMPLE_LINK,
            },
            ACCEPT_LANGUAGE,
        ),
    ),
    Operation(
        "HEAD",
        "/confirm",
        "probeLinkPage",
        "public",
        "The page's headers",
        "As `GET`, without the page; never confirms.",
        (Answer(200, "The page's headers.", headers=PAGE_HEADERS),),
        (),
        parameters=(
            {
                "name": "id",
                "in": "query",
                "required": False,
                "description": "The link's id.",
                "schema": {"type": "string"},
                "example": EXAMPLE_LINK,
            },
            ACCEPT_LANGUAGE,
        ),
    ),
    Operation(
        "POST",
        "/confirm",
        "confirmByLink",
        "public",
        "Confirm by the link's button",
        "What the page's form sends. One answer for every failure.",
        (
            _page(200, "Confirmed."),
            _page(303, "Confirmed, where the stack has a `SuccessUrl`.", {"Location": "Location"}),
            _page(400, "Not confirmed; the page does not tell why."),
            _page(503, "Not confirmed for the moment; the button can be pressed again."),
        ),
        (errors.Unavailable,),
        _link_form(),
        (ACCEPT_LANGUAGE,),
    ),
    Operation(
        "POST",
        "/twilio/status",
        "takeStatusCallback",
        "twilio",
        "Twilio's status callback for a message",
        "https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks. What is late, repeated, of "
        "another message or of no known verification changes nothing.",
        (Answer(204, "Taken in."),),
        _WEBHOOK_PROBLEMS,
        _webhook_form(
            {
                "MessageSid": _text("The message.", EXAMPLE_SID, "^(SM|MM)[0-9a-fA-F]{32}$"),
                "MessageStatus": _text("Where it stands; a word that is not known counts as accepted.", "delivered"),
            },
            {
                "ErrorCode": _text("Why it failed.", "30003"),
                "From": _text("What it came from.", "+14155550100"),
                "To": _text("The recipient.", "+4915112345678"),
            },
        ),
        (
            {
                "name": "verification",
                "in": "query",
                "required": True,
                "description": "The verification, as our callback address names it.",
                "schema": {"$ref": "#/components/parameters/VerificationId/schema"},
            },
            {
                "name": "message",
                "in": "query",
                "required": True,
                "description": "The message's number.",
                "schema": {"type": "string", "enum": ["1", "2", "3"]},
                "example": "1",
            },
        ),
    ),
    Operation(
        "POST",
        "/twilio/message",
        "takeInboundMessage",
        "twilio",
        "An inbound message, which may be a reply that confirms",
        "https://www.twilio.com/docs/messaging/guides/webhook-request. Confirms the verification with the action `reply` that "
        "it answers; what answers none goes on to the stack's `FallbackMessageUrl`. Opt-out words never confirm.",
        (
            _twiml(
                "Nothing to do, or where the message goes on to.",
                nothing="",
                fallback='<Redirect method="POST">https://example.com/bot</Redirect>',
            ),
        ),
        _WEBHOOK_PROBLEMS,
        _webhook_form(
            {
                "MessageSid": _text("The inbound message.", "SM" + "1" * 32),
                "From": _text("Who sent it.", "+4915112345678"),
                "To": _text("What it was sent to.", "+14155550100"),
            },
            {
                "Body": _text("The text.", "YES"),
                "OriginalRepliedMessageSid": _text(
                    "The message that it answers, where the channel tells.", EXAMPLE_SID
                ),
                "OptOutType": _text("What Twilio took it for.", "STOP"),
            },
        ),
    ),
    Operation(
        "POST",
        "/twilio/call",
        "takeInboundCall",
        "twilio",
        "An inbound call, which may be a reply that confirms",
        "https://www.twilio.com/docs/voice/twiml#request-parameters. Confirms as an inbound message does. The call is rejected, "
        "which is not billed; one that answers nothing goes on to the stack's `FallbackCallUrl`.",
        (
            _twiml(
                "The call is rejected, or where it goes on to.",
                reject='<Reject reason="busy"/>',
                fallback='<Redirect method="POST">https://example.com/voice</Redirect>',
            ),
        ),
        _WEBHOOK_PROBLEMS,
        _webhook_form(
            {
                "CallSid": _text("The call.", "CA" + "1" * 32),
                "From": _text("Who calls.", "+4915112345678"),
                "To": _text("What was called.", "+14155550100"),
            },
            {"CallStatus": _text("Where the call stands.", "ringing")},
        ),
    ),
)
