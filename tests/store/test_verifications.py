"""Each conditional write of a verification: what it changes, and what it refuses without changing anything."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from otp_feedback.adapters.aws.items import outbox_shard
from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.keys import Mac
from otp_feedback.domain.verification import Confirmation, Feedback, Message, Proof, State, Verification
from otp_feedback.usecases.ports import Confirming, DueReport, Expectation, Refused
from tests.service import DynamoDBStore
from tests.store.conftest import Kept, Raw
from tests.store.records_data import (
    LIFE,
    NOW,
    TTL,
    a_message,
    a_sent_verification,
    a_verification,
    new_id,
    new_recipient,
    sid,
)

CHECKED = frozenset({Action.CODE, Action.PASSWORD, Action.CALLER})
ANYONE = Expectation()
DUE_AT = NOW + 30_000
Done = Verification | Refused[Verification]


def confirming(message: Message, actions: frozenset[Action] = CHECKED) -> Confirming:
    """The confirmation by a message's own secret."""
    return Confirming(message.number, message.mac, actions, Proof.SECRET)


def succeeded(result: Done) -> Verification:
    """The verification of a write that was made."""
    assert isinstance(result, Verification)
    return result


def refused(result: Done) -> Verification | None:
    """What stood in the way of a write."""
    assert isinstance(result, Refused)
    return result.current


FULL = a_verification(
    action=Action.CALLER,
    messages={
        1: a_message(
            sid=sid(),
            delivery=Delivery.UNDELIVERED,
            error_code=30003,
            feedback=Feedback.REPORTED,
            idempotency=b"i" * 24,
            sender="+14155550199",
            registered=True,
        ),
        2: a_message(2, mac=None),
    },
    state=State.CANCELED,
    attempts=3,
    locale="de-AT",
    template="plain",
    reference="order:1",
    limit_key=b"l" * 16,
    fingerprint=b"f" * 16,
    is_test=True,
)


@pytest.mark.parametrize(
    "verification", [a_verification(), a_sent_verification(1, 2, 3), FULL], ids=["new", "sent", "full"]
)
def test_what_is_written_is_read_again(store: DynamoDBStore, kept: Kept, verification: Verification):
    verification = replace(verification, verification_id=new_id())
    assert store.read(kept(verification)) == verification


def test_what_was_never_written_is_none(store: DynamoDBStore):
    assert store.read(new_id()) is None


def test_a_record_is_written_once(store: DynamoDBStore, kept: Kept):
    first = a_verification(reference="first")
    kept(first)
    assert store.create(replace(first, reference="second"), TTL, "another") == Refused(first)
    assert store.read(first.verification_id) == first


def test_a_record_just_written_is_taken_back_by_its_writer_alone(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_verification())
    store.delete_unsent(verification_id, "another")
    assert store.read(verification_id) is not None
    store.delete_unsent(verification_id, "token-of-it")
    assert store.read(verification_id) is None
    store.delete_unsent(verification_id, "token-of-it")


@pytest.mark.parametrize("change", ["attempt", "message", "canceled"])
def test_a_record_that_was_used_meanwhile_is_not_taken_back(store: DynamoDBStore, kept: Kept, change: str):
    verification_id = kept(a_verification())
    match change:
        case "attempt":
            store.reserve_attempt(verification_id, CHECKED, ANYONE, "w1")
        case "message":
            store.add_message(verification_id, a_message(2), "w1")
        case _:
            store.cancel(verification_id, "w1")
    store.delete_unsent(verification_id, "token-of-it")
    kept_on = store.read(verification_id)
    assert kept_on
    assert kept_on.messages[1].delivery is Delivery.REJECTED


# Another message.


def test_a_message_is_added_once_for_each_number(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_verification())
    second = a_message(2)
    assert succeeded(store.add_message(verification_id, second, "w1")).messages[2] == second
    current = refused(store.add_message(verification_id, a_message(2, sent_at=NOW + 9), "w2"))
    assert current
    assert current.messages[2] == second


