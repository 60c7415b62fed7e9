"""Confirm by an inbound message or call from the recipient."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from otp_feedback.domain.actions import Way, confirmed_by
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import Problem
from otp_feedback.domain.phone import number_at, recorded_number
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.recipient import Recipient, replied_to
from otp_feedback.domain.replies import refuses, why_no_answer
from otp_feedback.domain.senders import is_messaging_service, is_reached_at
from otp_feedback.domain.texts import ANY_LANGUAGE, ENGLISH, UnsupportedLocale, choose_language, spoken_language
from otp_feedback.domain.verification import Feedback, Message, Proof, State, Verification
from otp_feedback.usecases.confirm import confirm_unguessed
from otp_feedback.usecases.ports import Confirming, Journal, Service

NOTHING = ("-", 0)
"""What an inbound message or call is bound to if it answers no verification."""

REACTION = "reaction"
"""Twilio's `MessageType` of a WhatsApp reaction, whose `Body` is the sign alone."""

LATE_REPLY_MS = 3_600_000
"""How long after its expiry a message can still be answered by an inbound message or call that names none."""


@dataclass(frozen=True, slots=True)
class InboundReply:
    """An inbound message or call.

    Parameters
    ----------
    sid
        Its own SID.
    sender, receiver
        Twilio's `From` and `To`.
    body
        The text of a message; None for a call.
    original_sid
        The SID of the message that it answers, if the channel tells.
    opted_out
        Whether Twilio took it as opting out.
    kind
        Twilio's `MessageType`, if the channel tells.
    """

    sid: str
    sender: str = field(repr=False)
    receiver: str
    body: str | None = field(default=None, repr=False)
    original_sid: str | None = None
    opted_out: bool = False
    kind: str | None = None


def confirm_by_reply(service: Service, reply: InboundReply, journal: Journal) -> bool:
    """Find the verification that an inbound message or call answers, and confirm it.

    Returns whether it confirmed one. If not, it is for the user's own application; so is a late answer, though it is
    reported. The inbound SID is bound to its verification, or to none, before anything is confirmed. So a webhook that
    is repeated, after a crash or by somebody who recorded it, can only go on with the same one.
    """
    journal.note(inbound=reply.sid)
    number = number_at(reply.sender)
    if number is None:
        journal.note(ignored="no-number")
        return False
    journal.note(to=number.masked)
    bound = service.inbound.bound_inbound(reply.sid)
    if bound == NOTHING:
        journal.note(ignored="no-match")
    target = bound or _put(service, reply, number.e164, journal)
    if target == NOTHING:
        return False
    verification_id, message = target
    journal.note(verification=verification_id)
    try:
        confirm_unguessed(
            service, verification_id, Confirming(message, None, confirmed_by(Way.REPLY), Proof.SENDER), journal
        )
    except Problem as problem:
        if problem.name == "unavailable":
            raise
        journal.note(outcome=problem.name)
        return False
    return True


def _put(service: Service, reply: InboundReply, e164: str, journal: Journal) -> tuple[str, int]:
    """Bind an inbound message or call to what it answers; if that is nothing live, note that it came.

    If it says nothing and no reply is awaited, it leaves no trace: it could not confirm anything later either.
    """
    now, policy = service.clock(), service.policy
    line = _read_line(service, service.vault.keys().recipient(e164))
    ignored = _why_ignored(reply, policy)
    if ignored is not None and not line.awaiting:
        journal.note(ignored=ignored)
        return NOTHING
    found = _find(policy, reply, line, now) if ignored is None else None
    if found is not None and _is_refusal(reply, found[1], policy):
        found, ignored = None, "refusal"
    if found is None:
        journal.note(ignored=ignored or "no-match")
        if line.awaiting and policy.report_late_actions:
            service.inbound.note_inbound(line.recipient, now)
        return service.inbound.bind_inbound(reply.sid, *NOTHING)
    message, verification = found
    bound = service.inbound.bind_inbound(reply.sid, verification.verification_id, message.number)
    if not message.is_live(now):
        # Noted only now: if a crash has the webhook repeated, it must not look like a second one.
        service.inbound.note_inbound(line.recipient, now)
    return bound


