"""Start a verification: budget, record, message, SID, in this order."""

from dataclasses import dataclass, field

from otp_feedback.domain.errors import CountryNotAllowed, IdempotencyConflict, MalformedRequest, Unavailable
from otp_feedback.domain.ids import ID_BYTES, encode_id, new_verification_id
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.phone import PhoneNumber, parse_number
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.recipient import canonical_limit_key
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.senders import takes_replies
from otp_feedback.domain.verification import Action, Status, Verification
from otp_feedback.usecases.ports import Journal, Refused, Service
from otp_feedback.usecases.sending import (
    Draft,
    Replay,
    Sent,
    already_sent,
    answer_again,
    choose_locale,
    choose_secret,
    compose,
    dispatch,
    fixed_secret,
    new_message,
)


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

    def replay() -> Sent | None:
        kept = service.verifications.read(verification_id)
        return _stored_answer(kept, fingerprint, service.clock()) if kept is not None else None

    if fingerprint is not None and (answer := replay()) is not None:
        journal.note(replayed="yes")
        return answer
    draft = _draft(service, keys, request, number, origin, verification_id, fingerprint, replay)
    sent = dispatch(service, draft, journal)
    return _answer_of_other(sent, fingerprint, service.clock()) if isinstance(sent, Refused) else sent


def _draft(
    service: Service,
    keys: Keys,
    request: StartRequest,
    number: PhoneNumber,
    origin: Origin,
    verification_id: str,
    fingerprint: bytes | None,
    replay: Replay,
) -> Draft:
    fixed = fixed_secret(service.policy, number.e164, request.action, request.secret)
    secret = choose_secret(service, request.action, request.secret, request.sid)
    secret = fixed or secret
    message = new_message(service, keys, verification_id, 1, secret)
    needs_sending = request.sid is None and fixed is None
    if not needs_sending:
        message = already_sent(message, request.sid)
    verification = Verification(
        verification_id=verification_id,
        action=request.action,
        to=number.e164,
        created_at=message.sent_at,
        max_attempts=service.policy.limits.max_attempts,
        messages={1: message},
        locale=choose_locale(service.policy, request.template, request.action, request.locale),
        template=request.template,
        sender=request.sender or service.policy.sender,
        reference=request.reference,
        limit_key=_limit_key(keys, request.limit_key),
        fingerprint=fingerprint,
        is_test=fixed is not None,
    )
    outgoing = compose(service.policy, verification, message, secret, number.country, origin.base_url)
    return Draft(
        verification=verification,
        message=message,
        outgoing=outgoing if needs_sending else None,
        recipient=keys.recipient(number.e164),
        limited=fixed is None and (secret is not None or needs_sending),
        write=lambda request_token: service.verifications.create(
            verification, service.policy.record_ttl(message.sent_at), request_token
        ),
        undo=lambda request_token: service.verifications.delete_unsent(verification_id, request_token),
        replay=replay if fingerprint is not None else None,
    )


def _require_allowed(request: StartRequest, number: PhoneNumber, policy: Policy) -> None:
    if policy.countries is not None and number.country not in policy.countries:
        raise CountryNotAllowed
    if request.sender is not None and request.sender not in policy.senders:
        raise MalformedRequest("sender", "is not one of the stack's senders")
    if request.action is Action.REPLY and not takes_replies(request.sender or policy.sender):
        raise MalformedRequest("sender", "is alphanumeric, which nobody can reply to")


def _identify(service: Service, keys: Keys, request: StartRequest, origin: Origin) -> tuple[str, bytes | None]:
    """The verification's id and the request's fingerprint: both follow from an Idempotency-Key, where there is one."""
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


def _stored_answer(kept: Verification, fingerprint: bytes | None, now: int) -> Sent:
    if kept.fingerprint != fingerprint or kept.status_at(now) is not Status.PENDING:
        raise IdempotencyConflict
    return answer_again(kept.messages[1], kept.verification_id, now)


def _answer_of_other(refused: Refused[Verification], fingerprint: bytes | None, now: int) -> Sent:
    if fingerprint is None or refused.current is None:
        raise Unavailable
    return _stored_answer(refused.current, fingerprint, now)