@pytest.mark.parametrize("facts", [{"state": State.CONFIRMED}, {"state": State.CANCELED}, {"attempts": 5}], ids=str)
def test_no_message_is_added_to_what_takes_no_guess(store: DynamoDBStore, kept: Kept, facts: dict[str, Any]):
    verification = a_verification(**facts)
    kept(verification)
    assert refused(store.add_message(verification.verification_id, a_message(2), "w1")) == verification


def test_an_added_message_is_taken_back_by_its_writer_alone_and_only_before_it_was_sent(
    store: DynamoDBStore, kept: Kept
):
    verification_id = kept(a_verification())
    store.add_message(verification_id, a_message(2), "w1")
    store.remove_unsent_message(verification_id, 2, "w2")
    assert numbers_of(store, verification_id) == {1, 2}
    store.remove_unsent_message(verification_id, 2, "w1")
    assert numbers_of(store, verification_id) == {1}
    store.add_message(verification_id, a_message(2), "w3")
    store.advance_message(verification_id, 2, Delivery.ACCEPTED, sid("b"))
    store.remove_unsent_message(verification_id, 2, "w3")
    assert numbers_of(store, verification_id) == {1, 2}


@pytest.mark.parametrize("idempotency", [None, b"i" * 24])
def test_a_message_that_another_followed_is_refused_in_its_place(
    store: DynamoDBStore, kept: Kept, idempotency: bytes | None
):
    verification_id = kept(a_verification())
    store.add_message(verification_id, a_message(2, idempotency=idempotency), "w1")
    store.add_message(verification_id, a_message(3), "w2")
    store.remove_unsent_message(verification_id, 2, "w2")
    before = store.read(verification_id)
    assert before
    assert before.messages[2].delivery is Delivery.CREATING
    store.remove_unsent_message(verification_id, 2, "w1")
    after = store.read(verification_id)
    assert after
    assert after.messages == {**before.messages, 2: a_message(2, delivery=Delivery.REJECTED)}


def test_a_message_that_was_sent_is_neither_taken_back_nor_refused(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_verification())
    for number, request_token in ((2, "w1"), (3, "w2")):
        store.add_message(verification_id, a_message(number), request_token)
    sent = succeeded(store.advance_message(verification_id, 2, Delivery.ACCEPTED, sid("b")))
    store.remove_unsent_message(verification_id, 2, "w1")
    assert store.read(verification_id) == sent


def numbers_of(store: DynamoDBStore, verification_id: str) -> set[int]:
    """The numbers of a record's messages."""
    verification = store.read(verification_id)
    assert verification
    return set(verification.messages)


# Delivery.


def test_a_sid_is_set_once_and_a_state_moves_forward_only(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_verification())
    moved = succeeded(store.advance_message(verification_id, 1, Delivery.SENT, sid("a"), sender="+14155550199"))
    assert moved.messages[1] == a_message(delivery=Delivery.SENT, sid=sid("a"), sender="+14155550199")
    for delivery, which in ((Delivery.SENT, "a"), (Delivery.QUEUED, "a"), (Delivery.DELIVERED, "b")):
        current = refused(store.advance_message(verification_id, 1, delivery, sid(which)))
        assert current == moved
    assert succeeded(store.advance_message(verification_id, 1, Delivery.DELIVERED, sid("a"))).messages[1].sid
    for delivery in (Delivery.UNDELIVERED, Delivery.FAILED, Delivery.DELIVERED):
        assert refused(store.advance_message(verification_id, 1, delivery, sid("a"), 30003))
    read = succeeded(store.advance_message(verification_id, 1, Delivery.READ, sid("a")))
    assert read.messages[1].delivery is Delivery.READ


def test_an_unknown_outcome_does_not_undo_a_callback_that_was_faster(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_verification())
    store.advance_message(verification_id, 1, Delivery.QUEUED, sid("a"))
    assert refused(store.advance_message(verification_id, 1, Delivery.UNKNOWN))
    assert refused(store.advance_message(verification_id, 1, Delivery.REJECTED, error_code=21610))


