"""What the use cases need from outside, as the protocols that adapters fill."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from otp_feedback.domain.actions import Action
from otp_feedback.domain.breaker import CircuitBreaker
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.hourly_cap import HourlyCap
from otp_feedback.domain.ids import RandomBytes, encode_id
from otp_feedback.domain.keys import Keys, Mac
from otp_feedback.domain.outcomes import Outcomes
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.recipient import Limits, Recipient, Windows
from otp_feedback.domain.verification import Feedback, Message, Proof, Verification

OUTBOX_SHARDS = 16
"""Shards of the outbox's index: a due report stands in one of them, by its verification's id."""

Clock = Callable[[], int]
"""The time now, epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Refused[T]:
    """A conditional write whose condition did not hold.

    Parameters
    ----------
    current
        The item as it stood then; None if there was none.
    """

    current: T | None


@dataclass(frozen=True, slots=True)
class Expectation:
    """Whose verification the caller thinks it is; None accepts any."""

    to: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Confirming:
    """What the confirming write sets, and what must hold for it.

    Parameters
    ----------
    message
        The number of the message that was acted on; None for the only one that Twilio did not refuse.
    mac
        The MAC that this message must still have; None if nothing was compared.
    actions
        Actions that this way in confirms.
    proof
        What the confirmation proves.
    only
        If `message` is None: the number that is assumed to be the only one that Twilio did not refuse.
    """

    message: int | None
    mac: Mac | None
    actions: frozenset[Action]
    proof: Proof
    only: int = 1


@dataclass(frozen=True, slots=True)
class DueReport:
    """An entry of the outbox.

    Parameters
    ----------
    due_at
        Epoch milliseconds at which it may be tried.
    """

    verification_id: str
    shard: int
    due_at: int


class Verifications(Protocol):
    """The verifications' records. Every write is one conditional update; `Unavailable` if the store does not answer.

    `request_token` is an id made for one request. If an acknowledgement is lost, the write is repeated and its
    condition fails: that counts as a success only if the field of this kind of write holds the token.
    """

    def create(self, verification: Verification, ttl: int, request_token: str) -> Refused[Verification] | None:
        """Write a new record; `ttl` in epoch seconds."""

    def delete_unsent(self, verification_id: str, request_token: str) -> None:
        """Take back a record just written, if provably no message was created; if used since, refuse its message."""

    def read(self, verification_id: str) -> Verification | None:
        """The record, consistently."""

    def add_message(
        self, verification_id: str, message: Message, request_token: str
    ) -> Verification | Refused[Verification]:
        """Add the next message to a pending verification."""

    def remove_unsent_message(self, verification_id: str, number: int, request_token: str) -> None:
        """Take back a message just added, if provably it was not created; if another followed, refuse it."""

    def advance_message(
        self,
        verification_id: str,
        number: int,
        delivery: Delivery,
        sid: str | None = None,
        error_code: int | None = None,
        sender: str | None = None,
    ) -> Verification | Refused[Verification]:
        """Move a message's delivery state forward and set its SID once."""

    def reserve_attempt(
        self, verification_id: str, actions: frozenset[Action], expect: Expectation, request_token: str
    ) -> Verification | Refused[Verification]:
        """Take one of a pending verification's attempts; returns the record as it is now."""

    def confirm(
        self, verification_id: str, confirming: Confirming, now: int, due_at: int, request_token: str
    ) -> Verification | Refused[Verification]:
        """The one write of `confirmed`: state, message, proof and that message's due feedback together."""

    def report_late(self, verification_id: str, message: Message, due_at: int) -> Verification | Refused[Verification]:
        """Put the feedback of a message that was acted on after its expiry into the outbox."""

    def cancel(self, verification_id: str, request_token: str) -> Verification | Refused[Verification]:
        """Cancel a pending verification."""

    def settle_feedback(self, verification: Verification, number: int, outcome: Feedback, ttl: int) -> None:
        """Note how a message's feedback ended; the record leaves the outbox if no other is due."""


class Budgets(Protocol):
    """What recipients, limit keys and the whole stack may still send and guess; writes and errors as above."""

    def read_recipient(self, recipient: bytes) -> Recipient | None:
        """The recipient, consistently."""

    def reserve_send(
        self, recipient: bytes, holder: str, now: int, limits: Limits, request_token: str
    ) -> Recipient | Refused[Recipient]:
        """Take a slot in the recipient's windows for what `holder` names; returns the recipient as it is now."""

    def release_send(self, recipient: bytes, request_token: str) -> None:
        """Give back the slot just taken, if provably no message was created."""

    def reserve_limit_key(
        self, limit_key: bytes, now: int, windows: Windows, request_token: str
    ) -> Recipient | Refused[Recipient]:
        """Take a slot in the windows of a caller's limit key."""

    def release_limit_key(self, limit_key: bytes, windows: Windows, request_token: str) -> None:
        """Give back the slot that the request took."""

    def count_sends(self, hour: int, more: int, ttl: int) -> int:
        """Add to the stack's sends in the hour that begins at `hour` (epoch milliseconds), and return their number."""

    def add_failure(self, recipient: bytes) -> None:
        """Count a wrong guess for the recipient."""

    def reset_failures(self, recipient: bytes, now: int) -> None:
        """Forget the recipient's wrong guesses after a right one."""


class InboundBindings(Protocol):
    """Which verification each inbound message or call answered: decided once, for ever."""

    def bound_inbound(self, inbound_sid: str) -> tuple[str, int] | None:
        """What an inbound message or call was bound to; None if it was not seen yet."""

    def bind_inbound(self, inbound_sid: str, verification_id: str, number: int) -> tuple[str, int]:
        """Bind an inbound message or call to a verification's message, for ever; returns what it is bound to."""

    def note_inbound(self, recipient: bytes, now: int) -> None:
        """Note that a message or call came from a known recipient and confirmed nothing."""


