"""A write whose acknowledgement was lost is repeated: it counts once, and is answered as the success that it was."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.recipient import Limits, Recipient
from otp_feedback.domain.verification import Action, Feedback, Proof, State, Verification
from otp_feedback.usecases.ports import Confirming, DueReport, Expectation, Refused
from tests.service import DynamoDBStore
from tests.store.conftest import TABLE, Kept, Raw
from tests.store.records_data import (
    NOW,
    TTL,
    Forgetful,
    a_message,
    a_sent_verification,
    a_verification,
    new_recipient,
    sid,
)

CHECKED = frozenset({Action.CODE})
DUE_AT = NOW + 30_000


@dataclass
class Case:
    """A record, and the stores that write it: one that loses its first acknowledgements, and one that does not."""

    verification_id: str
    forgetful: DynamoDBStore
    store: DynamoDBStore


Meanwhile = Callable[[DynamoDBStore, str], object]
MEANWHILE: dict[str, Meanwhile] = {
    "nothing": lambda store, v: None,
    "a callback": lambda store, v: store.advance_message(v, 1, Delivery.DELIVERED, NOW, sid()),
    "another guess": lambda store, v: store.reserve_attempt(v, CHECKED, Expectation(), "somebody"),
}


@pytest.fixture(params=MEANWHILE)
def case(request: pytest.FixtureRequest, client: Any, store: DynamoDBStore, kept: Kept) -> Case:
    """A record with a message, whose writer's acknowledgements get lost, something else happening meanwhile."""
    verification_id = kept(a_sent_verification())
    meanwhile = MEANWHILE[request.param]
    forgetful = DynamoDBStore(Forgetful(client, lambda: meanwhile(store, verification_id)), TABLE)
    return Case(verification_id, forgetful, store)


def test_confirming_is_answered_as_confirmed(case: Case):
    confirming = Confirming(1, a_message().mac, CHECKED, Proof.SECRET)
    confirmed = case.forgetful.confirm(case.verification_id, confirming, NOW, DUE_AT, "mine")
    assert isinstance(confirmed, Verification)
    assert confirmed.state is State.CONFIRMED
    assert case.store.confirm(case.verification_id, confirming, NOW, DUE_AT, "other") == Refused(
        case.store.read(case.verification_id)
    )


def test_another_ones_confirmation_is_not_taken_for_ours(client: Any, store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_sent_verification())
    confirming = Confirming(1, a_message().mac, CHECKED, Proof.SECRET)
    assert isinstance(store.confirm(verification_id, confirming, NOW, DUE_AT, "first"), Verification)
    assert isinstance(store.confirm(verification_id, confirming, NOW, DUE_AT, "second"), Refused)


def test_cancelling_is_answered_as_canceled(case: Case):
    canceled = case.forgetful.cancel(case.verification_id, "mine")
    assert isinstance(canceled, Verification)
    assert canceled.state is State.CANCELED


def test_adding_a_message_is_answered_as_added(case: Case):
    added = case.forgetful.add_message(case.verification_id, a_message(2), "mine")
    assert isinstance(added, Verification)
    assert set(added.messages) == {1, 2}


def test_the_same_writers_other_writes_are_not_taken_for_this_one(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_sent_verification(max_attempts=1))
    assert isinstance(store.reserve_attempt(verification_id, CHECKED, Expectation(), "mine"), Verification)
    confirming = Confirming(1, a_message(2).mac, CHECKED, Proof.SECRET)
    assert isinstance(store.confirm(verification_id, confirming, NOW, DUE_AT, "mine"), Refused)
    assert isinstance(store.add_message(verification_id, a_message(2), "mine"), Refused)


def test_an_attempt_is_reserved_once(client: Any, store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_sent_verification())
    forgetful = DynamoDBStore(Forgetful(client), TABLE)
    reserved = forgetful.reserve_attempt(verification_id, CHECKED, Expectation(), "mine")
    assert isinstance(reserved, Verification)
    assert reserved.attempts == 1