@dataclass(frozen=True, slots=True)
class _Line:
    """What is known of a number that a message or call came from.

    Parameters
    ----------
    recipient
        The keyed digest of the number.
    awaiting
        The pending verifications among its last ten sends that await a reply.
    heard_at
        Epoch milliseconds of the last known message or call from it; 0 for none.
    """

    recipient: bytes
    awaiting: Sequence[Verification]
    heard_at: int


def asked(service: Service, recipient: Recipient, way: Way) -> list[Verification]:
    """The verifications among a recipient's last ten sends that a way in confirms, whatever became of them."""
    names = filter(None, dict.fromkeys(map(replied_to, recipient.holders)))
    read = map(service.verifications.read, names)
    return [each for each in read if each is not None and each.action.is_confirmed_by(way)]


def _read_line(service: Service, recipient_key: bytes) -> _Line:
    recipient = service.budgets.read_recipient(recipient_key) or Recipient()
    verifications = asked(service, recipient, Way.REPLY)
    confirmations = [each.confirmation for each in verifications if each.confirmation]
    answered = [each.at for each in confirmations if each.proof is Proof.SENDER]
    awaiting = [each for each in verifications if each.state is State.PENDING]
    return _Line(recipient_key, awaiting, max(recipient.last_inbound_at or 0, *answered, 0))


def _why_ignored(reply: InboundReply, policy: Policy) -> str | None:
    """Why it cannot be an answer: one word for the log, or None. A call always can."""
    if reply.opted_out:
        return "opt-out"
    if reply.kind == REACTION:
        return "reaction"
    return why_no_answer(reply.body, policy.reply_keyword) if reply.body is not None else None


def _is_refusal(reply: InboundReply, verification: Verification, policy: Policy) -> bool:
    return reply.body is not None and refuses(reply.body, _language_of(verification, policy), policy.reply_keyword)


def _language_of(verification: Verification, policy: Policy) -> str:
    """The language of a verification's message; if its template is for all languages, the one asked for."""
    country = recorded_number(verification.to).country
    locale = verification.locale or policy.language
    template = policy.templates.get(verification.template or "")
    try:
        language = choose_language(verification.action, locale, country, template)
        return language if language != ANY_LANGUAGE else spoken_language(locale, country)
    except UnsupportedLocale:
        return ENGLISH


def _find(policy: Policy, reply: InboundReply, line: _Line, now: int) -> tuple[Message, Verification] | None:
    """The message that a reply answers: the one that it names, else the newest one from the sender that it went to."""
    candidates = [
        (message, verification)
        for verification in line.awaiting
        for message in verification.messages.values()
        if _answers(reply, verification, message)
        and (message.is_live(now) or _may_come_late(policy, reply, message, line, now))
    ]
    return max(candidates, key=lambda pair: _preference(pair[0], now), default=None)


def _answers(reply: InboundReply, verification: Verification, message: Message) -> bool:
    sender = verification.sender_of(message)
    if reply.original_sid is not None:
        comes_back = is_reached_at(sender, reply.receiver) or is_messaging_service(sender)
        return message.sid == reply.original_sid and comes_back
    return is_reached_at(sender, reply.receiver) and message.delivery is not Delivery.REJECTED


def _may_come_late(policy: Policy, reply: InboundReply, message: Message, line: _Line, now: int) -> bool:
    """Whether a reply to an expired message is still to be reported.

    A reply that names no message may be about anything: only the first one since, and soon, counts as the answer.
    """
    is_first = line.heard_at <= message.sent_at and now < message.expires_at + LATE_REPLY_MS
    is_open = policy.report_late_actions and message.feedback is Feedback.NONE
    return is_open and (is_first or reply.original_sid is not None)


def _preference(message: Message, now: int) -> tuple[bool, bool, bool, int]:
    """By the time of a reply, a message that was sent has a SID; without one, perhaps it was never sent."""
    return message.is_live(now), message.delivery.arrived, message.sid is not None, message.sent_at
