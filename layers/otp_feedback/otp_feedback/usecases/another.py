"""Send another message for a pending verification: the attempts are shared, secret and expiry are its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
from otp_feedback.domain.keys import Keys, Mac
from otp_feedback.domain.phone import PhoneNumber, recorded_number
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Status, Verification
from otp_feedback.usecases.ports import Journal, Refused, Service
from otp_feedback.usecases.sending import (
    Draft,
    Sent,
    already_sent,
    answer_again,
    choose_secret,
    compose,
    dispatch,
    fixed_secret,
    new_message,
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
    service: Service, verification_id: str, request: AnotherRequest, origin: Origin, journal: Journal
) -> Sent:
    """Send the next message of a verification.

    An expired verification may have another message too, as long as its record outlives it: its attempts go on where
    they stood.

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
    idempotency = _idempotency(keys, verification_id, request, origin)
    if (answer := _stored_answer(verification, idempotency, service.clock())) is not None:
        journal.note(replayed="yes")
        return answer
    _require_open(verification, service.clock())
    if service.policy.record_ttl(verification.created_at) * 1000 < service.clock() + service.policy.lifetime_s * 1000:
        raise Expired
    if verification.latest.number >= service.policy.max_messages:
        raise TooManyMessages
    sent = dispatch(service, _draft(service, keys, verification, request, number, origin, idempotency), journal)
    return _answer_of_other(sent, idempotency, service.clock()) if isinstance(sent, Refused) else sent


def _draft(
    service: Service,
    keys: Keys,
    verification: Verification,
    request: AnotherRequest,
    to: PhoneNumber,
    origin: Origin,
    idempotency: bytes | None,
) -> Draft:
    verification_id, number = verification.verification_id, verification.latest.number + 1
    fixed = fixed_secret(service.policy, verification.to, verification.action, request.secret)
    secret = fixed or _distinct_secret(service, keys, verification, request)
    message = replace(new_message(service, keys, verification_id, number, secret), idempotency=idempotency)
    needs_sending = request.sid is None and fixed is None
    if not needs_sending:
        message = already_sent(message, request.sid)
    outgoing = compose(service.policy, verification, message, secret, to.country, origin.base_url)

    def write(request_token: str) -> Refused[Verification] | None:
        written = service.verifications.add_message(verification_id, message, request_token)
        return written if isinstance(written, Refused) else None

    def replay() -> Sent | None:
        return _stored_answer(_read(service, verification_id), idempotency, service.clock())

    return Draft(
        verification=verification,
        message=message,
        outgoing=outgoing if needs_sending else None,
        recipient=keys.recipient(verification.to),
        limited=fixed is None and (secret is not None or needs_sending),
        write=write,
        undo=lambda request_token: service.verifications.remove_unsent_message(verification_id, number, request_token),
        replay=replay if idempotency is not None else None,
    )


def _read(service: Service, verification_id: str) -> Verification:
    verification = service.verifications.read(verification_id)
    if verification is None:
        raise UnknownVerification
    return verification


def _require_open(verification: Verification, now: int) -> None:
    closed = _CLOSED.get(verification.status_at(now))
    if closed is not None:
        raise closed


def _distinct_secret(
    service: Service, keys: Keys, verification: Verification, request: AnotherRequest
) -> Secret | None:
    """A secret that no earlier message carries, so that what is entered names one message."""
    while True:
        secret = choose_secret(service, verification.action, request.secret, request.sid)
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