@pytest.mark.parametrize("before", [Delivery.CREATING, Delivery.UNKNOWN])
def test_a_callback_brings_the_sid_of_a_message_whose_answer_was_lost(
    store: DynamoDBStore, kept: Kept, before: Delivery
):
    verification_id = kept(a_verification(messages={1: a_message(delivery=before)}))
    assert succeeded(store.advance_message(verification_id, 1, Delivery.ACCEPTED, sid("a"))).messages[1].sid


def test_a_message_that_is_not_there_is_not_made_by_a_callback(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_verification())
    assert refused(store.advance_message(verification_id, 2, Delivery.SENT, sid("b")))
    assert refused(store.advance_message(new_id(), 1, Delivery.SENT, sid("b"))) is None


# Attempts.


def test_an_attempt_is_reserved_and_the_record_comes_back_as_it_is_then(store: DynamoDBStore, kept: Kept):
    verification = a_sent_verification(1, 2)
    kept(verification)
    reserved = succeeded(store.reserve_attempt(verification.verification_id, CHECKED, ANYONE, "w1"))
    assert reserved == replace(verification, attempts=1)


def test_no_more_attempts_than_there_are(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_verification(max_attempts=2))
    for request_token in ("w1", "w2"):
        succeeded(store.reserve_attempt(verification_id, CHECKED, ANYONE, request_token))
    current = refused(store.reserve_attempt(verification_id, CHECKED, ANYONE, "w3"))
    assert current
    assert (current.attempts, current.attempts_left) == (2, 0)


@pytest.mark.parametrize("state", [State.CONFIRMED, State.CANCELED])
def test_no_attempt_is_reserved_once_it_has_ended(store: DynamoDBStore, kept: Kept, state: State):
    verification = a_verification(state=state)
    kept(verification)
    assert refused(store.reserve_attempt(verification.verification_id, CHECKED, ANYONE, "w1")) == verification


@pytest.mark.parametrize("action", [Action.LINK, Action.REPLY])
def test_no_attempt_is_reserved_for_another_action(store: DynamoDBStore, kept: Kept, action: Action):
    verification = a_verification(action=action)
    kept(verification)
    assert refused(store.reserve_attempt(verification.verification_id, CHECKED, ANYONE, "w1")) == verification


@pytest.mark.parametrize(
    ("expect", "fits"),
    [
        (Expectation("+4915112345678", "order-1"), True),
        (Expectation(reference="order-1"), True),
        (Expectation("+4915112345678"), True),
        (Expectation("+4915112345679"), False),
        (Expectation(reference="order-2"), False),
        (Expectation("+4915112345678", "order-2"), False),
    ],
)
def test_an_attempt_is_reserved_for_whom_it_is_expected_to_be(
    store: DynamoDBStore, kept: Kept, expect: Expectation, *, fits: bool
):
    verification_id = kept(a_verification(reference="order-1"))
    result = store.reserve_attempt(verification_id, CHECKED, expect, "w1")
    assert isinstance(result, Verification) is fits


def test_an_expected_reference_is_not_found_where_there_is_none(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_verification())
    assert refused(store.reserve_attempt(verification_id, CHECKED, Expectation(reference="x"), "w1"))


def test_nothing_is_reserved_where_there_is_no_record(store: DynamoDBStore, raw: Raw):
    verification_id = new_id()
    assert refused(store.reserve_attempt(verification_id, CHECKED, ANYONE, "w1")) is None
    assert raw(f"V#{verification_id}") is None


# Confirming.


