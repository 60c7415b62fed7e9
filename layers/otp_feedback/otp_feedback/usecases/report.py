"""Report to Twilio that a message was acted on, at once or from the outbox."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from otp_feedback.domain.backoff import SID_GIVE_UP_MS, next_attempt_at, next_search_at
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.outcomes import INLINE_BATCH
from otp_feedback.domain.reconciliation import carries_secret, may_have_been_created
from otp_feedback.domain.senders import WHATSAPP, is_whatsapp
from otp_feedback.domain.verification import Action, Feedback, Message, Verification
from otp_feedback.usecases.ports import (
    OUTBOX_SHARDS,
    DueReport,
    FeedbackAccepted,
    FeedbackDeferred,
    FeedbackNotFound,
    FeedbackRefused,
    Journal,
    Service,
)

REPORT_DEADLINE_S = 5.0
"""Seconds that Twilio has for a report, or a list, from the outbox."""

BATCH = 200

NOT_FOUND = "not-found"
"""The word for a 404 that is left to the outbox."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the outbox.

    Parameters
    ----------
    holder
        Who leases the shards: an id of this run alone.
    out_of_time
        Whether nothing new may be begun; asked before each entry.
    ends_at
        Epoch milliseconds at which the run is over at the latest, and its leases with it.
    in_parallel
        Runs calls side by side and returns when all have ended; raises what one raised.
    """

    holder: str
    out_of_time: Callable[[], bool]
    ends_at: int
    in_parallel: Callable[[Iterable[Callable[[], None]]], None]


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
        Twilio's error code, where it refused.
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
    """Post a message's feedback and store the outcome; what does not work out stays due.

    Whether a 404 is final depends on how others' reports ended, so that it is the outbox that says so.
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
    """A SID that a caller told may be wrong, which says nothing of Twilio."""
    if not message.registered:
        service.outcomes.note()


def _add_up_outcomes(service: Service, journal: Journal, *, at_least: int = 1) -> None:
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
    """Note what came of a message's feedback, and leave the outbox where nothing else is due."""
    ttl = service.policy.record_ttl(service.clock())
    service.verifications.settle_feedback(verification, message.number, outcome, ttl)


def report_inline(service: Service, verification: Verification, message: Message, journal: Journal) -> Feedback:
    """Report within the confirming request; whatever happens, the user's answer stands and the outbox has the rest."""
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
    _add_up_outcomes(service, journal, at_least=INLINE_BATCH)
    journal.note(feedback=reported.word, twilio_code=reported.code)
    if message.sid is not None:
        unanswered = reported.feedback is Feedback.DUE and reported.word != NOT_FOUND
        breaker.record(failed=unanswered, now=service.clock())
    return reported.feedback


def retry_due_reports(service: Service, keys: Callable[[], Keys], run: Run, journal: Journal) -> int:
    """Work through the outbox; returns how many entries were taken up.

    In rounds of one batch for each shard, oldest first, and each minute from another shard on, so that no shard waits
    for another. While its batch is worked on a shard is leased, so that two runs never report the same at once.
    The index may still show what this run has done: each batch begins behind the one before, and a record is taken up
    once.
    """
    seen: set[str] = set()
    first = service.clock() // 60_000 % OUTBOX_SHARDS
    turns: dict[int, DueReport | None] = {(first + offset) % OUTBOX_SHARDS: None for offset in range(OUTBOX_SHARDS)}
    while turns and not run.out_of_time():
        done = {shard: _take_batch(service, keys, shard, turns[shard], run, seen, journal) for shard in turns}
        turns = {shard: last for shard, last in done.items() if last is not None}
        _add_up_outcomes(service, journal)
    return len(seen)


def _take_batch(
    service: Service,
    keys: Callable[[], Keys],
    shard: int,
    after: DueReport | None,
    run: Run,
    seen: set[str],
    journal: Journal,
) -> DueReport | None:
    """Work on a shard's next batch; returns its last entry, or None where the shard's turn is over.

    A store that fails ends the turn.
    """
    if run.out_of_time():
        return None
    try:
        due = service.outbox.due_reports(shard, service.clock(), BATCH, after)
        if not due:
            return None
        fresh = [each for each in due if each.verification_id not in seen]
        if fresh and not service.outbox.lease_shard(shard, run.holder, service.clock(), run.ends_at):
            journal.note(leased_elsewhere=shard)
            return None
        if fresh:
            seen.update(each.verification_id for each in fresh)
            run.in_parallel([_task(service, keys, each, run, journal) for each in fresh])
            service.outbox.release_shard(shard, run.holder)
    except Unavailable:
        journal.count("Unavailable")
        journal.note(unavailable_shard=shard)
        return None
    return due[-1]


