"""Confirm by an inbound message or call from the recipient."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import MalformedRequest, Problem
from otp_feedback.domain.phone import mask, parse_number
from otp_feedback.domain.replies import holds_keyword, opts_out
from otp_feedback.domain.senders import WHATSAPP, is_messaging_service
from otp_feedback.domain.verification import Action, Feedback, Message, Proof, State, Verification
from otp_feedback.usecases.confirm import Inbound, confirm_unguessed
from otp_feedback.usecases.ports import Confirming, Journal
from otp_feedback.usecases.sending import recipient_id, replied_to

NOTHING = ("-", 0)
"""What an inbound message or call is bound to that answers no verification."""

REPLIED = frozenset({Action.REPLY})

LATE_REPLY_MS = 3_600_000
"""How long after its expiry a message is taken for what an inbound message or call answers, where that names none."""


@dataclass(frozen=True, slots=True)
class Reply:
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
        The message it answers, where the channel tells.
    opted_out
        Whether Twilio took it for opting out.
    """

    sid: str
    sender: str = field(repr=False)
    receiver: str
    body: str | None = field(default=None, repr=False)
    original_sid: str | None = None
    opted_out: bool = False


def confirm_by_reply(inbound: Inbound, reply: Reply, journal: Journal) -> bool:
    """Put an inbound message or call to the verification that it answers, and confirm that.

    Returns whether it answered one; what does not is for the user's own application.
    The inbound SID is bound to its verification, or to none, before anything is confirmed: a webhook that is repeated,
    after a crash or by somebody who recorded it, can only go on with the same.
    """
    journal.note(inbound=reply.sid)
    if reply.opted_out or (reply.body is not None and opts_out(reply.body)):
        journal.note(ignored="opt-out")
        return False
    e164 = _number_of(reply)
    if e164 is None:
        journal.note(ignored="no-number")
        return False
    journal.note(to=mask(e164))
    if reply.body is not None and not holds_keyword(reply.body, inbound.reporting.policy.reply_keyword):
        journal.note(ignored="no-keyword")
        return False
    store = inbound.reporting.store
    target = store.bound_inbound(reply.sid)
    if target is None:
        target = store.bind_inbound(reply.sid, *_find(inbound, reply, e164))
    if target == NOTHING:
        journal.note(ignored="no-match")
        return False
    verification_id, number = target
    journal.note(verification=verification_id)
    try:
        confirm_unguessed(inbound, verification_id, Confirming(number, None, REPLIED, Proof.SENDER), journal)
    except Problem as problem:
        if problem.name == "unavailable":
            raise
        journal.note(outcome=problem.name)
        return True
    return True


def _number_of(reply: Reply) -> str | None:
    try:
        return parse_number(reply.sender.removeprefix(WHATSAPP), "From").e164
    except MalformedRequest:
        return None


def _find(inbound: Inbound, reply: Reply, e164: str) -> tuple[str, int]:
    """The message that a reply answers: the one that it names, else the newest one that came from where it went to."""
    now = inbound.reporting.clock()
    reports_late = inbound.reporting.policy.report_late_actions
    candidates = [
        (message, verification)
        for verification in _awaiting(inbound, e164)
        for message in verification.messages.values()
        if _answers(reply, verification, message)
        and (message.is_live(now) or (reports_late and _may_come_late(reply, message, now)))
    ]
    if not candidates:
        return NOTHING
    message, verification = max(candidates, key=lambda pair: _preference(pair[0], now))
    return verification.verification_id, message.number


def _awaiting(inbound: Inbound, e164: str) -> Iterable[Verification]:
    """The pending verifications among a number's last ten sends that await a reply."""
    store = inbound.reporting.store
    recipient = store.read_recipient(recipient_id(inbound.vault.keys(), e164))
    holders = recipient.holders if recipient is not None else ()
    for verification_id in dict.fromkeys(map(replied_to, holders)):
        verification = store.read(verification_id) if verification_id is not None else None
        if verification is not None and verification.state is State.PENDING and verification.action is Action.REPLY:
            yield verification


def _answers(reply: Reply, verification: Verification, message: Message) -> bool:
    sender = verification.sender_of(message)
    if reply.original_sid is not None:
        return message.sid == reply.original_sid and (sender == reply.receiver or is_messaging_service(sender))
    return sender == reply.receiver and message.delivery is not Delivery.REJECTED


def _may_come_late(reply: Reply, message: Message, now: int) -> bool:
    """Whether a reply to an expired message is still to be reported; if not, it is for the user's own application."""
    is_recent = now < message.expires_at + LATE_REPLY_MS
    return message.feedback is Feedback.NONE and (is_recent or reply.original_sid is not None)


def _preference(message: Message, now: int) -> tuple[bool, bool, bool, int]:
    """Without a SID it was perhaps never sent: by the time of a reply, what was sent has one."""
    return message.is_live(now), message.delivery.arrived, message.sid is not None, message.sent_at
