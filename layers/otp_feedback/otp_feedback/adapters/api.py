"""The HTTP API's types, as they stand on the wire."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Action, Verification
from otp_feedback.usecases.another import AnotherRequest
from otp_feedback.usecases.ports import Expectation
from otp_feedback.usecases.sending import Sent
from otp_feedback.usecases.start import StartRequest

Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$(?!\n)", max_length=64)]
Number = Annotated[str, Meta(max_length=64, description="E.164: + and 7 to 15 digits", examples=["+4915112345678"])]
CallerSecret = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{4,12}$(?!\n)", max_length=12)]
MessageSid = Annotated[str, Meta(pattern=r"^(SM|MM)[0-9a-fA-F]{32}$(?!\n)", max_length=34)]


class StartBody(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """The body of `POST /verifications`."""

    to: Number
    action: Literal["code", "link", "password", "reply", "caller"]
    locale: Annotated[str, Meta(max_length=35)] | None = None
    reference: Reference | None = None
    template: Annotated[str, Meta(max_length=64)] | None = None
    sender: Annotated[str, Meta(max_length=64)] | None = None
    limit_key: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
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


class MessageBody(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /verifications/{verification_id}/messages`: both only for action caller."""

    secret: CallerSecret | None = None
    sid: MessageSid | None = None

    def to_request(self) -> AnotherRequest:
        """The use case's form of it."""
        return AnotherRequest(secret=Secret(self.secret) if self.secret is not None else None, sid=self.sid)


class Expect(Struct, forbid_unknown_fields=True, frozen=True):
    """Whose verification the caller thinks it is."""

    to: Number | None = None
    reference: Reference | None = None


class CheckBody(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /verifications/{verification_id}/check`."""

    secret: Annotated[str, Meta(min_length=1, max_length=64)]
    expect: Expect | None = None

    def expectation(self) -> Expectation:
        """The use case's form of `expect`."""
        return Expectation(self.expect.to, self.expect.reference) if self.expect else Expectation()


class ConfirmBody(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /verifications/{verification_id}/confirm`: which message, where several were sent."""

    message: Annotated[int, Meta(ge=1, le=3)] | None = None


class CancelBody(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /verifications/{verification_id}/cancel`: empty."""


class SentMessage(Struct, frozen=True, omit_defaults=True):
    """The message that was sent."""

    number: int
    status: Literal["accepted", "unknown"]
    sid: str | None = None


class SentAnswer(Struct, frozen=True):
    """The answer to a start, or to another message."""

    verification_id: str
    status: Literal["pending"]
    expires_at: str
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

    number: int
    status: str
    feedback: Literal["none", "due", "reported", "rejected"]
    sent_at: str
    expires_at: str
    sid: str | None = None
    error_code: int | None = None


class VerificationView(Struct, frozen=True, omit_defaults=True):
    """The answer to `GET /verifications/{verification_id}`."""

    verification_id: str
    status: Literal["pending", "confirmed", "canceled", "expired", "locked"]
    action: Literal["code", "link", "password", "reply", "caller"]
    created_at: str
    expires_at: str
    attempts_left: int
    messages: list[MessageView]
    reference: str | None = None
    confirmed_at: str | None = None
    message: int | None = None
    proof: Literal["secret", "sender", "caller"] | None = None

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

    verification_id: str
    status: Literal["confirmed"]
    proof: Literal["secret", "sender", "caller"]
    message: int
    confirmed_at: str
    reference: str | None = None

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
        )


class CanceledAnswer(Struct, frozen=True):
    """The answer to a cancellation."""

    verification_id: str
    status: Literal["canceled"] = "canceled"


def timestamp(at: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(value: Any) -> str:
    """A wire type as JSON."""
    return msgspec.json.encode(value).decode()