def _task(service: Service, keys: Callable[[], Keys], due: DueReport, run: Run, journal: Journal) -> Callable[[], None]:
    def task() -> None:
        if run.out_of_time():
            return
        try:
            _retry(service, keys, due, journal)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a record that cannot be read must not keep the others from Twilio
            journal.count("Fault")
            journal.line("report-failed", verification=due.verification_id, error=type(error).__name__)
            service.outbox.postpone(due, next_attempt_at(service.clock(), 10, service.fraction()))

    return task


def _retry(service: Service, keys: Callable[[], Keys], due: DueReport, journal: Journal) -> None:
    """Try all that a record owes Twilio; the index may be stale, so what counts is read from the record."""
    now = service.clock()
    verification = service.verifications.read(due.verification_id)
    due_at = verification.feedback_due_at if verification is not None else None
    if verification is None or due_at is None or due_at > now:
        return
    owed = [message for message in verification.messages.values() if message.feedback is Feedback.DUE]
    if not owed:
        service.outbox.leave_outbox(due.verification_id, service.policy.record_ttl(now))
        return
    if verification.is_test:
        _forget(service, verification, owed)
        return
    journal.gauge("OldestFeedbackSeconds", (now - (verification.feedback_since or now)) // 1000)
    waiting = []
    for message in owed:
        known = message if message.sid is not None else _adopt(service, keys, verification, message)
        reported = _report_or_give_up(service, verification, known, journal)
        journal.line(
            "report",
            verification=due.verification_id,
            number=known.number,
            sid=known.sid,
            feedback=reported.word,
            twilio_code=reported.code,
        )
        verification = verification.with_feedback(message.number, reported.feedback)
        if reported.feedback is Feedback.DUE:
            waiting.append(known)
    if waiting:
        seen = DueReport(due.verification_id, due.shard, due_at)
        service.outbox.postpone(seen, _next_attempt(service, verification, waiting))


def _forget(service: Service, verification: Verification, owed: Iterable[Message]) -> None:
    """Nothing was sent to a test recipient, so Twilio is told nothing."""
    for message in owed:
        settle(service, verification, message, Feedback.NONE)
        verification = verification.with_feedback(message.number, Feedback.NONE)


def _report_or_give_up(service: Service, verification: Verification, message: Message, journal: Journal) -> Reported:
    never_sent = message.delivery is Delivery.REJECTED
    if message.sid is None and (never_sent or service.clock() >= message.sent_at + SID_GIVE_UP_MS):
        journal.count("FeedbackRejected")
        settle(service, verification, message, Feedback.REJECTED)
        return Reported(Feedback.REJECTED, "sid-unknown")
    return report(service, verification, message, REPORT_DEADLINE_S, journal)


def _adopt(service: Service, keys: Callable[[], Keys], verification: Verification, message: Message) -> Message:
    """The message with its SID, where Twilio lists one of that time whose text holds its secret.

    The caller's own secret may stand in the texts of several messages, so there it must be the only one of its time.
    """
    if (
        message.mac is None
        or message.delivery is Delivery.REJECTED
        or _may_be_anothers(service, keys, verification, message)
    ):
        return message
    since = datetime.fromtimestamp(message.sent_at / 1000, UTC).date()
    address = WHATSAPP + verification.to if is_whatsapp(verification.sender) else verification.to
    try:
        listed = service.twilio.list_messages(address, since, REPORT_DEADLINE_S)
    except Unavailable:
        return message
    taken = {other.sid for other in verification.messages.values()}
    for each in listed:
        if each.sid in taken or not may_have_been_created(message, each.created_at):
            continue
        if carries_secret(each.body, keys(), verification.verification_id, message.number, message.mac):
            return _attach(service, verification, message, each.sid)
    return message


def _may_be_anothers(service: Service, keys: Callable[[], Keys], verification: Verification, message: Message) -> bool:
    if verification.action is not Action.CALLER:
        return False
    recipient = service.budgets.read_recipient(keys().recipient(verification.to))
    sends = recipient.sends if recipient is not None else ()
    return sum(may_have_been_created(message, at) for at in sends) > 1


def _attach(service: Service, verification: Verification, message: Message, sid: str) -> Message:
    """Store an adopted SID; a callback that was faster has stored the same one."""
    written = service.verifications.advance_message(
        verification.verification_id, message.number, Delivery.ACCEPTED, service.clock(), sid
    )
    current = written if isinstance(written, Verification) else written.current
    return current.messages[message.number] if current is not None else message


def _next_attempt(service: Service, verification: Verification, waiting: list[Message]) -> int:
    now, failures = service.clock(), verification.feedback_failures + 1
    if all(message.sid is None for message in waiting):
        return next_search_at(now, failures)
    return next_attempt_at(now, failures, service.fraction())
