"""Report to Twilio that a message was acted on: one try, and the one within the confirming request."""

from dataclasses import dataclass

from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.outcomes import INLINE_BATCH
from otp_feedback.domain.verification import Feedback, Message, Verification
from otp_feedback.usecases.ports import (
    FeedbackAccepted,
    FeedbackDeferred,
    FeedbackNotFound,
    FeedbackRefused,
    Journal,
    Service,
)

NOT_FOUND = "not-found"
"""The word for a 404 that is left to the outbox."""


@dataclass(frozen=True, slots=True)
class Reported:
    """How a try to report ended.

    Parameters
    ----------
    feedback
        What the message's feedback is now.
    word
        One word for the log.
    code
        Twilio's error code, if it refused.
    """

    feedback: Feedback
    word: str
    code: int | None = None


def report(
    service: Service,
    verification: Verification,
    message: Message,
    deadline_s: float,
    journal: Journal,
    *,
    inline: bool = False,
) -> Reported:
    """Post a message's feedback and store the outcome; if that fails, it stays due.

    Whether a 404 is final depends on how other reports ended, so only the outbox decides that.
    """
    if message.sid is None:
        journal.count("FeedbackDeferred")
        return Reported(Feedback.DUE, "sid-unknown")
    match service.twilio.post_feedback(message.sid, deadline_s):
        case FeedbackAccepted():
            journal.count("FeedbackReported")
            settle(service, verification, message, Feedback.REPORTED)
            _note_outcome(service, message)
            return Reported(Feedback.REPORTED, "reported")
        case FeedbackNotFound(code) if not message.registered:
            return _not_found(service, verification, message, code, journal, inline=inline)
        case FeedbackRefused(code) | FeedbackNotFound(code):
            _note_outcome(service, message)
            return _rejected(service, verification, message, code, journal)
        case FeedbackDeferred(reason):
            journal.count("FeedbackDeferred")
            return Reported(Feedback.DUE, reason)


def _note_outcome(service: Service, message: Message) -> None:
    """A SID that a caller gave may be wrong, which says nothing about Twilio."""
    if not message.registered:
        service.outcomes.note()


def add_up_outcomes(service: Service, journal: Journal, *, at_least: int = 1) -> None:
    """Add to all processes' outcomes; see `domain.outcomes`."""
    if not service.outcomes.add_up(service.clock(), at_least=at_least):
        journal.note(outcomes="unavailable")


def _not_found(
    service: Service,
    verification: Verification,
    message: Message,
    code: int | None,
    journal: Journal,
    *,
    inline: bool,
) -> Reported:
    if inline:
        journal.count("FeedbackDeferred")
        return Reported(Feedback.DUE, NOT_FOUND, code)
    if service.outcomes.note_not_found(service.clock(), again=verification.feedback_failures > 0):
        journal.count("FeedbackSuspended")
        return Reported(Feedback.DUE, "suspended", code)
    return _rejected(service, verification, message, code, journal)


def _rejected(
    service: Service, verification: Verification, message: Message, code: int | None, journal: Journal
) -> Reported:
    journal.count("FeedbackRejected")
    settle(service, verification, message, Feedback.REJECTED)
    return Reported(Feedback.REJECTED, "rejected", code)


def settle(service: Service, verification: Verification, message: Message, outcome: Feedback) -> None:
    """Store how a message's feedback ended; the record leaves the outbox if nothing else is due."""
    ttl = service.policy.record_ttl(service.clock())
    service.verifications.settle_feedback(verification, message.number, outcome, ttl)


def report_inline(service: Service, verification: Verification, message: Message, journal: Journal) -> Feedback:
    """Report within the confirming request; whatever happens, the user's answer stands, and the outbox tries again."""
    try:
        return _report_inline(service, verification, message, journal)
    except Unavailable:
        journal.note(feedback="unsettled")
    except Exception as error:  # noqa: BLE001 - what is confirmed must be answered so, and the outbox meets the fault too
        journal.count("Fault")
        journal.note(feedback="fault", error=type(error).__name__)
    return Feedback.DUE


def _report_inline(service: Service, verification: Verification, message: Message, journal: Journal) -> Feedback:
    breaker = service.breaker
    deadline_s = service.policy.feedback_timeout_ms / 1000 - service.spent_s()
    if verification.is_test:
        settle(service, verification, message, Feedback.NONE)
        return Feedback.NONE
    if deadline_s <= 0 or not breaker.lets_through(service.clock()):
        journal.count("FeedbackDeferred")
        journal.note(feedback="left-to-outbox")
        return Feedback.DUE
    reported = report(service, verification, message, deadline_s, journal, inline=True)
    add_up_outcomes(service, journal, at_least=INLINE_BATCH)
    journal.note(feedback=reported.word, twilio_code=reported.code)
    if message.sid is not None:
        unanswered = reported.feedback is Feedback.DUE and reported.word != NOT_FOUND
        breaker.record(failed=unanswered, now=service.clock())
    return reported.feedback
