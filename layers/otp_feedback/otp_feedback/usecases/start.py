"""Start a verification: budget, record, message, SID, in this order."""

from dataclasses import dataclass, field

from otp_feedback.domain.actions import Action
from otp_feedback.domain.errors import CountryNotAllowed, IdempotencyConflict, MalformedRequest, Unavailable
from otp_feedback.domain.ids import ID_BYTES, encode_id, new_verification_id
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.phone import PhoneNumber, parse_number
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.recipient import canonical_limit_key
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.senders import takes_replies
from otp_feedback.domain.verification import Status, Verification
from otp_feedback.usecases.budget import Claim, HeldBySameRequest, slot
from otp_feedback.usecases.message import Draft, Given, draft
from otp_feedback.usecases.ports import Journal, Refused, Service
from otp_feedback.usecases.send import Origin, Sent, answer_again, await_answer, send


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What the caller asks for; see `POST /verifications`.

    Parameters
    ----------
    to
        E.164.
    secret, sid
        Only with action caller: its own secret, and the SID of a message it has already sent.
    """

    to: str = field(repr=False)
    action: Action
    locale: str | None = None
    reference: str | None = None
    template: str | None = None
    sender: str | None = None
    limit_key: str | None = field(default=None, repr=False)
    secret: Secret | None = None
    sid: str | None = None


def start(service: Service, request: StartRequest, origin: Origin, journal: Journal) -> Sent:
    """Send a verification's first message.

    Raises
    ------
    Problem
        Nothing was sent; which one says why.
    """
    number = parse_number(request.to)
    journal.note(to=number.masked, country=number.country, action=request.action.value)
    _require_allowed(request, number, service.policy)
    keys = service.vault.keys()
    verification_id, fingerprint = _identify(service, keys, request, origin)
    journal.note(verification=verification_id)
    if fingerprint is not None and (answer := _look(service, verification_id, fingerprint)) is not None:
        journal.note(replayed="yes")
        return answer
    now = service.clock()
    begun = _begun(service.policy, keys, request, verification_id, fingerprint, now)
    given = Given(request.secret, request.sid)
    drafted = draft(service, keys, begun, given, now, number.country, origin.base_url)
    try:
        sent = _write_and_send(service, keys, drafted, journal)
    except HeldBySameRequest:
        return await_answer(service, lambda: _look(service, verification_id, fingerprint), journal)
    return _answer_of_other(sent, fingerprint, service.clock()) if isinstance(sent, Refused) else sent


def _begun(
    policy: Policy, keys: Keys, request: StartRequest, verification_id: str, fingerprint: bytes | None, now: int
) -> Verification:
    """The verification, before it has a message."""
    return Verification(
        verification_id=verification_id,
        action=request.action,
        to=request.to,
        created_at=now,
        max_attempts=policy.limits.max_attempts,
        messages={},
        locale=request.locale,
        template=request.template,
        sender=request.sender or policy.sender,
        reference=request.reference,
        limit_key=_limit_key(keys, request.limit_key),
        fingerprint=fingerprint,
    )


def _write_and_send(service: Service, keys: Keys, drafted: Draft, journal: Journal) -> Sent | Refused[Verification]:
    """The answer; or, with everything given back, the record that stood there already."""
    verification = drafted.verification
    verification_id, token = verification.verification_id, service.new_request_token()
    claim = Claim.of(keys, drafted, is_repeatable=verification.fingerprint is not None)
    with slot(service, claim, token) as held:
        try:
            ttl = service.policy.record_ttl(verification.created_at)
            refused = service.verifications.create(verification, ttl, token)
            if refused is None:
                return send(service, verification_id, drafted.message, drafted.outgoing, journal)
        except Unavailable:
            # It may have been written: the same Idempotency-Key would then be answered, and nothing sent.
            service.verifications.delete_unsent(verification_id, token)
            raise
        held.give_back()
        return refused


def _require_allowed(request: StartRequest, number: PhoneNumber, policy: Policy) -> None:
    if policy.countries is not None and number.country not in policy.countries:
        raise CountryNotAllowed
    if request.sender is not None and request.sender not in policy.senders:
        raise MalformedRequest("sender", "is not one of the stack's senders")
    if request.action.traits.awaits_reply and not takes_replies(request.sender or policy.sender):
        raise MalformedRequest("sender", "is alphanumeric, which nobody can reply to")


def _identify(service: Service, keys: Keys, request: StartRequest, origin: Origin) -> tuple[str, bytes | None]:
    """The verification's id and the request's fingerprint; with an Idempotency-Key, both follow from it."""
    if origin.idempotency_key is None:
        return new_verification_id(service.random_bytes), None
    digest = keys.index("idempotency", origin.caller, origin.idempotency_key)
    return encode_id(digest[:ID_BYTES]), _fingerprint(keys, request)


def _limit_key(keys: Keys, text: str | None) -> bytes | None:
    return keys.index("limit", canonical_limit_key(text))[:16] if text is not None else None


def _fingerprint(keys: Keys, request: StartRequest) -> bytes:
    secret = request.secret.reveal() if request.secret is not None else None
    fields = (
        request.to,
        request.action.value,
        request.locale,
        request.reference,
        request.template,
        request.sender,
        request.limit_key,
        secret,
        request.sid,
    )
    return keys.index("fingerprint", *("-" if value is None else f"+{value}" for value in fields))[:16]


def _look(service: Service, verification_id: str, fingerprint: bytes | None) -> Sent | None:
    """The answer to an earlier request with the same Idempotency-Key, if there was one."""
    kept = service.verifications.read(verification_id)
    return _stored_answer(kept, fingerprint, service.clock()) if kept is not None else None


def _stored_answer(kept: Verification, fingerprint: bytes | None, now: int) -> Sent:
    if kept.fingerprint != fingerprint or kept.status_at(now) is not Status.PENDING:
        raise IdempotencyConflict
    return answer_again(kept.messages[1], kept.verification_id, now)


def _answer_of_other(refused: Refused[Verification], fingerprint: bytes | None, now: int) -> Sent:
    if fingerprint is None or refused.current is None:
        raise Unavailable
    return _stored_answer(refused.current, fingerprint, now)
