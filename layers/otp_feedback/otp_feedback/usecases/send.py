"""Ask Twilio for a message, and answer the caller."""

from collections.abc import Callable
from dataclasses import dataclass

from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import IdempotencyConflict, Unavailable
from otp_feedback.domain.twilio_errors import problem_for
from otp_feedback.domain.verification import Message
from otp_feedback.usecases.ports import (
    Created,
    CreateRefused,
    Journal,
    NotSent,
    OutgoingMessage,
    SendUnknown,
    Service,
)

CREATE_DEADLINE_S = 8.0
"""Seconds that Twilio has to create a message."""

REQUEST_ENDS_MS = 28_000
"""The function's own time-out: a request that wrote a message that long ago has sent it, or never will."""

REREADS = 5
REREAD_PAUSE_S = 0.1
"""How long a request waits for another one with the same Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from.

    Parameters
    ----------
    caller
        Who asks, as the authoriser says; keeps callers' Idempotency-Keys apart.
    idempotency_key
        The caller's key; None without one.
    base_url
        The stack's public address, without a slash at its end.
    """

    caller: str
    idempotency_key: str | None
    base_url: str


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
        Twilio's Message SID; None if Twilio has not answered, and for a test recipient.
    accepted
        Whether Twilio accepted the message; False if that is not known.
    """

    verification_id: str
    expires_at: int
    number: int
    sid: str | None
    accepted: bool


def send(
    service: Service, verification_id: str, message: Message, outgoing: OutgoingMessage | None, journal: Journal
) -> Sent:
    """Ask Twilio for a message that stands in its record, and store what became of it.

    Parameters
    ----------
    outgoing
        None if nothing needs sending.

    Raises
    ------
    Unavailable
        Provably no message was created, so all can be taken back.
    Problem
        Twilio refused the message.
    """
    if outgoing is None:
        if message.sid is not None:
            journal.count("Sent")
        journal.note(sid=message.sid)
        return answer_again(message, verification_id, message.sent_at)
    match service.twilio.create_message(outgoing, CREATE_DEADLINE_S):
        case Created(sid):
            journal.count("Sent")
            journal.note(sid=sid)
            _store(service, verification_id, message.number, Delivery.ACCEPTED, journal, sid=sid)
            return Sent(verification_id, message.expires_at, message.number, sid, accepted=True)
        case SendUnknown():
            journal.count("SendFailed")
            journal.note(send="unknown")
            _store(service, verification_id, message.number, Delivery.UNKNOWN, journal)
            return Sent(verification_id, message.expires_at, message.number, None, accepted=False)
        case CreateRefused(code):
            journal.count("SendFailed")
            journal.note(send="rejected", twilio_code=code)
            _store(service, verification_id, message.number, Delivery.REJECTED, journal, error_code=code)
            raise problem_for(code)
        case NotSent(code):
            journal.count("SendFailed")
            journal.note(send="not-sent", twilio_code=code)
            raise Unavailable


def _store(
    service: Service,
    verification_id: str,
    number: int,
    delivery: Delivery,
    journal: Journal,
    sid: str | None = None,
    error_code: int | None = None,
) -> None:
    """A write that fails here loses nothing: the status callback brings the SID again."""
    try:
        service.verifications.advance_message(verification_id, number, delivery, sid, error_code)
    except Unavailable:
        journal.note(attach="unavailable")


def answer_again(message: Message, verification_id: str, now: int) -> Sent:
    """The answer that was given for a stored message.

    Raises
    ------
    IdempotencyConflict
        Twilio was never asked, or its answer was lost and no callback came since: only a new key sends again.
    Problem
        Twilio had refused it.
    """
    if message.delivery < Delivery.REJECTED and now >= message.sent_at + REQUEST_ENDS_MS:
        raise IdempotencyConflict
    if message.delivery is Delivery.REJECTED:
        raise problem_for(message.error_code)
    accepted = message.delivery >= Delivery.ACCEPTED
    return Sent(verification_id, message.expires_at, message.number, message.sid, accepted)


def await_answer(service: Service, look: Callable[[], Sent | None], journal: Journal) -> Sent:
    """The answer of a request with the same Idempotency-Key that is under way.

    Raises
    ------
    Unavailable
        It is not done in time.
    """
    for attempt in range(REREADS):
        if attempt:
            service.sleep(REREAD_PAUSE_S)
        answer = look()
        if answer is not None:
            journal.note(replayed="yes")
            return answer
    raise Unavailable
