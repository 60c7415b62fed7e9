"""The outbox: try again what is still due, and look for messages whose SID got lost."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from otp_feedback.domain.backoff import SID_GIVE_UP_MS, next_attempt_at, next_search_at
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.reconciliation import carries_secret, may_have_been_created
from otp_feedback.domain.senders import WHATSAPP, is_whatsapp
from otp_feedback.domain.verification import Feedback, Message, Verification
from otp_feedback.usecases.ports import OUTBOX_SHARDS, DueReport, Journal, Service
from otp_feedback.usecases.report import Reported, add_up_outcomes, report, settle

REPORT_DEADLINE_S = 5.0
"""Seconds that Twilio has for a report, or a list, from the outbox."""

BATCH = 200


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the outbox.

    Parameters
    ----------
    holder
        Who leases the shards: an id of this run alone.
    out_of_time
        Whether nothing new may begin; asked before each entry.
    ends_at
        Epoch milliseconds at which the run and its leases end at the latest.
    in_parallel
        Runs calls side by side and returns when all have ended; raises if one raised.
    """

    holder: str
    out_of_time: Callable[[], bool]
    ends_at: int
    in_parallel: Callable[[Iterable[Callable[[], None]]], None]


def retry_due_reports(service: Service, run: Run, journal: Journal) -> int:
    """Work through the outbox; returns how many entries were taken up.

    In rounds, one batch a shard, oldest first. Each minute another shard is first, so that none always waits for the
    others. A shard is leased while its batch is worked on, so that two runs never report the same entry at once.
    The index may still show entries that are done: so each batch begins behind the one before, and a record is taken up
    once.
    """
    seen: set[str] = set()
    first = service.clock() // 60_000 % OUTBOX_SHARDS
    turns: dict[int, DueReport | None] = {(first + offset) % OUTBOX_SHARDS: None for offset in range(OUTBOX_SHARDS)}
    while turns and not run.out_of_time():
        done = {shard: _take_batch(service, shard, turns[shard], run, seen, journal) for shard in turns}
        turns = {shard: last for shard, last in done.items() if last is not None}
        add_up_outcomes(service, journal)
    return len(seen)


def _take_batch(
    service: Service,
    shard: int,
    after: DueReport | None,
    run: Run,
    seen: set[str],
    journal: Journal,
) -> DueReport | None:
    """Work on a shard's next batch; returns its last entry, or None if the shard's turn is over.

    A failing store ends the turn.
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
            run.in_parallel([_task(service, each, run, journal) for each in fresh])
            service.outbox.release_shard(shard, run.holder)
    except Unavailable:
        journal.count("Unavailable")
        journal.note(unavailable_shard=shard)
        return None
    return due[-1]


def _task(service: Service, due: DueReport, run: Run, journal: Journal) -> Callable[[], None]:
    def task() -> None:
        if run.out_of_time():
            return
        try:
            _retry(service, due, journal)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a record that cannot be read must not keep the others from Twilio
            journal.count("Fault")
            journal.line("report-failed", verification=due.verification_id, error=type(error).__name__)
            service.outbox.postpone(due, next_attempt_at(service.clock(), 10, service.fraction()))

    return task


def _retry(service: Service, due: DueReport, journal: Journal) -> None:
    """Try all that a record owes Twilio. The index may be stale, so the record is read."""
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
        known = message if message.sid is not None else _reconcile(service, verification, message)
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


def _reconcile(service: Service, verification: Verification, message: Message) -> Message:
    """The message with its SID, if Twilio lists a message of that time whose text holds its secret.

    The caller's own secret may stand in several texts, so there it must be the only message of its time.
    """
    if message.mac is None or message.delivery is Delivery.REJECTED or _may_be_anothers(service, verification, message):
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
        if carries_secret(each.body, service.vault.keys(), verification.verification_id, message.number, message.mac):
            return _attach(service, verification, message, each.sid)
    return message


def _may_be_anothers(service: Service, verification: Verification, message: Message) -> bool:
    if not verification.action.traits.callers_own:
        return False
    recipient = service.budgets.read_recipient(service.vault.keys().recipient(verification.to))
    sends = recipient.sends if recipient is not None else ()
    return sum(may_have_been_created(message, at) for at in sends) > 1


def _attach(service: Service, verification: Verification, message: Message, sid: str) -> Message:
    """Store a SID that was found; if a callback was faster, it has stored the same one."""
    written = service.verifications.advance_message(
        verification.verification_id, message.number, Delivery.ACCEPTED, sid
    )
    current = written if isinstance(written, Verification) else written.current
    return current.messages[message.number] if current is not None else message


def _next_attempt(service: Service, verification: Verification, waiting: list[Message]) -> int:
    now, failures = service.clock(), verification.feedback_failures + 1
    if all(message.sid is None for message in waiting):
        return next_search_at(now, failures)
    return next_attempt_at(now, failures, service.fraction())