def test_the_last_attempt_is_ours_though_the_repetition_finds_none_left(client: Any, kept: Kept):
    verification_id = kept(a_sent_verification(attempts=4))
    forgetful = DynamoDBStore(Forgetful(client), TABLE)
    reserved = forgetful.reserve_attempt(verification_id, CHECKED, Expectation(), "mine")
    assert isinstance(reserved, Verification)
    assert reserved.attempts == 5


def test_with_another_guess_between_no_attempt_beyond_the_limit_is_reserved(
    client: Any, store: DynamoDBStore, kept: Kept
):
    verification_id = kept(a_sent_verification(attempts=3))

    def meanwhile() -> None:
        assert isinstance(store.reserve_attempt(verification_id, CHECKED, Expectation(), "somebody"), Verification)

    forgetful = DynamoDBStore(Forgetful(client, meanwhile), TABLE)
    assert isinstance(forgetful.reserve_attempt(verification_id, CHECKED, Expectation(), "mine"), Refused)
    after = store.read(verification_id)
    assert after
    assert after.attempts == 5


def test_a_record_is_answered_as_written(client: Any, store: DynamoDBStore):
    verification = a_verification()

    def meanwhile() -> None:
        store.advance_message(verification.verification_id, 1, Delivery.SENT, NOW, sid())

    forgetful = DynamoDBStore(Forgetful(client, meanwhile), TABLE)
    assert forgetful.create(verification, TTL, "mine") is None
    assert isinstance(store.create(verification, TTL, "other"), Refused)


def test_a_slot_is_taken_once(client: Any, store: DynamoDBStore):
    recipient = new_recipient()
    forgetful = DynamoDBStore(Forgetful(client), TABLE)
    taken = forgetful.reserve_send(recipient, "v1#1", NOW, Limits(), "mine")
    assert taken == Recipient((NOW,), ("v1#1",))
    assert store.read_recipient(recipient) == taken
    assert isinstance(store.reserve_send(recipient, "v1#1", NOW, Limits(), "other"), Refused)


def test_a_slot_is_given_back_once(client: Any, store: DynamoDBStore):
    recipient = new_recipient()
    store.reserve_send(recipient, "v1#1", NOW - 60_000, Limits(), "earlier")
    store.reserve_send(recipient, "v2#1", NOW, Limits(), "mine")
    DynamoDBStore(Forgetful(client), TABLE).release_send(recipient, "mine")
    after = store.read_recipient(recipient)
    assert after
    assert (after.sends, after.holders) == ((NOW - 60_000,), ("v1#1",))


def test_an_inbound_sid_is_bound_as_answered(client: Any, store: DynamoDBStore):
    forgetful = DynamoDBStore(Forgetful(client), TABLE)
    inbound = f"SM-{new_recipient().hex()}"
    assert forgetful.bind_inbound(inbound, "v1", 1) == ("v1", 1)
    assert store.bound_inbound(inbound) == ("v1", 1)


def test_a_delivery_state_is_stored_once(case: Case):
    case.forgetful.advance_message(case.verification_id, 1, Delivery.SENT, NOW + 7, sid())
    after = case.store.read(case.verification_id)
    assert after
    assert after.messages[1].delivery in {Delivery.SENT, Delivery.DELIVERED}
    assert after.messages[1].sid == sid()


def test_a_late_action_is_due_once(case: Case):
    case.forgetful.report_late(case.verification_id, a_message(), NOW)
    after = case.store.read(case.verification_id)
    assert after
    assert (after.messages[1].feedback, after.feedback_due_at) == (Feedback.DUE, NOW)


def test_a_report_is_settled_once(case: Case, raw: Raw):
    confirming = Confirming(1, a_message().mac, CHECKED, Proof.SECRET)
    confirmed = case.store.confirm(case.verification_id, confirming, NOW, DUE_AT, "w1")
    assert isinstance(confirmed, Verification)
    case.forgetful.settle_feedback(confirmed, 1, Feedback.REPORTED, TTL)
    after = case.store.read(case.verification_id)
    assert after
    assert after.messages[1].feedback is Feedback.REPORTED
    item = raw(f"V#{case.verification_id}")
    assert item
    assert "feedback_shard" not in item