def test_confirming_sets_state_message_proof_and_due_feedback_together_and_removes_the_ttl(
    store: DynamoDBStore, kept: Kept, raw: Raw
):
    verification = a_sent_verification(1, 2)
    kept(verification)
    confirmed = succeeded(
        store.confirm(verification.verification_id, confirming(verification.messages[1]), NOW + 5, DUE_AT, "w1")
    )
    assert confirmed.state is State.CONFIRMED
    assert confirmed.confirmation == Confirmation(NOW + 5, 1, Proof.SECRET)
    assert [message.feedback for message in confirmed.messages.values()] == [Feedback.DUE, Feedback.NONE]
    item = raw(f"V#{verification.verification_id}")
    assert item
    assert item["feedback_due_at"] == {"N": str(DUE_AT)}
    assert 0 <= int(item["feedback_shard"]["N"]) <= 15
    assert "ttl" not in item


@pytest.mark.parametrize(
    ("facts", "change", "now"),
    [
        ({}, {}, NOW + LIFE),
        ({}, {}, NOW + LIFE + 1),
        ({"state": State.CONFIRMED}, {}, NOW),
        ({"state": State.CANCELED}, {}, NOW),
        ({"action": Action.LINK}, {}, NOW),
        ({}, {"mac": Mac("0", b"x" * 32)}, NOW),
        ({}, {"message": 2}, NOW),
        ({"attempts": 5}, {"mac": None}, NOW),
    ],
    ids=["at the expiry", "after it", "confirmed", "canceled", "action", "mac", "no such message", "locked"],
)
def test_nothing_is_confirmed_that_no_longer_holds(
    store: DynamoDBStore, kept: Kept, facts: dict[str, Any], change: dict[str, Any], now: int
):
    verification = a_sent_verification(**facts)
    kept(verification)
    wanted = replace(confirming(verification.messages[1]), **change)
    assert refused(store.confirm(verification.verification_id, wanted, now, DUE_AT, "w1")) == verification
    assert store.read(verification.verification_id) == verification


def test_a_reserved_attempt_confirms_though_it_was_the_last(store: DynamoDBStore, kept: Kept):
    verification = a_sent_verification(attempts=5)
    kept(verification)
    wanted = confirming(verification.messages[1])
    confirmed = succeeded(store.confirm(verification.verification_id, wanted, NOW + LIFE - 1, DUE_AT, "w1"))
    assert confirmed.state is State.CONFIRMED


def test_a_word_that_names_no_message_confirms_the_only_one(store: DynamoDBStore, kept: Kept):
    word = Confirming(None, None, frozenset({Action.CALLER}), Proof.CALLER)
    only = a_sent_verification(action=Action.CALLER)
    kept(only)
    confirmed = succeeded(store.confirm(only.verification_id, word, NOW, DUE_AT, "w1"))
    assert confirmed.confirmation == Confirmation(NOW, 1, Proof.CALLER)


@pytest.mark.parametrize("numbers", [(1, 2), (1, 3), (1, 2, 3)], ids=str)
def test_a_word_that_names_no_message_confirms_none_of_several(
    store: DynamoDBStore, kept: Kept, numbers: tuple[int, ...]
):
    """They are counted: records of earlier versions may have a gap in their numbers."""
    several = a_sent_verification(*numbers, action=Action.CALLER)
    kept(several)
    for only in numbers:
        word = Confirming(None, None, frozenset({Action.CALLER}), Proof.CALLER, only)
        assert refused(store.confirm(several.verification_id, word, NOW, DUE_AT, "w1")) == several


@pytest.mark.parametrize("only", [1, 2, 3])
def test_a_word_that_names_no_message_confirms_the_only_one_that_was_not_refused(
    store: DynamoDBStore, kept: Kept, only: int
):
    messages = {n: a_message(n, delivery=Delivery.SENT if n == only else Delivery.REJECTED) for n in (1, 2, 3)}
    verification_id = kept(a_verification(action=Action.CALLER, messages=messages))
    for number in (1, 2, 3):
        word = Confirming(None, None, frozenset({Action.CALLER}), Proof.CALLER, number)
        written = store.confirm(verification_id, word, NOW, DUE_AT, f"w{number}")
        assert isinstance(written, Verification) is (number == only)


