"""Designs that look right and are not, each a small change to the real store or to a real use case.

Most of them were somebody's; what each of them gets wrong stands beside it. `test_known_bad.py` says what finds it out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, override

from otp_feedback.adapters.aws.items import (
    Item,
    attribute,
    read_recipient,
    read_verification,
    recipient_key,
    typed,
    verification_item,
    verification_key,
)
from otp_feedback.adapters.aws.table import Table
from otp_feedback.domain.actions import Way, canonical_forms, confirmed_by
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import Unavailable, UnknownVerification, WrongSecret
from otp_feedback.domain.links import parse_link_id
from otp_feedback.domain.recipient import DAY_MS, Recipient
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Feedback, Proof, State, Verification
from otp_feedback.usecases import confirm as real_confirm
from otp_feedback.usecases import delivery_status as real_deliver
from otp_feedback.usecases import outbox as real_outbox
from otp_feedback.usecases import report as real_report
from otp_feedback.usecases import start as real_start
from otp_feedback.usecases.delivery_status import StatusCallback
from otp_feedback.usecases.ports import (
    Confirming,
    CreateOutcome,
    Journal,
    OutgoingMessage,
    Refused,
    SendUnknown,
    Service,
    Twilio,
    Verifications,
)
from otp_feedback.usecases.send import Origin, Sent
from otp_feedback.usecases.start import StartRequest
from tests.service import DynamoDBStore

CHECKED = confirmed_by(Way.CHECK)

Written = Verification | Refused[Verification]


class ReadModifyWriteCounter(DynamoDBStore):
    """Attempts are read, counted up here, and written back: parallel guesses write the same number."""

    @override
    def reserve_attempt(self, verification_id: str, *_: Any) -> Written:
        verification = self.read(verification_id)
        if verification is None or verification.state is not State.PENDING or not verification.attempts_left:
            return Refused(verification)
        attempts = {":attempts": verification.attempts + 1}
        return self._write(verification_id, "SET #attempts = :attempts", "attribute_exists(#attempts)", attempts)


class DeleteAndRecreate(DynamoDBStore):
    """A guess takes the record away and puts it back with an attempt less: a crash in between destroys it."""

    @override
    def reserve_attempt(self, verification_id: str, *_: Any) -> Written:
        key = typed({"pk": verification_key(verification_id)})
        item = self._table.call("delete_item", Key=key, ReturnValues="ALL_OLD").get("Attributes")
        if item is None:
            return Refused(None)
        attempts = attribute("attempts")
        item = {**item, attempts: {"N": str(int(item[attempts]["N"]) + 1)}}
        self._table.call("put_item", Item=item)
        return read_verification(item)


def edited(*edits: tuple[str, str, str], **values: Any) -> type[DynamoDBStore]:
    """The store with some of its expressions changed.

    Parameters
    ----------
    edits
        What an update expression begins with to be meant, a part of the update or its condition, and its replacement.
    values
        Values for the replacements, by the names of their placeholders.
    """

    class EditedTable(Table):
        @override
        def update(
            self,
            key: str,
            update: str,
            condition: str | None,
            known: Mapping[str, Any],
            number: int | None = None,
            returned: Any = "ALL_NEW",
        ) -> Item:
            meant = [edit for edit in edits if update.startswith(edit[0])]
            before = (update, condition)
            for _, old, new in meant:
                update, condition = update.replace(old, new), (condition or "").replace(old, new)
            assert not meant or (update, condition) != before, "the real expression has changed: change this one too"
            more = {f":{name}": value for name, value in values.items() if f":{name}" in f"{update} {condition}"}
            return super().update(key, update, condition or None, {**known, **more}, number, returned)

    class Edited(DynamoDBStore):
        table_type = EditedTable

    return Edited


CONFIRMING, ADDING, SETTLING = (
    "SET #state = :confirmed",
    "SET #messages.#n = :message",
    "SET #messages.#n.#feedback = :outcome",
)
ADVANCING, RESERVING = "SET #messages.#n.#delivery = :delivery", "SET #attempts = #attempts + :one"
NOT_REPORTED = "#messages.#n.#feedback = :none"
OR_REPORTED = f"({NOT_REPORTED} OR attribute_exists(#messages.#n))"
UNEXPIRED = "#messages.#n.#expires_at > :now"
OR_EXPIRED = f"({UNEXPIRED} OR attribute_exists(#messages.#n))"
BEHIND = "#messages.#n.#delivery < :floor"

AttemptsResetByAnother = edited((ADDING, "#messages.#n = :message", "#messages.#n = :message, #attempts = :nil"), nil=0)
NoExpiryAtTheWrite = edited((CONFIRMING, UNEXPIRED, OR_EXPIRED))
ConfirmedAgain = edited(
    (CONFIRMING, "#state = :pending AND", "(#state = :pending OR attribute_exists(#state)) AND"),
    (CONFIRMING, NOT_REPORTED, OR_REPORTED),
)
ConfirmedThoughReportedLate = edited((CONFIRMING, NOT_REPORTED, OR_REPORTED))
AttemptsWithoutEnd = edited((RESERVING, "#attempts < #max_attempts", "attribute_exists(#attempts)"))
AttemptsAfterTheEnd = edited((RESERVING, "#state = :pending", "(#state = :pending OR attribute_exists(#state))"))
SidOverwritten = edited((ADVANCING, " AND (attribute_not_exists(#messages.#n.#sid) OR #messages.#n.#sid = :sid)", ""))
DeliveryMovesBack = edited((ADVANCING, BEHIND, f"({BEHIND} OR attribute_exists(#messages.#n))"))
TtlKept = edited((CONFIRMING, " REMOVE #ttl", ""))
FeedbackForgotten = edited(
    (
        CONFIRMING,
        "#feedback_shard = :shard, #feedback_due_at = :due_at, #feedback_since",
        "#holder = :shard, #feedback_since",
    ),
    (CONFIRMING, "if_not_exists(#feedback_since, :now)", ":due_at"),
)
TurnRenewed = edited((f"{SETTLING}", ":outcome", ":outcome, #feedback_due_at = :nil"), nil=0)
NumberedWithGaps = edited(
    (ADDING, "attribute_exists(#messages.#1) AND ", ""), (ADDING, "attribute_exists(#messages.#2) AND ", "")
)


class TtlInsteadOfExpiry(NoExpiryAtTheWrite):  # type: ignore[misc, valid-type]
    """A secret confirms for as long as its record is there."""

    @override
    def reserve_attempt(self, *arguments: Any) -> Written:
        reserved: Written = super().reserve_attempt(*arguments)
        if isinstance(reserved, Refused):
            return reserved
        lasting = {n: replace(each, expires_at=each.expires_at + DAY_MS) for n, each in reserved.messages.items()}
        return replace(reserved, messages=lasting)


class NoWritersId(DynamoDBStore):
    """A failed condition is a failure, whoever made it fail: after a lost answer that was ourselves."""

    @override
    def _write(self, *arguments: Any, own: Any = None, **more: Any) -> Written:
        return super()._write(*arguments, **more)


class RecordPutBack(DynamoDBStore):
    """A callback reads the record, changes it, and puts it back whole: what was erased in between returns."""

    @override
    def advance_message(
        self,
        verification_id: str,
        number: int,
        delivery: Delivery,
        sid: str | None = None,
        error_code: int | None = None,
        sender: str | None = None,
    ) -> Written:
        verification = self.read(verification_id)
        if verification is None or verification.messages[number].delivery >= delivery.rank_floor:
            return Refused(verification)
        message = replace(verification.messages[number], delivery=delivery, sid=sid)
        changed = replace(verification, messages={**verification.messages, number: message})
        item = verification_item(changed, verification.created_at // 1000 + 604_800, "somebody")
        self._table.call("put_item", Item=item)
        return changed


class ReadThenReserve(DynamoDBStore):
    """The budget is looked at, and then taken: parallel requests all see room."""

    @override
    def reserve_send(self, recipient: bytes, holder: str, now: int, *_: Any) -> Recipient | Refused[Recipient]:
        key = recipient_key(recipient)
        current = read_recipient(self._table.get(key) or {})
        if current.sends and current.sends[0] > now - 30_000:
            return Refused(current)
        item = self._table.update(key, "SET #slot0 = :now, #held_by0 = :holder", None, {":now": now, ":holder": holder})
        return read_recipient(item)


class FailuresNotCounted(DynamoDBStore):
    """Only the verification counts wrong guesses: a new one brings new guesses, without end."""

    @override
    def add_failure(self, recipient: bytes) -> None: ...


class SettledWhateverElseIsDue(DynamoDBStore):
    """A message that is reported takes the record out of the outbox, with another one's due report in it."""

    @override
    def _keep_form(self, others: Sequence[int]) -> tuple[str, str, dict[str, Any]]:
        update, _, values = self._take_out_form(others, 0)
        return update, "attribute_exists(#messages)", values


