"""The HTTP API's types, as they stand on the wire."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.phone import parse_number
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Verification
from otp_feedback.usecases.message import Given
from otp_feedback.usecases.ports import Expectation
from otp_feedback.usecases.send import Sent
from otp_feedback.usecases.start import StartRequest

ActionName = Literal["code", "link", "password", "reply", "caller"]
ProvenBy = Annotated[
    Literal["secret", "sender", "caller"],
    Meta(
        description="What the confirmation proves: a secret came back, a message or call came from the number "
        "(which can be forged), or the caller says so."
    ),
]

# A pattern under extra_json_schema is for openapi.yaml alone: the domain checks it, and says more when it refuses.
Number = Annotated[
    str,
    Meta(
        max_length=64,
        description="A phone number in E.164: `+`, country code, and 7 to 15 digits in all; "
        "no national prefix, and no carrier code.",
        examples=["+4915112345678"],
        extra_json_schema={"pattern": r"^\+[1-9][0-9]{6,14}$(?!\n)"},
    ),
]
Reference = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.:-]{1,64}$(?!\n)",
        max_length=64,
        description="The caller's own name for it, such as a user's or an order's id.",
        examples=["order-4711"],
    ),
]
CallerSecret = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]{4,64}$(?!\n)",
        max_length=64,
        description="The secret that the caller made itself: visible ASCII characters. Only with action `caller`.",
        examples=["7QX2M9"],
    ),
]
MessageSid = Annotated[
    str,
    Meta(
        pattern=r"^(SM|MM)[0-9a-f]{32}$(?!\n)",
        max_length=34,
        description="Twilio's SID of a message. Given to action `caller`, that message counts as sent and no other is.",
        examples=["SM0123456789abcdef0123456789abcdef"],
    ),
]
VerificationId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]{21}[AQgw]$(?!\n)",
        description="128 random bits, base64url.",
        examples=["AAECAwQFBgcICQoLDA0ODw"],
    ),
]
Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$(?!\n)",
        description="RFC 3339 in UTC, with milliseconds.",
        examples=["2026-01-31T12:00:00.000Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
MessageNumber = Annotated[int, Meta(ge=1, le=3, description="A message's number in its verification.", examples=[1])]
SentSid = Annotated[
    MessageSid,
    Meta(description="Twilio's SID of the message; absent while Twilio has not answered, and for a test recipient."),
]
Locale = Annotated[
    str,
    Meta(
        max_length=128,
        description="The language of the text: a BCP 47 tag, as devices write it (`de_DE.UTF-8`), too. Of several with "
        "commas between, `th, en`, the first that there is a text in counts. Without it the number's country decides.",
        examples=["de", "th, en"],
    ),
]
TemplateName = Annotated[
    str, Meta(max_length=64, description="The name of one of the stack's own texts.", examples=["login"])
]
SenderName = Annotated[
    str,
    Meta(
        max_length=64, description="One of the stack's senders, in place of the default one.", examples=["+14155550100"]
    ),
]
LimitKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        description="What a limit beside the recipient's is counted by, such as the user's network address; "
        "of an address, a port counts for nothing, and IPv6 by its /64.",
        examples=["203.0.113.7"],
    ),
]
ErrorCode = Annotated[int, Meta(description="Twilio's code of a refusal or a failed delivery.", examples=[30003])]


class StartBody(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """The body of `POST /verifications`."""

    KEY_IS_A_HEADER: ClassVar[bool] = True
    """Whether whoever puts an Idempotency-Key into the body is told where it belongs."""

    to: Number
    action: Annotated[ActionName, Meta(description="What the recipient is to do.")]
    locale: Locale | None = None
    reference: Reference | None = None
    template: TemplateName | None = None
    sender: SenderName | None = None
    limit_key: LimitKey | None = None
    secret: CallerSecret | None = None
    sid: MessageSid | None = None

    def to_request(self) -> StartRequest:
        """The use case's form of it."""
        return StartRequest(
            to=self.to,
            action=Action(self.action),
            locale=self.locale,
            reference=self.reference,
            template=self.template,
            sender=self.sender,
            limit_key=self.limit_key,
            secret=Secret(self.secret) if self.secret is not None else None,
            sid=self.sid,
        )


