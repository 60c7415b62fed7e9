"""What starting a verification and sending another message have in common."""

from collections.abc import Callable
from dataclasses import dataclass

from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import MalformedRequest, TooManyMessages, Unavailable
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.refusals import problem_for
from otp_feedback.domain.secret import (
    Keys,
    RandomBytes,
    Secret,
    encode_id,
    generate_code,
    generate_link_secret,
    link_id,
)
from otp_feedback.domain.texts import render
from otp_feedback.domain.verification import Action, Message, Verification
from otp_feedback.usecases.ports import (
    Clock,
    Created,
    CreateRefused,
    Journal,
    NotSent,
    OutgoingMessage,
    Refused,
    SendUnknown,
    Store,
    Twilio,
    Vault,
)

CREATE_DEADLINE_S = 8.0
"""Seconds that Twilio has to create a message."""

REREADS = 5
REREAD_PAUSE_S = 0.1
"""How long a request waits for another one with the same Idempotency-Key to get on."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the caller is answered.

    Parameters
    ----------
    expires_at
        Epoch milliseconds until which the message's secret confirms.
    number
        The message's number.
    sid
        Twilio's Message SID; None where Twilio has not answered.
    """

    verification_id: str
    expires_at: int
    number: int
    sid: str | None


Replay = Callable[[], Sent | None]
"""Looks again whether the request's Idempotency-Key was answered before."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """Everything that sending needs from outside."""

    store: Store
    twilio: Twilio
    vault: Vault
    clock: Clock
    random_bytes: RandomBytes
    sleep: Callable[[float], None]
    policy: Policy

    def new_writer(self) -> str:
        """An id for one request's writes."""
        return encode_id(self.random_bytes(8))


def recipient_id(keys: Keys, e164: str) -> bytes:
    """The keyed digest under which a number's budgets are kept."""
    return keys.index("recipient", e164)


def choose_secret(out: Outbound, action: Action, given: Secret | None, sid: str | None) -> Secret | None:
    """The secret of a new message: made here, or the caller's own.

    Raises
    ------
    MalformedRequest
        The caller gave a secret or SID for an action that makes its own, or neither where it needs one.
    """
    if action is Action.CALLER:
        if given is None and sid is None:
            raise MalformedRequest("secret", "is required for action caller, unless sid is given")
        return given
    for field, value in (("secret", given), ("sid", sid)):
        if value is not None:
            raise MalformedRequest(field, "is only allowed with action caller")
    if action is Action.LINK:
        return generate_link_secret(out.random_bytes)
    return generate_code(out.policy.code_digits, out.random_bytes)


def new_message(out: Outbound, keys: Keys, verification_id: str, number: int, secret: Secret | None) -> Message:
    """A message that is about to be sent."""
    now = out.clock()
    return Message(
        number=number,
        expires_at=now + out.policy.lifetime_s * 1000,
        sent_at=now,
        mac=keys.mac(verification_id, number, secret) if secret is not None else None,
    )


def reserve_budget(
    out: Outbound, recipient: bytes, verification_id: str, number: int, writer: str, replay: Replay | None
) -> Sent | None:
    """Take a slot of the recipient's budget for a message.

    Returns the answer of the request with the same Idempotency-Key where that one holds the slot.

    Raises
    ------
    TooManyMessages
        With the exact seconds to wait; without, where only a success or an operator's unlock helps.
    Unavailable
        The request that holds the slot does not get on.
    """
    limits = out.policy.limits
    now = out.clock()
    holder = f"{verification_id}#{number}"
    reserved = out.store.reserve_send(recipient, holder, now, limits, writer)
    if not isinstance(reserved, Refused):
        return None
    current = reserved.current
    if current is None:
        raise Unavailable
    if replay is not None and current.newest == holder:
        return _await_other(out, replay)
    wait_ms = limits.wait_ms(current.sends, now)
    if current.failures >= limits.max_failures or not wait_ms:
        raise TooManyMessages
    raise TooManyMessages(retry_after_s=-(-wait_ms // 1000))


def _await_other(out: Outbound, replay: Replay) -> Sent:
    for attempt in range(REREADS):
        if attempt:
            out.sleep(REREAD_PAUSE_S)
        answer = replay()
        if answer is not None:
            return answer
    raise Unavailable


def compose(
    policy: Policy, verification: Verification, message: Message, secret: Secret | None, country: str, base_url: str
) -> OutgoingMessage:
    """The message as Twilio is asked for it."""
    verification_id, number = verification.verification_id, message.number
    link = None
    if verification.action is Action.LINK and secret is not None:
        link = f"{base_url}/confirm?id={link_id(verification_id, number, secret)}"
    return OutgoingMessage(
        to=verification.to,
        sender=verification.sender or policy.sender,
        body=render(
            verification.action.value,
            secret=secret.reveal() if secret is not None else None,
            link=link,
        ),
        status_callback=f"{base_url}/twilio/status?verification={verification_id}&message={number}#rc=5&rp=all",
        validity_s=policy.lifetime_s,
        attempt=number,
    )


def send(
    out: Outbound, verification_id: str, message: Message, outgoing: OutgoingMessage, journal: Journal
) -> Sent | None:
    """Ask Twilio for the message and store what became of it.

    Returns None where provably no message was created, so that all can be taken back.

    Raises
    ------
    Problem
        Twilio refused the message.
    """
    outcome = out.twilio.create_message(outgoing, CREATE_DEADLINE_S)
    sent = Sent(verification_id, message.expires_at, message.number, None)
    match outcome:
        case Created(sid):
            journal.count("Sent")
            journal.note(sid=sid)
            _store(out, verification_id, message.number, Delivery.ACCEPTED, journal, sid=sid)
            return Sent(verification_id, message.expires_at, message.number, sid)
        case SendUnknown():
            journal.count("SendFailed")
            journal.note(send="unknown")
            _store(out, verification_id, message.number, Delivery.UNKNOWN, journal)
            return sent
        case CreateRefused(code):
            journal.count("SendFailed")
            journal.note(send="rejected", twilio_code=code)
            _store(out, verification_id, message.number, Delivery.REJECTED, journal, error_code=code)
            raise problem_for(code)
        case NotSent():
            journal.count("SendFailed")
            journal.note(send="not-sent")
            return None


def _store(
    out: Outbound,
    verification_id: str,
    number: int,
    delivery: Delivery,
    journal: Journal,
    sid: str | None = None,
    error_code: int | None = None,
) -> None:
    """A write that fails here loses nothing: the status callback brings the SID again."""
    try:
        out.store.advance_message(verification_id, number, delivery, out.clock(), sid, error_code)
    except Unavailable:
        journal.note(attach="unavailable")


def answer_again(message: Message, verification_id: str) -> Sent:
    """The answer that was given for a stored message.

    Raises
    ------
    Problem
        Twilio had refused it.
    """
    if message.delivery is Delivery.REJECTED:
        raise problem_for(message.error_code)
    return Sent(verification_id, message.expires_at, message.number, message.sid)