class SettledByOneForm(DynamoDBStore):
    """The other form is not tried: a record that another message just joined or left is not marked."""

    @override
    def _keep_form(self, *arguments: Any) -> tuple[str, str, dict[str, Any]]:
        return "", "attribute_exists(#slot0)", {}


class NoLease(DynamoDBStore):
    """Two runs of the schedule work on the same shard."""

    @override
    def lease_shard(self, *_: Any) -> bool:
        return True


class DueAtOnce(DynamoDBStore):
    """A confirmation's report is due at once: the schedule makes it while the request does."""

    @override
    def confirm(
        self, verification_id: str, confirming: Confirming, now: int, due_at: int, request_token: str
    ) -> Written:
        return super().confirm(verification_id, confirming, now, now, request_token)


class InboundNotBound(DynamoDBStore):
    """An inbound message is put to whatever awaits one, each time it comes."""

    @override
    def bind_inbound(self, inbound_sid: str, verification_id: str, number: int) -> tuple[str, int]:
        return verification_id, number


def compare_then_count(service: Service, verification_id: str, guess: Secret, journal: Journal) -> Verification:
    """Wrong guesses are counted once they are known to be wrong: two hundred at once are all compared first."""
    keys = service.vault.keys()
    verification = service.verifications.read(verification_id)
    if verification is None:
        raise UnknownVerification
    if keys.matching(verification_id, verification.macs, guess):
        return real_confirm.check(service, verification_id, guess, journal)
    service.verifications.reserve_attempt(verification_id, CHECKED, real_confirm.ANYONE, service.new_request_token())
    service.budgets.add_failure(keys.recipient(verification.to))
    raise WrongSecret(verification.attempts_left - 1)


