"""Report to Twilio that a message was acted on, at once or from the outbox."""

from collections.abc import Callable
from dataclasses import dataclass

from otp_feedback.domain.backoff import next_attempt_at
from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.verification import Feedback, Message, Verification
from otp_feedback.usecases.ports import (
    Clock,
    DueReport,
    FeedbackAccepted,
    FeedbackDeferred,
    FeedbackRefused,
    Journal,
    Store,
    Twilio,
)

REPORT_DEADLINE_S = 5.0
"""Seconds that Twilio has for a report from the outbox."""

SID_WAIT_MS = 60_000
"""How long an entry whose SID is not known yet waits before it is looked at again."""

OUTBOX_SHARDS = 16
BATCH = 100


@dataclass(frozen=True, slots=True)
class Reporting:
    """Everything that reporting needs from outside; `fraction` draws from [0, 1)."""

    store: Store
    twilio: Twilio
    clock: Clock
    fraction: Callable[[], float]
    policy: Policy


def report(
    reporting: Reporting, verification: Verification, message: Message, deadline_s: float, journal: Journal
) -> Feedback:
    """Post a message's feedback and note the outcome; what does not work out stays due."""
    if message.sid is None:
        journal.count("FeedbackDeferred")
        journal.note(feedback="sid-unknown")
        return Feedback.DUE
    match reporting.twilio.post_feedback(message.sid, deadline_s):
        case FeedbackAccepted():
            journal.count("FeedbackReported")
            journal.note(feedback="reported")
            return settle(reporting, verification, message, Feedback.REPORTED)
        case FeedbackRefused(code):
            journal.count("FeedbackRejected")
            journal.note(feedback="rejected", twilio_code=code)
            return settle(reporting, verification, message, Feedback.REJECTED)
        case FeedbackDeferred(reason):
            journal.count("FeedbackDeferred")
            journal.note(feedback=reason)
            return Feedback.DUE


def settle(reporting: Reporting, verification: Verification, message: Message, outcome: Feedback) -> Feedback:
    """Note what came of a message's feedback, and leave the outbox where nothing else is due."""
    ttl = reporting.policy.record_ttl(reporting.clock())
    reporting.store.settle_feedback(verification, message.number, outcome, ttl)
    return outcome


def report_inline(reporting: Reporting, verification: Verification, message: Message, journal: Journal) -> Feedback:
    """Report within the confirming request; whatever happens, the user's answer stands and the outbox has the rest."""
    timeout_ms = reporting.policy.feedback_timeout_ms
    if timeout_ms == 0:
        journal.count("FeedbackDeferred")
        return Feedback.DUE
    try:
        return report(reporting, verification, message, timeout_ms / 1000, journal)
    except Unavailable:
        journal.note(feedback="unsettled")
        return Feedback.DUE


def retry_due_reports(reporting: Reporting, out_of_time: Callable[[], bool], journal: Journal) -> int:
    """Work through the outbox, oldest first; returns how many entries were taken up.

    Parameters
    ----------
    out_of_time
        Whether the function must come to an end; asked before each entry.
    """
    taken = 0
    for shard in range(OUTBOX_SHARDS):
        for due in reporting.store.due_reports(shard, reporting.clock(), BATCH):
            if out_of_time():
                return taken
            taken += 1
            _retry(reporting, due, journal)
    return taken


def _retry(reporting: Reporting, due: DueReport, journal: Journal) -> None:
    verification = reporting.store.read(due.verification_id)
    if verification is None:
        return
    messages = [message for message in verification.messages.values() if message.feedback is Feedback.DUE]
    if not messages:
        reporting.store.leave_outbox(due.verification_id, reporting.policy.record_ttl(reporting.clock()))
        return
    waiting = []
    for message in messages:
        settled = report(reporting, verification, message, REPORT_DEADLINE_S, journal)
        if settled is Feedback.DUE:
            waiting.append(message)
        else:
            verification = verification.with_feedback(message.number, settled)
    if waiting:
        reporting.store.postpone(due, _next_attempt(reporting, verification, waiting))


def _next_attempt(reporting: Reporting, verification: Verification, waiting: list[Message]) -> int:
    now = reporting.clock()
    if all(message.sid is None for message in waiting):
        return now + SID_WAIT_MS
    return next_attempt_at(now, verification.feedback_failures + 1, reporting.fraction())
