"""What the store says where DynamoDB did not answer; the promises lose the answer of each write in turn."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.verification import Proof, State, Verification
from otp_feedback.usecases.ports import Confirming, Expectation, Refused
from tests.service import DynamoDBStore
from tests.store.conftest import TABLE, Kept
from tests.store.records_data import (
    NOW,
    Forgetful,
    a_message,
    a_sent_verification,
    a_verification,
    sid,
)

CHECKED = frozenset({Action.CODE})
DUE_AT = NOW + 30_000


def test_a_repeated_write_is_answered_as_the_success_that_it_was(client: Any, store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_sent_verification())
    confirming = Confirming(1, a_message().mac, CHECKED, Proof.SECRET)
    forgetful = DynamoDBStore(
        Forgetful(client, lambda: store.advance_message(verification_id, 1, Delivery.DELIVERED, sid())), TABLE
    )
    confirmed = forgetful.confirm(verification_id, confirming, NOW, DUE_AT, "mine")
    assert isinstance(confirmed, Verification)
    assert confirmed.state is State.CONFIRMED


def test_a_message_that_another_followed_is_refused_once(client: Any, store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_sent_verification())
    store.add_message(verification_id, a_message(2), "mine")
    store.add_message(verification_id, a_message(3), "other")
    DynamoDBStore(Forgetful(client), TABLE).remove_unsent_message(verification_id, 2, "mine")
    after = store.read(verification_id)
    assert after
    assert [each.delivery for each in after.messages.values()][1:] == [Delivery.REJECTED, Delivery.CREATING]


def test_another_ones_confirmation_is_not_taken_for_ours(client: Any, store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_sent_verification())
    confirming = Confirming(1, a_message().mac, CHECKED, Proof.SECRET)
    assert isinstance(store.confirm(verification_id, confirming, NOW, DUE_AT, "first"), Verification)
    assert isinstance(store.confirm(verification_id, confirming, NOW, DUE_AT, "second"), Refused)


def test_the_same_writers_other_writes_are_not_taken_for_this_one(store: DynamoDBStore, kept: Kept):
    verification_id = kept(a_sent_verification(max_attempts=1))
    assert isinstance(store.reserve_attempt(verification_id, CHECKED, Expectation(), "mine"), Verification)
    confirming = Confirming(1, a_message(2).mac, CHECKED, Proof.SECRET)
    assert isinstance(store.confirm(verification_id, confirming, NOW, DUE_AT, "mine"), Refused)
    assert isinstance(store.add_message(verification_id, a_message(2), "mine"), Refused)


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