class Outbox(Protocol):
    """Reports that are due, and the leases of those who work on them."""

    def due_reports(self, shard: int, now: int, limit: int, after: DueReport | None = None) -> Sequence[DueReport]:
        """The shard's due entries behind `after`, oldest first; they may be out of date."""

    def lease_shard(self, shard: int, holder: str, now: int, until: int) -> bool:
        """Lease a shard of the outbox until `until`, or until it is given back; False if another holds it."""

    def release_shard(self, shard: int, holder: str) -> None:
        """Give a shard back."""

    def postpone(self, report: DueReport, due_at: int) -> None:
        """Try an entry again later and count the failure, unless another run moved it meanwhile."""

    def leave_outbox(self, verification_id: str, ttl: int) -> None:
        """Take a record out of the outbox in which no message's feedback is due."""

    def read_outcomes(self, now: int) -> str:
        """How the last reports ended, as `domain.outcomes` has it, consistently; empty if that is long ago."""

    def add_outcomes(self, more: str, now: int) -> None:
        """Add to how the last reports ended."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message for Twilio to create.

    Parameters
    ----------
    to
        E.164.
    sender
        E.164, an alphanumeric sender, a Messaging Service SID, or a `whatsapp:` address.
    body
        The text; None with a Content template.
    status_callback
        The address that Twilio calls with its status.
    validity_s
        Seconds that Twilio may queue it, 1 to 36000.
    attempt
        1 for the verification's first message.
    content_sid, content_variables
        A Content template and its variables.
    """

    to: str
    sender: str
    body: str | None
    status_callback: str
    validity_s: int
    attempt: int
    content_sid: str | None = None
    content_variables: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """Twilio created the message."""

    sid: str


@dataclass(frozen=True, slots=True)
class CreateRefused:
    """Twilio answered that it created none; `code` is its error code, if the answer held one."""

    code: int | None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Twilio provably never acted on the request; asking again is safe.

    Parameters
    ----------
    code
        Twilio's error code, if it refused the credentials or the account.
    """

    code: int | None = None


@dataclass(frozen=True, slots=True)
class SendUnknown:
    """Twilio may have created the message: it timed out or failed after the request was out."""


CreateOutcome = Created | CreateRefused | NotSent | SendUnknown


@dataclass(frozen=True, slots=True)
class FeedbackAccepted:
    """Twilio took the report."""


@dataclass(frozen=True, slots=True)
class FeedbackRefused:
    """Twilio will never take it; `code` is its error code, if the answer held one."""

    code: int | None


@dataclass(frozen=True, slots=True)
class FeedbackNotFound:
    """Twilio knows no such message, or no feedback at all; `code` is its error code, if the answer held one."""

    code: int | None


@dataclass(frozen=True, slots=True)
class FeedbackDeferred:
    """It may be taken later; `reason` is one word for the log."""

    reason: str


FeedbackOutcome = FeedbackAccepted | FeedbackRefused | FeedbackNotFound | FeedbackDeferred


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message as Twilio lists it.

    Parameters
    ----------
    created_at
        Epoch milliseconds, in whole seconds.
    """

    sid: str
    body: str = field(repr=False)
    created_at: int


class Twilio(Protocol):
    """What the loop needs of Programmable Messaging."""

    def create_message(self, message: OutgoingMessage, deadline_s: float) -> CreateOutcome:
        """Create a message within `deadline_s` seconds."""

    def post_feedback(self, sid: str, deadline_s: float) -> FeedbackOutcome:
        """Report `confirmed` for a message within `deadline_s` seconds."""

    def list_messages(self, to: str, since: date, deadline_s: float) -> Sequence[ListedMessage]:
        """The messages to an address since a day (UTC), the newest 100; `Unavailable` if Twilio does not answer."""

    def redact_message(self, sid: str, deadline_s: float) -> None:
        """Empty a message's text at Twilio; `Unavailable` if that fails."""


class Vault(Protocol):
    """The stack's secret."""

    def keys(self) -> Keys:
        """The keys, as last read."""

    def refreshed_keys(self) -> Keys:
        """The keys, read anew."""


class Journal(Protocol):
    """Where a request's facts are noted: one wide log line, and metrics."""

    def note(self, **facts: str | int | None) -> None:
        """Add facts to the request's line; never a secret, a full number or a body."""

    def line(self, event: str, **facts: str | int | None) -> None:
        """Write a separate line, for one of many things that a request does."""

    def count(self, metric: str) -> None:
        """Add one to one of the documented metrics."""

    def gauge(self, metric: str, value: int) -> None:
        """Raise one of the documented metrics to a value in seconds, if it is higher."""


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that the use cases need from outside.

    Parameters
    ----------
    random_bytes
        A cryptographic source.
    sleep
        Waits so many seconds.
    hourly_cap
        The cap on the stack's messages; None for none.
    spent_s
        Seconds since the request under way came in, for which its user has been waiting.
    """

    verifications: Verifications
    budgets: Budgets
    inbound: InboundBindings
    outbox: Outbox
    twilio: Twilio
    vault: Vault
    policy: Policy
    breaker: CircuitBreaker
    outcomes: Outcomes
    hourly_cap: HourlyCap | None
    clock: Clock
    random_bytes: RandomBytes
    sleep: Callable[[float], None]
    spent_s: Callable[[], float]

    def new_request_token(self) -> str:
        """An id for one request's writes."""
        return encode_id(self.random_bytes(8))

    def fraction(self) -> float:
        """A draw from [0, 1)."""
        return int.from_bytes(self.random_bytes(6)) / (1 << 48)
