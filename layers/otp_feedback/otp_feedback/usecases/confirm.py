"""Confirm that the action was performed. Whatever the way in, `_confirm` is the one place that writes it."""

from collections.abc import Iterable
from dataclasses import replace

from otp_feedback.domain.actions import Action, Way, canonical_forms, confirmed_by
from otp_feedback.domain.backoff import INLINE_LEASE_MS
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import (
    AlreadyConfirmed,
    Canceled,
    Expired,
    Locked,
    MalformedRequest,
    Problem,
    Unavailable,
    UnknownVerification,
    WrongAction,
    WrongSecret,
)
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.links import parse_link_id
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Confirmation, Message, Proof, State, Verification
from otp_feedback.usecases.ports import Confirming, Expectation, Journal, Refused, Service
from otp_feedback.usecases.report import report_inline

ANYONE = Expectation()


def check(
    service: Service,
    verification_id: str,
    guess: Secret,
    journal: Journal,
    *,
    way: Way = Way.CHECK,
    expect: Expectation = ANYONE,
) -> Verification:
    """Confirm by a secret that came back.

    The attempt is reserved before anything is compared: comparing first lets parallel guesses overrun the limit.
    The record that comes back has the action, and so the one form of the guess that is compared. If that form is empty,
    no attempt is reserved.

    Raises
    ------
    Problem
        Not confirmed; which one says why.
    """
    journal.note(verification=verification_id)
    actions = confirmed_by(way)
    forms = canonical_forms(guess, actions)
    if not forms:
        raise _nothing_entered()
    keys = service.vault.keys()
    request_token = service.new_request_token()
    reserved = service.verifications.reserve_attempt(verification_id, frozenset(forms), expect, request_token)
    if isinstance(reserved, Refused):
        if (again := _confirmed_by_it(service, keys, reserved.current, actions, guess)) is not None:
            return again
        raise _counted(_why_not_checked(reserved.current, actions, frozenset(forms), expect), journal)
    if keys.unknown_key_ids(reserved.macs.values()):
        keys = service.vault.refreshed_keys()
    matching = _sent_ones(reserved, keys.matching(verification_id, reserved.macs, forms[reserved.action]))
    now = service.clock()
    for number in sorted(matching, reverse=True):
        message = reserved.messages[number]
        if message.is_live(now):
            confirming = Confirming(number, message.mac, actions, Proof.SECRET)
            confirmed = _confirm(service, keys, reserved, confirming, guess, request_token, journal)
            if confirmed is not None:
                return confirmed
        _report_late(service, reserved, message, journal)
    if not matching:
        service.budgets.add_failure(keys.recipient(reserved.to))
    if keys.unknown_key_ids(reserved.macs.values()):
        raise Unavailable
    raise _counted(_missed(reserved, service.clock()), journal)


def _sent_ones(verification: Verification, numbers: Iterable[int]) -> frozenset[int]:
    """The messages that Twilio did not refuse: nobody can have acted on one that was never sent."""
    return frozenset(n for n in numbers if verification.messages[n].delivery is not Delivery.REJECTED)


def confirm_link(service: Service, link: str, journal: Journal) -> Verification:
    """Confirm by the id that a link carried; idempotent for the same link that confirmed.

    Raises
    ------
    Problem
        Not confirmed; the public page gives one answer for all of them.
    """
    parsed = parse_link_id(link)
    if parsed is None:
        raise MalformedRequest("id", "must be the id of a link")
    verification_id, secret = parsed
    return check(service, verification_id, secret, journal, way=Way.LINK)


def confirm_by_caller(service: Service, verification_id: str, number: int | None, journal: Journal) -> Verification:
    """Confirm by the caller's own word that it saw the action; idempotent.

    Nothing is compared, so no attempt is reserved.

    Parameters
    ----------
    number
        The message that was acted on; None if only one was sent.

    Raises
    ------
    Problem
        Not confirmed; which one says why.
    """
    journal.note(verification=verification_id)
    return confirm_unguessed(
        service, verification_id, Confirming(number, None, confirmed_by(Way.WORD), Proof.CALLER), journal
    )