def test_an_entry_is_postponed_once(case: Case):
    confirming = Confirming(1, a_message().mac, CHECKED, Proof.SECRET)
    case.store.confirm(case.verification_id, confirming, NOW, DUE_AT, "w1")
    case.forgetful.postpone(DueReport(case.verification_id, 0, DUE_AT), DUE_AT + 60_000)
    after = case.store.read(case.verification_id)
    assert after
    assert (after.feedback_due_at, after.feedback_failures) == (DUE_AT + 60_000, 1)


def test_a_message_is_taken_back_once(case: Case):
    case.store.add_message(case.verification_id, a_message(2), "mine")
    case.forgetful.remove_unsent_message(case.verification_id, 2, "mine")
    after = case.store.read(case.verification_id)
    assert after
    assert set(after.messages) == {1}


def test_a_message_that_another_followed_is_refused_once(case: Case):
    case.store.add_message(case.verification_id, a_message(2), "mine")
    case.store.add_message(case.verification_id, a_message(3), "other")
    case.forgetful.remove_unsent_message(case.verification_id, 2, "mine")
    after = case.store.read(case.verification_id)
    assert after
    assert [each.delivery for each in after.messages.values()][1:] == [Delivery.REJECTED, Delivery.CREATING]


def test_a_record_is_taken_back_once(client: Any, store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_verification())
    DynamoDBStore(Forgetful(client), TABLE).delete_unsent(verification_id, "token-of-it")
    assert store.read(verification_id) is None


def test_a_lease_is_ours_though_it_was_asked_for_twice(client: Any, store: DynamoDBStore):
    assert DynamoDBStore(Forgetful(client), TABLE).lease_shard(14, "mine", NOW, NOW + 100)
    assert not store.lease_shard(14, "other", NOW, NOW + 100)


def test_counting_a_failure_twice_only_makes_the_limit_stricter(client: Any, store: DynamoDBStore):
    recipient = new_recipient()
    DynamoDBStore(Forgetful(client), TABLE).add_failure(recipient)
    after = store.read_recipient(recipient)
    assert after
    assert after.failures in {1, 2}


class Failing:
    """A client of which every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def fail(**_: Any) -> Any:
            raise self._error

        return fail


def client_error(code: str, status: int) -> ClientError:
    """An error of DynamoDB's own."""
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "UpdateItem")


PASSING = [
    client_error("ProvisionedThroughputExceededException", 400),
    client_error("ThrottlingException", 400),
    client_error("RequestLimitExceeded", 400),
    client_error("TransactionConflictException", 400),
    client_error("InternalServerError", 500),
    client_error("ServiceUnavailable", 503),
    client_error("SomethingNew", 500),
    ConnectionClosedError(endpoint_url="x"),
    ReadTimeoutError(endpoint_url="x"),
]
LASTING = [
    client_error("AccessDeniedException", 400),
    client_error("ResourceNotFoundException", 400),
    client_error("ValidationException", 400),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass_is_unavailable(error: Exception):
    store = DynamoDBStore(Failing(error), TABLE)
    with pytest.raises(Unavailable):
        store.cancel("v", "w")
    with pytest.raises(Unavailable):
        store.read("v")
    with pytest.raises(Unavailable):
        store.due_reports(0, NOW, 1)
    with pytest.raises(Unavailable):
        store.add_failure(b"r")


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_a_fault_of_ours_is_not_hidden(error: ClientError):
    store = DynamoDBStore(Failing(error), TABLE)
    with pytest.raises(ClientError) as raised:
        store.cancel("v", "w")
    assert raised.value is error


def test_no_call_is_begun_that_could_outlast_the_invocation(client: Any, kept: Kept):
    verification_id = kept(a_verification())
    left = LONGEST_CALL_S - 0.1
    store = DynamoDBStore(client, TABLE, lambda: left)
    with pytest.raises(Unavailable):
        store.cancel(verification_id, "w")
    left = LONGEST_CALL_S + 0.1
    assert isinstance(store.cancel(verification_id, "w"), Verification)