def test_nothing_is_confirmed_where_there_is_no_record(store: DynamoDBStore, raw: Raw):
    verification_id = new_id()
    assert refused(store.confirm(verification_id, confirming(a_message()), NOW, DUE_AT, "w1")) is None
    assert raw(f"V#{verification_id}") is None


@pytest.mark.parametrize("state", list(State))
def test_cancelling_ends_what_is_pending_alone(store: DynamoDBStore, kept: Kept, state: State):
    verification = a_verification(state=state)
    kept(verification)
    result = store.cancel(verification.verification_id, "w1")
    if state is State.PENDING:
        assert succeeded(result).state is State.CANCELED
    else:
        assert refused(result) == verification


# Late actions and the outbox.


def due_feedbacks(store: DynamoDBStore, verification_id: str) -> list[str]:
    """The messages' feedback."""
    verification = store.read(verification_id)
    assert verification
    return [message.feedback.value for message in verification.messages.values()]


def in_outbox(store: DynamoDBStore, verification_id: str, now: int) -> list[DueReport]:
    """The outbox's entries for a verification."""
    return [
        report
        for shard in range(16)
        for report in store.due_reports(shard, now, 200)
        if report.verification_id == verification_id
    ]


def test_a_late_action_puts_its_message_into_the_outbox_and_nothing_else(store: DynamoDBStore, kept: Kept, raw: Raw):
    verification = a_sent_verification(1, 2)
    verification_id = kept(verification)
    late = succeeded(store.report_late(verification_id, verification.messages[1], NOW))
    assert late.state is State.PENDING
    assert late.confirmation is None
    assert due_feedbacks(store, verification_id) == ["due", "none"]
    item = raw(f"V#{verification_id}")
    assert item
    assert "ttl" not in item
    assert [report.due_at for report in in_outbox(store, verification_id, NOW)] == [NOW]


@pytest.mark.parametrize("feedback", [Feedback.DUE, Feedback.REPORTED, Feedback.REJECTED])
def test_a_late_action_is_put_into_the_outbox_once(store: DynamoDBStore, kept: Kept, feedback: Feedback):
    verification = a_verification(messages={1: a_message(feedback=feedback)})
    kept(verification)
    assert refused(store.report_late(verification.verification_id, verification.messages[1], NOW)) == verification


@pytest.mark.parametrize("state", [State.CONFIRMED, State.CANCELED])
def test_a_late_action_of_what_has_ended_is_not_reported(store: DynamoDBStore, kept: Kept, state: State):
    verification = a_verification(state=state)
    kept(verification)
    assert refused(store.report_late(verification.verification_id, verification.messages[1], NOW)) == verification


def test_a_late_action_does_not_hurry_or_hold_up_what_is_due_already(store: DynamoDBStore, kept: Kept):
    verification = a_sent_verification(1, 2)
    verification_id = kept(verification)
    store.report_late(verification_id, verification.messages[1], NOW)
    store.report_late(verification_id, verification.messages[2], NOW + 500)
    assert [report.due_at for report in in_outbox(store, verification_id, NOW + 1000)] == [NOW]
    assert due_feedbacks(store, verification_id) == ["due", "due"]


@pytest.mark.parametrize("outcome", [Feedback.REPORTED, Feedback.REJECTED])
def test_the_last_report_takes_the_record_out_of_the_outbox_and_lets_it_expire(
    store: DynamoDBStore, kept: Kept, raw: Raw, outcome: Feedback
):
    verification = a_sent_verification()
    verification_id = kept(verification)
    confirmed = succeeded(store.confirm(verification_id, confirming(verification.messages[1]), NOW, DUE_AT, "w1"))
    store.settle_feedback(confirmed, 1, outcome, TTL + 7)
    assert due_feedbacks(store, verification_id) == [outcome.value]
    assert in_outbox(store, verification_id, NOW + 10**9) == []
    item = raw(f"V#{verification_id}")
    assert item
    assert item["ttl"] == {"N": str(TTL + 7)}
    assert not {"feedback_shard", "feedback_due_at", "fn", "fs"} & item.keys()