def confirm_unguessed(service: Service, verification_id: str, confirming: Confirming, journal: Journal) -> Verification:
    """Confirm without a comparison; if the same was confirmed before, say so again.

    Raises
    ------
    Problem
        Not confirmed; which one says why.
    """
    keys = service.vault.keys()
    written = _write_confirmed(service, verification_id, confirming, service.new_request_token())
    if isinstance(written, Refused) and (only := _only_one_sent(written.current, confirming)) is not None:
        confirming = replace(confirming, only=only)
        written = _write_confirmed(service, verification_id, confirming, service.new_request_token())
    if isinstance(written, Verification):
        return _after_confirming(service, keys, written, journal)
    return _answer_again(service, written.current, confirming, journal)


def cancel(service: Service, verification_id: str, journal: Journal) -> Verification:
    """Cancel a pending verification; idempotent.

    Raises
    ------
    UnknownVerification, AlreadyConfirmed
    """
    journal.note(verification=verification_id)
    written = service.verifications.cancel(verification_id, service.new_request_token())
    if isinstance(written, Verification):
        return written
    if written.current is None:
        raise UnknownVerification
    if written.current.state is State.CONFIRMED:
        raise AlreadyConfirmed
    return written.current


def _answer_again(
    service: Service, current: Verification | None, confirming: Confirming, journal: Journal
) -> Verification:
    """The answer to a word or reply that changed nothing."""
    number = confirming.message
    problem = _why_not_open(current, confirming.actions, ANYONE)
    if current is None:
        raise problem
    if isinstance(problem, AlreadyConfirmed) and number in (None, _confirmation_of(current).message):
        return current
    if isinstance(problem, Unavailable):
        message = _named(current, number)
        if message.is_live(service.clock()):
            raise problem
        _report_late(service, current, message, journal)
        problem = Expired()
    raise _counted(problem, journal)


def _write_confirmed(
    service: Service, verification_id: str, confirming: Confirming, request_token: str
) -> Verification | Refused[Verification]:
    now = service.clock()
    return service.verifications.confirm(verification_id, confirming, now, now + INLINE_LEASE_MS, request_token)


def _confirm(
    service: Service,
    keys: Keys,
    reserved: Verification,
    confirming: Confirming,
    guess: Secret,
    request_token: str,
    journal: Journal,
) -> Verification | None:
    """Write `confirmed` for a message whose secret came back; None if it expired in the meantime."""
    written = _write_confirmed(service, reserved.verification_id, confirming, request_token)
    if isinstance(written, Verification):
        return _after_confirming(service, keys, written, journal)
    if written.current is None:
        raise UnknownVerification
    if (again := _confirmed_by_it(service, keys, written.current, confirming.actions, guess)) is not None:
        return again
    ended = _ENDED.get(written.current.state)
    if ended is not None:
        raise ended
    return None


def _confirmed_by_it(
    service: Service, keys: Keys, current: Verification | None, actions: frozenset[Action], guess: Secret
) -> Verification | None:
    """The verification as it stands, if the guess is the same link that confirmed it; else None.

    Only that message's MAC is compared: 128 bits need no attempt.

    Raises
    ------
    Unavailable
        The MAC's key is not known.
    """
    if current is None or current.confirmation is None or current.action not in actions:
        return None
    if current.action.traits.carries != "link":
        return None
    number = current.confirmation.message
    macs = {each: mac for each, mac in current.macs.items() if each == number}
    if keys.unknown_key_ids(macs.values()):
        keys = service.vault.refreshed_keys()
    if keys.unknown_key_ids(macs.values()):
        raise Unavailable
    return current if keys.matching(current.verification_id, macs, guess) else None