def every_form_compared(service: Service, verification_id: str, guess: Secret, journal: Journal) -> Verification:
    """What was entered is tried in each of its forms: several guesses for one attempt."""
    keys, verification = service.vault.keys(), service.verifications.read(verification_id)
    macs = verification.macs if verification is not None else {}
    for form in canonical_forms(guess, CHECKED).values():
        keys.matching(verification_id, macs, form)
    return real_confirm.check(service, verification_id, guess, journal)


def guess_in_the_condition(service: Service, verification_id: str, guess: Secret, _journal: Journal) -> Verification:
    """One write compares and confirms, a second one counts what failed: it looks atomic, and compares without limit."""
    keys, now = service.vault.keys(), service.clock()
    verification = service.verifications.read(verification_id)
    if verification is None or not verification.attempts_left:
        raise UnknownVerification
    number = verification.latest.number
    confirming = Confirming(number, keys.mac(verification_id, number, guess), CHECKED, Proof.SECRET)
    confirmed = service.verifications.confirm(
        verification_id, confirming, now, now + 30_000, service.new_request_token()
    )
    if isinstance(confirmed, Verification):
        return confirmed
    service.verifications.reserve_attempt(verification_id, CHECKED, real_confirm.ANYONE, service.new_request_token())
    raise Unavailable


