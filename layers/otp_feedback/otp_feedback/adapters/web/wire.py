"""The HTTP API's types, as they stand on the wire."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from otp_feedback.adapters.web.request import require_idempotency_key
from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.identifiers import E164, MESSAGE_SID
from otp_feedback.domain.phone import parse_number
from otp_feedback.domain.recipient import MOST_ATTEMPTS
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import MESSAGE_NUMBERS, Feedback, Proof, Status, Verification
from otp_feedback.usecases.message import Given
from otp_feedback.usecases.ports import Expectation
from otp_feedback.usecases.send import Sent
from otp_feedback.usecases.start import StartRequest

# openapi.yaml says what each is for; a test compares the two. What stands under extra_json_schema is for it alone: the
# domain checks a number, and says more when it refuses.
Number = Annotated[str, Meta(max_length=64, extra_json_schema={"pattern": rf"^{E164}$(?!\n)"})]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$(?!\n)", max_length=64)]
CallerSecret = Annotated[str, Meta(pattern=r"^[!-~]{4,64}$(?!\n)", max_length=64)]
MessageSid = Annotated[str, Meta(pattern=rf"^{MESSAGE_SID}$(?!\n)", max_length=34)]
VerificationId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{21}[AQgw]$(?!\n)")]
Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$(?!\n)",
        extra_json_schema={"format": "date-time"},
    ),
]
MessageNumber = Annotated[int, Meta(ge=1, le=len(MESSAGE_NUMBERS))]
Locale = Annotated[str, Meta(max_length=128)]
TemplateName = Annotated[str, Meta(max_length=64)]
SenderName = Annotated[str, Meta(max_length=64)]
LimitKey = Annotated[str, Meta(min_length=1, max_length=256)]


class StartBody(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """The body of `POST /verifications`."""

    KEY_IS_A_HEADER: ClassVar[bool] = True
    """Whether whoever puts an Idempotency-Key into the body is told where it belongs."""

    to: Number
    action: Action
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
            action=self.action,
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

    def key(self) -> str | None:
        """The Idempotency-Key.

        Raises
        ------
        MalformedRequest
            It has another form than the header takes.
        """
        return require_idempotency_key(self.idempotency_key, "idempotency_key")


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

    secret: Annotated[str, Meta(min_length=1, max_length=64)]
    expect: Expect | None = None

    def guess(self) -> Secret:
        """What was entered."""
        return Secret(self.secret)

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
    status: Literal["accepted", "unknown"]
    sid: MessageSid | None = None


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
    status: Annotated[str, Meta(extra_json_schema={"enum": [delivery.status for delivery in Delivery]})]
    feedback: Feedback
    sent_at: Timestamp
    expires_at: Timestamp
    sid: MessageSid | None = None
    error_code: int | None = None


class VerificationView(Struct, frozen=True, omit_defaults=True):
    """The answer to `GET /verifications/{verification_id}`."""

    verification_id: VerificationId
    status: Status
    action: Action
    created_at: Timestamp
    expires_at: Timestamp
    attempts_left: Annotated[int, Meta(ge=0, le=MOST_ATTEMPTS)]
    messages: Annotated[list[MessageView], Meta(min_length=1, max_length=len(MESSAGE_NUMBERS))]
    reference: Reference | None = None
    confirmed_at: Timestamp | None = None
    message: MessageNumber | None = None
    proof: Proof | None = None

    @classmethod
    def of(cls, verification: Verification, now: int) -> "VerificationView":
        """The wire form of a verification at `now` (epoch milliseconds)."""
        confirmation = verification.confirmation
        return cls(
            verification_id=verification.verification_id,
            status=verification.status_at(now),
            action=verification.action,
            created_at=timestamp(verification.created_at),
            expires_at=timestamp(verification.expires_at),
            attempts_left=verification.attempts_left,
            messages=[
                MessageView(
                    number=message.number,
                    status=message.delivery.status,
                    feedback=message.feedback,
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
            proof=confirmation.proof if confirmation else None,
        )


class ConfirmedAnswer(Struct, frozen=True, omit_defaults=True):
    """The answer to a check or a confirmation that succeeded."""

    verification_id: VerificationId
    status: Literal["confirmed"]
    proof: Proof
    message: MessageNumber
    confirmed_at: Timestamp
    reference: Reference | None = None
    change_password: bool | None = None
    """Only with action password, and then true: have the user set a new one."""

    @classmethod
    def of(cls, verification: Verification) -> "ConfirmedAnswer":
        """The wire form of a confirmed verification."""
        confirmation = verification.confirmation
        if confirmation is None:
            raise ValueError("the verification is not confirmed")
        return cls(
            verification_id=verification.verification_id,
            status="confirmed",
            proof=confirmation.proof,
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