@pytest.mark.parametrize("stale", [False, True], ids=["known", "not known"])
@pytest.mark.parametrize("first", [1, 2])
def test_a_report_keeps_the_record_in_the_outbox_while_another_message_is_due(
    store: DynamoDBStore, kept: Kept, first: int, *, stale: bool
):
    verification = a_sent_verification(1, 2)
    verification_id = kept(verification)
    late = succeeded(store.report_late(verification_id, verification.messages[1], NOW))
    both = succeeded(store.confirm(verification_id, confirming(verification.messages[2]), NOW, DUE_AT, "w1"))
    second = 3 - first
    known = late if stale and first == 1 else both
    store.settle_feedback(known, first, Feedback.REPORTED, TTL)
    assert in_outbox(store, verification_id, DUE_AT)
    assert due_feedbacks(store, verification_id).count("due") == 1
    store.settle_feedback(both, second, Feedback.REPORTED, TTL)
    assert due_feedbacks(store, verification_id) == ["reported", "reported"]
    assert in_outbox(store, verification_id, NOW + 10**9) == []


def test_a_report_that_was_settled_before_is_left_alone(store: DynamoDBStore, kept: Kept):
    verification = a_sent_verification()
    verification_id = kept(verification)
    confirmed = succeeded(store.confirm(verification_id, confirming(verification.messages[1]), NOW, DUE_AT, "w1"))
    store.settle_feedback(confirmed, 1, Feedback.REPORTED, TTL)
    store.settle_feedback(confirmed, 1, Feedback.REJECTED, TTL)
    assert due_feedbacks(store, verification_id) == ["reported"]


def test_settling_what_is_gone_makes_no_record(store: DynamoDBStore, raw: Raw):
    verification = a_sent_verification()
    store.settle_feedback(verification, 1, Feedback.REPORTED, TTL)
    assert raw(f"V#{verification.verification_id}") is None


def test_the_outbox_gives_what_is_due_oldest_first_and_no_more_than_asked_for(store: DynamoDBStore):
    shard, long_ago = 3, NOW - 10**9
    entries = []
    for offset in (5, 1, 9, 3):
        verification_id = new_id_of_shard(shard)
        verification = a_sent_verification(verification_id=verification_id)
        store.create(verification, TTL, "w0")
        store.confirm(verification_id, confirming(verification.messages[1]), NOW, long_ago + offset, "w1")
        entries.append((long_ago + offset, verification_id))
    found = store.due_reports(shard, long_ago + 5, 100)
    assert [(report.due_at, report.verification_id) for report in found] == sorted(entries)[:3]
    assert [report.due_at - long_ago for report in store.due_reports(shard, long_ago + 5, 2)] == [1, 3]
    assert list(store.due_reports(shard, long_ago, 100)) == []


def new_id_of_shard(shard: int) -> str:
    """A verification id whose reports go into a shard."""
    while outbox_shard(verification_id := new_id()) != shard:
        pass
    return verification_id


def test_postponing_counts_a_failure_unless_somebody_moved_the_entry(store: DynamoDBStore, kept: Kept):
    verification = a_sent_verification()
    verification_id = kept(verification)
    store.confirm(verification_id, confirming(verification.messages[1]), NOW, DUE_AT, "w1")
    (entry,) = in_outbox(store, verification_id, DUE_AT)
    store.postpone(entry, DUE_AT + 60_000)
    store.postpone(entry, DUE_AT + 90_000)
    after = store.read(verification_id)
    assert after
    assert (after.feedback_due_at, after.feedback_failures) == (DUE_AT + 60_000, 1)
    assert in_outbox(store, verification_id, DUE_AT) == []