class DirectBody(StartBody, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """What `start_directly` takes: the body of `POST /verifications`, and what is a header there."""

    KEY_IS_A_HEADER: ClassVar[bool] = False

    idempotency_key: str | None = None


class MessageBody(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /verifications/{verification_id}/messages`: both only for action caller."""

    KEY_IS_A_HEADER: ClassVar[bool] = True

    secret: CallerSecret | None = None
    sid: MessageSid | None = None

    def to_request(self) -> Given:
        """The use case's form of it."""
        return Given(secret=Secret(self.secret) if self.secret is not None else None, sid=self.sid)


class Expect(Struct, forbid_unknown_fields=True, frozen=True):
    """Whose verification the caller thinks it is."""

    to: Number | None = None
    reference: Reference | None = None


class CheckBody(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /verifications/{verification_id}/check`."""

    secret: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            description="The code or password as it was entered. White space, punctuation, symbols and a digit's "
            "script count for nothing, in a temporary password case neither; of the caller's own secret only white "
            "space around it.",
            examples=["123456"],
        ),
    ]
    expect: Expect | None = None

    def expectation(self) -> Expectation:
        """The use case's form of `expect`.

        Raises
        ------
        MalformedRequest
            `to` is no number, or not in its one form.
        """
        if self.expect is None:
            return Expectation()
        to = parse_number(self.expect.to, "expect.to").e164 if self.expect.to is not None else None
        return Expectation(to, self.expect.reference)


class ConfirmBody(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /verifications/{verification_id}/confirm`: which message, where several were sent."""

    message: MessageNumber | None = None


class CancelBody(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /verifications/{verification_id}/cancel`: empty."""


class SentMessage(Struct, frozen=True, omit_defaults=True):
    """The message that was sent."""

    number: MessageNumber
    status: Annotated[
        Literal["accepted", "unknown"],
        Meta(
            description="`unknown` where Twilio did not answer: the message may have been sent, and its secret counts."
        ),
    ]
    sid: SentSid | None = None


class SentAnswer(Struct, frozen=True):
    """The answer to a start, or to another message."""

    verification_id: VerificationId
    status: Literal["pending"]
    expires_at: Timestamp
    message: SentMessage

    @classmethod
    def of(cls, sent: Sent) -> "SentAnswer":
        """The wire form of what was sent."""
        status: Literal["accepted", "unknown"] = "accepted" if sent.accepted else "unknown"
        return cls(
            sent.verification_id, "pending", timestamp(sent.expires_at), SentMessage(sent.number, status, sent.sid)
        )


class MessageView(Struct, frozen=True, omit_defaults=True):
    """One message of a verification."""

    number: MessageNumber
    status: Annotated[
        str,
        Meta(
            description="Where the message stands, as Twilio's callbacks tell.",
            extra_json_schema={"enum": [delivery.status for delivery in Delivery]},
        ),
    ]
    feedback: Annotated[
        Literal["none", "due", "reported", "rejected"],
        Meta(description="Whether it is reported to Twilio that the message was acted on."),
    ]
    sent_at: Timestamp
    expires_at: Timestamp
    sid: SentSid | None = None
    error_code: ErrorCode | None = None


class VerificationView(Struct, frozen=True, omit_defaults=True):
    """The answer to `GET /verifications/{verification_id}`."""

    verification_id: VerificationId
    status: Literal["pending", "confirmed", "canceled", "expired", "locked"]
    action: ActionName
    created_at: Timestamp
    expires_at: Annotated[Timestamp, Meta(description="When its last live message ends.")]
    attempts_left: Annotated[int, Meta(ge=0, le=5, description="Guesses that it still takes.")]
    messages: Annotated[list[MessageView], Meta(min_length=1, max_length=3)]
    reference: Reference | None = None
    confirmed_at: Timestamp | None = None
    message: Annotated[MessageNumber, Meta(description="The message that was acted on.")] | None = None
    proof: ProvenBy | None = None

    @classmethod
    def of(cls, verification: Verification, now: int) -> "VerificationView":
        """The wire form of a verification at `now` (epoch milliseconds)."""
        confirmation = verification.confirmation
        return cls(
            verification_id=verification.verification_id,
            status=verification.status_at(now).value,
            action=verification.action.value,
            created_at=timestamp(verification.created_at),
            expires_at=timestamp(verification.expires_at),
            attempts_left=verification.attempts_left,
            messages=[
                MessageView(
                    number=message.number,
                    status=message.delivery.status,
                    feedback=message.feedback.value,
                    sent_at=timestamp(message.sent_at),
                    expires_at=timestamp(message.expires_at),
                    sid=message.sid,
                    error_code=message.error_code,
                )
                for message in verification.messages.values()
            ],
            reference=verification.reference,
            confirmed_at=timestamp(confirmation.at) if confirmation else None,
            message=confirmation.message if confirmation else None,
            proof=confirmation.proof.value if confirmation else None,
        )


class ConfirmedAnswer(Struct, frozen=True, omit_defaults=True):
    """The answer to a check or a confirmation that succeeded."""

    verification_id: VerificationId
    status: Literal["confirmed"]
    proof: ProvenBy
    message: Annotated[MessageNumber, Meta(description="The message that was acted on.")]
    confirmed_at: Timestamp
    reference: Reference | None = None
    change_password: (
        Annotated[bool, Meta(description="Only with action password, and then true: have the user set a new one.")]
        | None
    ) = None

    @classmethod
    def of(cls, verification: Verification) -> "ConfirmedAnswer":
        """The wire form of a confirmed verification."""
        confirmation = verification.confirmation
        if confirmation is None:
            raise ValueError("the verification is not confirmed")
        return cls(
            verification_id=verification.verification_id,
            status="confirmed",
            proof=confirmation.proof.value,
            message=confirmation.message,
            confirmed_at=timestamp(confirmation.at),
            reference=verification.reference,
            change_password=verification.action.traits.change_password or None,
        )


class CanceledAnswer(Struct, frozen=True):
    """The answer to a cancellation."""

    verification_id: VerificationId
    status: Literal["canceled"] = "canceled"


def timestamp(at: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(value: Any) -> str:
    """A wire type as JSON."""
    return msgspec.json.encode(value).decode()
