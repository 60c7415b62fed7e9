"""Send another message for a pending verification: the attempts are shared, secret and expiry are its own."""

from collections.abc import Mapping
from dataclasses import replace

from otp_feedback.domain.errors import (
    AlreadyConfirmed,
    Canceled,
    Expired,
    IdempotencyConflict,
    Locked,
    TooManyMessages,
    Unavailable,
    UnknownVerification,
)
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.phone import recorded_number
from otp_feedback.domain.verification import Status, Verification
from otp_feedback.usecases.budget import Claim, HeldBySameRequest, slot
from otp_feedback.usecases.message import Draft, Given, draft
from otp_feedback.usecases.ports import Journal, Refused, Service
from otp_feedback.usecases.send import Origin, Sent, answer_again, await_answer, send

KEY_DIGEST_BYTES = 16
BODY_DIGEST_BYTES = 8

_CLOSED: Mapping[Status, type[AlreadyConfirmed | Canceled | Locked]] = {
    Status.CONFIRMED: AlreadyConfirmed,
    Status.CANCELED: Canceled,
    Status.LOCKED: Locked,
}


def send_another(service: Service, verification_id: str, given: Given, origin: Origin, journal: Journal) -> Sent:
    """Send the next message of a verification.

    An expired verification may have another message too, if its record outlives that message. The attempts already
    taken stay taken.

    Raises
    ------
    Problem
        Nothing was sent; which one says why.
    """
    verification = _read(service, verification_id)
    number = recorded_number(verification.to)
    journal.note(verification=verification_id, to=number.masked, country=number.country)
    journal.note(action=verification.action.value, number=verification.latest.number + 1)
    keys = service.vault.keys()
    idempotency = _idempotency(keys, verification_id, given, origin)
    if (answer := _stored_answer(verification, idempotency, service.clock())) is not None:
        journal.note(replayed="yes")
        return answer
    _require_open(verification, service.clock())
    if service.policy.record_ttl(verification.created_at) * 1000 < service.clock() + service.policy.lifetime_s * 1000:
        raise Expired
    if verification.latest.number >= service.policy.max_messages:
        raise TooManyMessages
    drafted = draft(service, keys, verification, given, service.clock(), number.country, origin.base_url)
    drafted = replace(drafted, message=replace(drafted.message, idempotency=idempotency))
    try:
        sent = _write_and_send(service, keys, drafted, journal)
    except HeldBySameRequest:
        return await_answer(service, lambda: _look(service, verification_id, idempotency), journal)
    return _answer_of_other(sent, idempotency, service.clock()) if isinstance(sent, Refused) else sent


def _write_and_send(service: Service, keys: Keys, drafted: Draft, journal: Journal) -> Sent | Refused[Verification]:
    """The answer; or, with everything given back, the record that took no message."""
    verification_id, message = drafted.verification.verification_id, drafted.message
    token = service.new_request_token()
    claim = Claim.of(keys, drafted, is_repeatable=message.idempotency is not None)
    with slot(service, claim, token) as held:
        try:
            written = service.verifications.add_message(verification_id, message, token)
            if isinstance(written, Verification):
                return send(service, verification_id, message, drafted.outgoing, journal)
        except Unavailable:
            service.verifications.remove_unsent_message(verification_id, message.number, token)
            raise
        held.give_back()
        return written


def _look(service: Service, verification_id: str, idempotency: bytes | None) -> Sent | None:
    """The answer to an earlier request with the same Idempotency-Key, if there was one."""
    return _stored_answer(_read(service, verification_id), idempotency, service.clock())


def _read(service: Service, verification_id: str) -> Verification:
    verification = service.verifications.read(verification_id)
    if verification is None:
        raise UnknownVerification
    return verification


def _require_open(verification: Verification, now: int) -> None:
    closed = _CLOSED.get(verification.status_at(now))
    if closed is not None:
        raise closed


def _idempotency(keys: Keys, verification_id: str, given: Given, origin: Origin) -> bytes | None:
    """The digest of key and body that is kept with the message."""
    if origin.idempotency_key is None:
        return None
    secret = f"+{given.secret.reveal()}" if given.secret is not None else "-"
    key = keys.index("another", origin.caller, verification_id, origin.idempotency_key)
    body = keys.index("another-body", secret, given.sid or "")
    return key[:KEY_DIGEST_BYTES] + body[:BODY_DIGEST_BYTES]


def _stored_answer(verification: Verification, idempotency: bytes | None, now: int) -> Sent | None:
    for message in verification.messages.values():
        if idempotency is None or message.idempotency is None:
            continue
        if message.idempotency[:KEY_DIGEST_BYTES] == idempotency[:KEY_DIGEST_BYTES]:
            if message.idempotency != idempotency or verification.status_at(now) is not Status.PENDING:
                raise IdempotencyConflict
            return answer_again(message, verification.verification_id, now)
    return None


def _answer_of_other(refused: Refused[Verification], idempotency: bytes | None, now: int) -> Sent:
    if refused.current is None:
        raise UnknownVerification
    answer = _stored_answer(refused.current, idempotency, now)
    if answer is not None:
        return answer
    _require_open(refused.current, now)
    raise Unavailable