def test_postponing_does_not_bring_back_what_was_settled(store: DynamoDBStore, kept: Kept):
    verification = a_sent_verification()
    verification_id = kept(verification)
    confirmed = succeeded(store.confirm(verification_id, confirming(verification.messages[1]), NOW, DUE_AT, "w1"))
    (entry,) = in_outbox(store, verification_id, DUE_AT)
    store.settle_feedback(confirmed, 1, Feedback.REPORTED, TTL)
    store.postpone(entry, DUE_AT + 60_000)
    assert in_outbox(store, verification_id, NOW + 10**9) == []


def test_only_what_owes_nothing_leaves_the_outbox(store: DynamoDBStore, kept: Kept, client: Any):
    verification = a_sent_verification()
    verification_id = kept(verification)
    store.confirm(verification_id, confirming(verification.messages[1]), NOW, DUE_AT, "w1")
    store.leave_outbox(verification_id, TTL)
    assert in_outbox(store, verification_id, DUE_AT)
    client.update_item(
        TableName="VerificationsTable",
        Key={"pk": {"S": f"V#{verification_id}"}},
        UpdateExpression="SET ms.#1.f = :reported",
        ExpressionAttributeNames={"#1": "1"},
        ExpressionAttributeValues={":reported": {"S": "reported"}},
    )
    store.leave_outbox(verification_id, TTL)
    assert in_outbox(store, verification_id, DUE_AT) == []


# Inbound messages and the outbox's leases.


def test_an_inbound_sid_is_bound_once_for_ever(store: DynamoDBStore):
    inbound, mine, other = f"SM{new_id()}", new_id(), new_id()
    assert store.bound_inbound(inbound) is None
    assert store.bind_inbound(inbound, mine, 2) == (mine, 2)
    assert store.bind_inbound(inbound, other, 1) == (mine, 2)
    assert store.bound_inbound(inbound) == (mine, 2)


def test_only_of_a_known_recipient_it_is_noted_that_something_came(store: DynamoDBStore):
    known, stranger = new_recipient(), new_recipient()
    store.add_failure(known)
    for recipient in (known, stranger):
        store.note_inbound(recipient, NOW)
    noted = store.read_recipient(known)
    assert noted is not None
    assert (noted.last_inbound_at, noted.failures) == (NOW, 1)
    assert store.read_recipient(stranger) is None


def test_a_shard_is_leased_by_one_holder_until_its_time_is_over(store: DynamoDBStore):
    assert store.lease_shard(15, "a", NOW, NOW + 100)
    assert not store.lease_shard(15, "b", NOW + 99, NOW + 500)
    assert store.lease_shard(15, "b", NOW + 100, NOW + 500)
    store.release_shard(15, "a")
    assert not store.lease_shard(15, "a", NOW + 200, NOW + 500)
    store.release_shard(15, "b")
    assert store.lease_shard(15, "a", NOW + 200, NOW + 500)


Write = Callable[[DynamoDBStore, str], object]
WRITES: dict[str, Write] = {
    "add_message": lambda store, v: store.add_message(v, a_message(2), "w"),
    "remove_unsent_message": lambda store, v: store.remove_unsent_message(v, 2, "w"),
    "advance_message": lambda store, v: store.advance_message(v, 1, Delivery.SENT, sid()),
    "reserve_attempt": lambda store, v: store.reserve_attempt(v, CHECKED, ANYONE, "w"),
    "confirm": lambda store, v: store.confirm(v, confirming(a_message()), NOW, DUE_AT, "w"),
    "report_late": lambda store, v: store.report_late(v, a_message(), NOW),
    "cancel": lambda store, v: store.cancel(v, "w"),
    "leave_outbox": lambda store, v: store.leave_outbox(v, TTL),
    "postpone": lambda store, v: store.postpone(DueReport(v, 0, NOW), NOW + 1),
    "delete_unsent": lambda store, v: store.delete_unsent(v, "w"),
}


@pytest.mark.parametrize("write", WRITES)
def test_no_write_but_the_first_makes_a_record(store: DynamoDBStore, raw: Raw, write: str):
    verification_id = new_id()
    WRITES[write](store, verification_id)
    assert raw(f"V#{verification_id}") is None
