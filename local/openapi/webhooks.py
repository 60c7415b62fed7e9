"""The routes of Twilio's webhooks."""

from collections.abc import Mapping
from typing import Any

from local.openapi.operation import EXAMPLE_SID, FORM, TWIML, Answer, Body, Operation, text
from otp_feedback.adapters.web.webhooks import MESSAGE
from otp_feedback.domain import errors

_ACCOUNT_SID = text("Our account; another one is refused.", "AC" + "0" * 32, r"^AC[0-9a-fA-F]{32}$(?!\n)")
_RECIPIENT = text("The recipient.", "+4915112345678")
_FROM = text("The recipient; what is no number confirms nothing.", "+4915112345678")
_TO = text("The sender that was used.", "+14155550100", rf"^({MESSAGE['To'].form.pattern})$(?!\n)")
_REFUSALS = (errors.MalformedRequest, errors.InvalidSignature, errors.PayloadTooLarge)
_PROBLEMS = (*_REFUSALS, errors.Unavailable)
_HEADER = '<?xml version="1.0" encoding="UTF-8"?>'


def _form(required: Mapping[str, dict[str, Any]], optional: Mapping[str, dict[str, Any]]) -> Body:
    """Twilio adds parameters without notice (https://www.twilio.com/docs/usage/webhooks): others are allowed."""
    fields = {"AccountSid": _ACCOUNT_SID, **required}
    schema = {
        "type": "object",
        "properties": {**fields, **optional},
        "required": list(fields),
        "additionalProperties": {"type": "string"},
    }
    shown = fields | {name: each for name, each in optional.items() if name == "From"}
    return Body(FORM, schema, {"webhook": {name: each["examples"][0] for name, each in shown.items()}})


def _twiml(description: str, **verbs: str) -> Answer:
    examples = {name: f"{_HEADER}<Response>{verb}</Response>" for name, verb in verbs.items()}
    return Answer(200, description, TWIML, {"type": "string", "pattern": r"^<\?xml .*</Response>$(?!\n)"}, examples)


WEBHOOKS = (
    Operation(
        method="POST",
        path="/twilio/status",
        operation_id="takeStatusCallback",
        caller="twilio",
        summary="Twilio's status callback for a message",
        description=(
            "https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks\n\n"
            "What is late, repeated, of another message or of no known verification changes nothing."
        ),
        answers=(Answer(204, "Taken in."),),
        problems=_PROBLEMS,
        body=_form(
            {
                "MessageSid": text("The message.", EXAMPLE_SID, r"^(SM|MM)[0-9a-f]{32}$(?!\n)"),
                "MessageStatus": text(
                    "Where it stands; a word that is not known counts as accepted.",
                    "delivered",
                    r"^[a-z_]+$(?!\n)",
                ),
            },
            {
                "ErrorCode": text("Why it failed.", "30003"),
                "From": text("The sender that was used.", "+14155550100"),
                "To": _RECIPIENT,
            },
        ),
        parameters=(
            {
                "name": "verification",
                "in": "query",
                "required": True,
                "description": "The verification, as our callback address names it.",
                "schema": {"$ref": "#/components/schemas/VerificationId"},
            },
            {
                "name": "message",
                "in": "query",
                "required": True,
                "description": "The message's number, as our callback address names it.",
                "schema": {"type": "string", "enum": ["1", "2", "3"]},
                "example": "1",
            },
        ),
    ),
    Operation(
        method="POST",
        path="/twilio/message",
        operation_id="takeInboundMessage",
        caller="twilio",
        summary="An inbound message, which may be a reply that confirms",
        description=(
            "https://www.twilio.com/docs/messaging/guides/webhook-request\n\n"
            "Confirms the verification with the action `reply` that it answers in time; what confirms none, and every "
            "late answer, goes on to the stack's `FallbackMessageUrl`. Requests to stop, refusals, reactions and "
            "automatic answers never confirm, nor does a message whose text could be taken for other fields, since a "
            "signature does not tell where one ends and the next begins."
        ),
        answers=(
            _twiml(
                "Nothing to do, or where the message goes on to.",
                nothing="",
                fallback='<Redirect method="POST">https://example.com/bot</Redirect>',
            ),
        ),
        problems=_PROBLEMS,
        body=_form(
            {
                "MessageSid": text("The inbound message.", "SM" + "1" * 32, r"^(SM|MM)[0-9a-f]{32}$(?!\n)"),
                "To": _TO,
            },
            {
                "From": _FROM,
                "Body": text("The text.", "YES"),
                "OriginalRepliedMessageSid": text("The message it answers, where the channel tells.", EXAMPLE_SID),
                "OptOutType": text("What Twilio took it for.", "STOP"),
                "MessageType": text("What it is, where the channel tells; a `reaction` confirms nothing.", "text"),
            },
        ),
    ),
    Operation(
        method="POST",
        path="/twilio/call",
        operation_id="takeInboundCall",
        caller="twilio",
        summary="An inbound call, which may be a reply that confirms",
        description=(
            "https://www.twilio.com/docs/voice/twiml#request-parameters\n\n"
            "Confirms as an inbound message does. The call is rejected, which is not billed; one that confirms nothing "
            "goes on to the stack's `FallbackCallUrl`. Where something fails for longer than Twilio waits it is "
            "rejected as well, since Twilio would play an error to the caller, and bill it."
        ),
        answers=(
            _twiml(
                "The call is rejected, or where it goes on to.",
                reject='<Reject reason="busy"/>',
                fallback='<Redirect method="POST">https://example.com/voice</Redirect>',
            ),
        ),
        problems=_REFUSALS,
        body=_form(
            {"CallSid": text("The call.", "CA" + "1" * 32, r"^CA[0-9a-f]{32}$(?!\n)"), "To": _TO},
            {"From": _FROM, "CallStatus": text("Where the call stands.", "ringing")},
        ),
    ),
)
