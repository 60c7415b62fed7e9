"""Send another message for a pending verification; it shares the attempts, and has a secret and an expiry of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import (
    AlreadyConfirmed,
    Canceled,
    IdempotencyConflict,
    Locked,
    TooManyMessages,
    Unavailable,
    UnknownVerification,
)
from otp_feedback.domain.phone import parse_number
from otp_feedback.domain.secret import Keys, Mac, Secret
from otp_feedback.domain.verification import Message, Status, Verification
from otp_feedback.usecases.ports import Journal, Refused
from otp_feedback.usecases.sending import (
    Outbound,
    Sent,
    answer_again,
    choose_secret,
    compose,
    new_message,
    recipient_id,
    reserve_budget,
    send,
)
from otp_feedback.usecases.start import Origin

KEY_DIGEST_BYTES = 16
BODY_DIGEST_BYTES = 8

_CLOSED: Mapping[Status, type[AlreadyConfirmed | Canceled | Locked]] = {
    Status.CONFIRMED: AlreadyConfirmed,
    Status.CANCELED: Canceled,
    Status.LOCKED: Locked,
}


@dataclass(frozen=True, slots=True)
class AnotherRequest:
    """What the caller gives again, because only MACs are kept; only with action caller."""

    secret: Secret | None = None
    sid: str | None = None


def send_another(
    out: Outbound, verification_id: str, request: AnotherRequest, origin: Origin, journal: Journal
) -> Sent:
    """Send the next message of a verification.

    An expired verification may have another message too: its attempts go on where they stood.

    Raises
    ------
    Problem
        Nothing was sent; which one says why.
    """
    journal.note(verification=verification_id)
    verification = _read(out, verification_id)
    keys = out.vault.keys()
    idempotency = _idempotency(keys, verification_id, request, origin)

    def replay() -> Sent | None:
        return _stored_answer(_read(out, verification_id), idempotency, out.clock())

    if idempotency is not None and (answer := _stored_answer(verification, idempotency, out.clock())) is not None:
        journal.note(replayed="yes")
        return answer
    _require_open(verification, out.clock())
    number = verification.latest.number + 1
    if number > out.policy.max_messages:
        raise TooManyMessages

    secret = _distinct_secret(out, keys, verification, request)
    message = replace(new_message(out, keys, verification_id, number, secret), idempotency=idempotency)
    if request.sid is not None:
        message = replace(message, sid=request.sid, delivery=Delivery.ACCEPTED, delivery_at=message.sent_at)
    recipient_number = parse_number(verification.to)
    journal.note(to=recipient_number.masked, country=recipient_number.country, action=verification.action.value)
    outgoing = compose(out.policy, verification, message, secret, recipient_number.country, origin.base_url)
    writer = out.new_writer()
    recipient = recipient_id(keys, verification.to)
    guessable = secret is not None or request.sid is None
    if guessable:
        answer = reserve_budget(
            out, recipient, verification_id, number, writer, replay if idempotency is not None else None
        )
        if answer is not None:
            journal.note(replayed="yes")
            return answer
    written = out.store.add_message(verification_id, message, writer)
    if isinstance(written, Refused):
        if guessable:
            out.store.release_send(recipient, writer)
        return _answer_of_other(written, idempotency, out.clock())
    if request.sid is not None:
        journal.count("Sent")
        return Sent(verification_id, message.expires_at, number, request.sid)
    sent = send(out, verification_id, message, outgoing, journal)
    if sent is None:
        out.store.remove_unsent_message(verification_id, number, writer)
        out.store.release_send(recipient, writer)
        raise Unavailable
    return sent


def _read(out: Outbound, verification_id: str) -> Verification:
    verification = out.store.read(verification_id)
    if verification is None:
        raise UnknownVerification
    return verification


def _require_open(verification: Verification, now: int) -> None:
    closed = _CLOSED.get(verification.status_at(now))
    if closed is not None:
        raise closed


def _distinct_secret(out: Outbound, keys: Keys, verification: Verification, request: AnotherRequest) -> Secret | None:
    """A secret that no earlier message carries, so that what is entered names one message."""
    while True:
        secret = choose_secret(out, verification.action, request.secret, request.sid)
        made_here = secret is not None and request.secret is None
        if not made_here or not _collides(keys, verification.verification_id, verification.macs, secret):
            return secret


def _collides(keys: Keys, verification_id: str, macs: Mapping[int, Mac], secret: Secret | None) -> bool:
    return secret is not None and bool(keys.matching(verification_id, macs, secret))


def _idempotency(keys: Keys, verification_id: str, request: AnotherRequest, origin: Origin) -> bytes | None:
    """The digest of key and body that is kept with the message."""
    if origin.idempotency_key is None:
        return None
    secret = f"+{request.secret.reveal()}" if request.secret is not None else "-"
    key = keys.index("another", origin.caller, verification_id, origin.idempotency_key)
    body = keys.index("another-body", secret, request.sid or "")
    return key[:KEY_DIGEST_BYTES] + body[:BODY_DIGEST_BYTES]


def _stored_answer(verification: Verification, idempotency: bytes | None, now: int) -> Sent | None:
    for message in verification.messages.values():
        if idempotency is None or message.idempotency is None:
            continue
        if message.idempotency[:KEY_DIGEST_BYTES] == idempotency[:KEY_DIGEST_BYTES]:
            if message.idempotency != idempotency or verification.status_at(now) is not Status.PENDING:
                raise IdempotencyConflict
            return answer_again(message, verification.verification_id)
    return None


def _answer_of_other(refused: Refused[Verification], idempotency: bytes | None, now: int) -> Sent:
    if refused.current is None:
        raise UnknownVerification
    answer = _stored_answer(refused.current, idempotency, now)
    if answer is not None:
        return answer
    _require_open(refused.current, now)
    raise Unavailable