def failing_open(service: Service, verification_id: str, guess: Secret, journal: Journal) -> Verification:
    """Where the failure cannot be counted, the guess is answered all the same."""
    try:
        return real_confirm.check(service, verification_id, guess, journal)
    except Unavailable:
        raise WrongSecret(1) from None


def report_then_confirm(service: Service, verification_id: str, guess: Secret, journal: Journal) -> Verification:
    """Twilio hears of it before it is so."""
    verification = service.verifications.read(verification_id)
    for number in service.vault.keys().matching(verification_id, verification.macs, guess) if verification else ():
        sid = verification.messages[number].sid if verification else None
        if sid is not None:
            service.twilio.post_feedback(sid, 1.0)
    return real_confirm.check(service, verification_id, guess, journal)


def links_compared_after_the_end(service: Service, link: str, journal: Journal) -> Verification:
    """Whatever has ended is compared with a link, with all of its messages, and no attempt is taken."""
    parsed = parse_link_id(link)
    verification = service.verifications.read(parsed[0]) if parsed is not None else None
    if parsed is not None and verification is not None and verification.state is not State.PENDING:
        if service.vault.keys().matching(verification.verification_id, verification.macs, parsed[1]):
            return verification
        raise UnknownVerification
    return real_confirm.confirm_link(service, link, journal)


class _SendingFirst:
    """A store that writes a new record when its message was sent."""

    def __init__(self, store: Verifications) -> None:
        self._store = store
        self._unwritten: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def create(self, *record: Any) -> None:
        self._unwritten.append(record)

    def advance_message(self, *arguments: Any) -> Any:
        for record in self._unwritten:
            self._store.create(*record)
        return self._store.advance_message(*arguments)


def record_after_send(service: Service, request: StartRequest, origin: Origin, journal: Journal) -> Sent:
    """The mapping from SID to user is kept once there is a SID: a crash leaves a code that nothing knows."""
    later: Any = _SendingFirst(service.verifications)
    return real_start.start(replace(service, verifications=later), request, origin, journal)


class _Insisting:
    """Twilio, asked again where it did not answer."""

    def __init__(self, twilio: Twilio) -> None:
        self._twilio = twilio

    def create_message(self, message: OutgoingMessage, deadline_s: float) -> CreateOutcome:
        outcome = self._twilio.create_message(message, deadline_s)
        return self._twilio.create_message(message, deadline_s) if isinstance(outcome, SendUnknown) else outcome


def sent_again_after_silence(service: Service, request: StartRequest, origin: Origin, journal: Journal) -> Sent:
    """What timed out is sent once more: two messages, twice the price, and the first one's code is dead."""
    insisting: Any = _Insisting(service.twilio)
    return real_start.start(replace(service, twilio=insisting), request, origin, journal)


def key_not_looked_up(service: Service, request: StartRequest, origin: Origin, journal: Journal) -> Sent:
    """The Idempotency-Key is accepted, and nothing follows from it."""
    return real_start.start(service, request, replace(origin, idempotency_key=None), journal)


def delivered_is_confirmed(verifications: Verifications, callback: StatusCallback, journal: Journal) -> None:
    """A delivered message counts as acted on: Twilio routes by reports that mean nothing."""
    real_deliver.track_delivery(verifications, callback, journal)
    verification = verifications.read(callback.verification_id)
    if verification is not None:
        message = verification.messages[callback.number]
        verifications.report_late(callback.verification_id, message, message.sent_at)


def given_up_without_sid(service: Service, run: Any, journal: Journal) -> int:
    """A message whose SID is not there at the first try is given up."""
    for shard in range(16):
        for due in service.outbox.due_reports(shard, service.clock(), 100):
            verification = service.verifications.read(due.verification_id)
            for message in verification.messages.values() if verification is not None else ():
                if verification is not None and message.feedback is Feedback.DUE and message.sid is None:
                    real_report.settle(service, verification, message, Feedback.REJECTED)
    return real_outbox.retry_due_reports(service, run, journal)
