"""A verification, its messages, and what can be read off them at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.keys import Mac

MESSAGE_NUMBERS: Final = (1, 2, 3)
"""The numbers that a verification's messages may have; its record stays small."""


class State(StrEnum):
    """What is written in the record."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELED = "canceled"


class Status(StrEnum):
    """What the API says: the state, or what the clock and the attempts make of a pending one."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    LOCKED = "locked"


class Feedback(StrEnum):
    """Our report to Twilio that a message was acted on."""

    NONE = "none"
    DUE = "due"
    REPORTED = "reported"
    REJECTED = "rejected"


class Proof(StrEnum):
    """What a confirmation proves: a secret came back, it came from the number, or the caller says so."""

    SECRET = "secret"  # noqa: S105 - the name of a proof
    SENDER = "sender"
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class Message:
    """One Twilio Message sent for a verification.

    Parameters
    ----------
    number
        1 to 3.
    expires_at
        Epoch milliseconds at which its secret expires.
    sent_at
        Epoch milliseconds of the record's write, just before the call.
    mac
        What is stored of its secret; None if it carries none.
    sid
        Twilio's Message SID, once known.
    delivery
        Where it stands.
    error_code
        Twilio's integer code of a refusal or a failed delivery.
    feedback
        Whether Twilio is told that it was acted on.
    idempotency
        Digest of the Idempotency-Key and body that asked for it; None without a key.
    sender
        The sender that a Messaging Service chose, once a callback named it.
    registered
        Whether the caller sent it itself and gave its SID.
    """

    number: int
    expires_at: int
    sent_at: int
    mac: Mac | None = None
    sid: str | None = None
    delivery: Delivery = Delivery.CREATING
    error_code: int | None = None
    feedback: Feedback = Feedback.NONE
    idempotency: bytes | None = None
    sender: str | None = None
    registered: bool = False

    def is_live(self, now: int) -> bool:
        """Whether its secret can still confirm at `now` (epoch milliseconds)."""
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class Confirmation:
    """That, when, how and by which message the action was performed.

    Parameters
    ----------
    at
        Epoch milliseconds.
    message
        The message's number.
    proof
        What it proves.
    """

    at: int
    message: int
    proof: Proof


@dataclass(frozen=True, slots=True)
class Verification:
    """One attempt to have one recipient perform one tracked action.

    Parameters
    ----------
    verification_id
        128 bits, base64url.
    to
        The recipient in E.164.
    created_at
        Epoch milliseconds.
    attempts, max_attempts
        Guesses reserved so far, and how many there are.
    sender
        The sender that its messages were asked to come from.
    fingerprint
        Digest of the request that started it; None without an Idempotency-Key.
    feedback_due_at, feedback_since
        Epoch milliseconds of the next attempt to report, and since when a report is due; None if none is.
    is_test
        Whether its recipient is a test recipient: nothing was sent, and nothing is reported.
    feedback_failures
        How often a report to Twilio failed since one fell due.
    """

    verification_id: str
    action: Action
    to: str = field(repr=False)
    created_at: int
    max_attempts: int
    messages: Mapping[int, Message]
    sender: str
    state: State = State.PENDING
    attempts: int = 0
    locale: str | None = None
    template: str | None = None
    reference: str | None = None
    limit_key: bytes | None = None
    fingerprint: bytes | None = None
    confirmation: Confirmation | None = None
    feedback_failures: int = 0
    feedback_due_at: int | None = None
    feedback_since: int | None = None
    is_test: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", MappingProxyType(dict(sorted(self.messages.items()))))

    @property
    def attempts_left(self) -> int:
        """Guesses that may still be reserved."""
        return max(0, self.max_attempts - self.attempts)

    @property
    def latest(self) -> Message:
        """The message sent last."""
        return self.messages[max(self.messages)]

    @property
    def expires_at(self) -> int:
        """Epoch milliseconds at which its last live message ends."""
        return max(message.expires_at for message in self.messages.values())

    @property
    def macs(self) -> Mapping[int, Mac]:
        """The MACs of all messages that carry a secret, expired ones included."""
        return {number: message.mac for number, message in self.messages.items() if message.mac is not None}

    def sender_of(self, message: Message) -> str:
        """The sender that a message came from; the one that was asked for, until a callback names another."""
        return message.sender or self.sender

    def has_live_message(self, now: int) -> bool:
        """Whether any message can still confirm at `now` (epoch milliseconds)."""
        return any(message.is_live(now) for message in self.messages.values())

    def status_at(self, now: int) -> Status:
        """What the verification is at `now` (epoch milliseconds)."""
        if self.state is not State.PENDING:
            return Status(self.state.value)
        if not self.attempts_left:
            return Status.LOCKED
        return Status.PENDING if self.has_live_message(now) else Status.EXPIRED

    def with_feedback(self, number: int, feedback: Feedback) -> "Verification":
        """The verification with a message's feedback as it is now."""
        changed = replace(self.messages[number], feedback=feedback)
        return replace(self, messages={**self.messages, number: changed})