def _after_confirming(service: Service, keys: Keys, confirmed: Verification, journal: Journal) -> Verification:
    confirmation = _confirmation_of(confirmed)
    if not confirmed.is_test:
        journal.count("Confirmed")
    journal.note(number=confirmation.message, proof=confirmation.proof.value, action=confirmed.action.value)
    if confirmation.proof is not Proof.SENDER:
        _reset_failures(service, keys, confirmed, journal)
    message = confirmed.messages[confirmation.message]
    settled = report_inline(service, confirmed, message, journal)
    return confirmed.with_feedback(message.number, settled)


def _reset_failures(service: Service, keys: Keys, confirmed: Verification, journal: Journal) -> None:
    """If this fails, the verification stays confirmed, and the limit is only stricter."""
    try:
        service.budgets.reset_failures(keys.recipient(confirmed.to), service.clock())
    except Unavailable:
        journal.note(reset="unavailable")


def _report_late(service: Service, verification: Verification, message: Message, journal: Journal) -> None:
    """Report a message that arrived and was acted on, though too late to confirm."""
    if verification.is_test or not service.policy.report_late_actions:
        return
    now = service.clock()
    written = service.verifications.report_late(verification.verification_id, message, now)
    if isinstance(written, Verification):
        journal.count("FeedbackDeferred")
        journal.note(late=message.number)


def _why_not_open(current: Verification | None, actions: frozenset[Action], expect: Expectation) -> Problem:
    """Why a verification takes no guess and no word."""
    if current is None or not _is_expected(current, expect):
        return UnknownVerification()
    if current.action not in actions:
        return WrongAction()
    ended = _ENDED.get(current.state)
    if ended is not None:
        return ended()
    return Unavailable() if current.attempts_left else Locked()


def _why_not_checked(
    current: Verification | None, actions: frozenset[Action], entered: frozenset[Action], expect: Expectation
) -> Problem:
    """Why a verification takes no guess; without a secret in any message there is nothing to guess.

    `entered` are the actions for which something was entered.
    """
    problem = _why_not_open(current, actions, expect)
    if current is None or not isinstance(problem, Unavailable):
        return problem
    if not current.macs:
        return WrongAction()
    return problem if current.action in entered else _nothing_entered()


def _nothing_entered() -> MalformedRequest:
    return MalformedRequest("secret", "holds no letter and no digit")


def _is_expected(current: Verification, expect: Expectation) -> bool:
    return expect.to in (None, current.to) and expect.reference in (None, current.reference)


def _missed(reserved: Verification, now: int) -> Problem:
    return WrongSecret(reserved.attempts_left) if reserved.has_live_message(now) else Expired()


def _only_one_sent(current: Verification | None, confirming: Confirming) -> int | None:
    """The message that was acted on, if none was named and Twilio refused all others; else None."""
    if current is None or confirming.message is not None:
        return None
    sent = _sent_ones(current, current.messages)
    return next(iter(sent - {confirming.only}), None) if len(sent) == 1 else None


def _named(current: Verification, number: int | None) -> Message:
    sent = _sent_ones(current, current.messages)
    if number is None and len(sent) > 1:
        raise MalformedRequest("message", "is required where several messages were sent")
    if number is None:
        number = next(iter(sent), None)
    if number not in sent:
        raise MalformedRequest("message", "names no message of this verification that was sent")
    return current.messages[number]


def _confirmation_of(verification: Verification) -> Confirmation:
    if verification.confirmation is None:
        raise ValueError("the verification is not confirmed")
    return verification.confirmation


def _counted(problem: Problem, journal: Journal) -> Problem:
    metric = _METRICS.get(type(problem))
    if metric is not None:
        journal.count(metric)
    return problem


_ENDED: dict[State, type[AlreadyConfirmed | Canceled]] = {
    State.CONFIRMED: AlreadyConfirmed,
    State.CANCELED: Canceled,
}

_METRICS: dict[type[Problem], str] = {WrongSecret: "WrongSecret", Expired: "Expired", Locked: "Locked"}
