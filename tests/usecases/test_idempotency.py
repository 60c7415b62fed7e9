"""One Idempotency-Key, one message, whoever repeats it; its answer stays the same as long as that is true."""

from typing import Any

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.errors import IdempotencyConflict, RecipientOptedOut, WrongSecret
from otp_feedback.domain.recipient import HOUR_MS
from otp_feedback.domain.verification import Status
from tests.promises.world import TO, World
from tests.usecases.driver import EXPIRY_MS, INTERVAL_MS, WRONG, fresh_number, started, status, unchanged

KEY = "a-key"


def conflicts(world: World, **asked: Any) -> None:
    """A start under the key is a conflict, and changes nothing."""
    with unchanged(world), pytest.raises(IdempotencyConflict):
        world.start(**{"to": TO, "key": KEY, **asked})


def test_a_replay_gets_the_same_answer_one_message_and_one_slot(world: World):
    first = world.start(key=KEY, reference="a")
    with unchanged(world):
        assert world.start(key=KEY, reference="a") == first
    world.advance(INTERVAL_MS)
    with unchanged(world):
        assert world.start(key=KEY, reference="a") == first
    assert len(world.twilio.messages) == 1
    for _ in range(4):  # of five an hour
        world.start()
        world.advance(INTERVAL_MS)


@pytest.mark.parametrize(
    "change",
    [
        {"to": "+4915199000001"},
        {"action": Action.LINK},
        {"locale": "fr"},
        {"reference": "b"},
        {"reference": None},
        {"limit_key": "10.0.0.1"},
    ],
    ids=str,
)
def test_another_request_is_a_conflict(world: World, change: dict[str, Any]):
    asked: dict[str, Any] = {"to": fresh_number(), "reference": "a"}
    world.start(**asked, key=KEY)
    conflicts(world, **{**asked, **change})


def test_another_secret_of_the_callers_is_a_conflict(world: World):
    sent = world.start(TO, Action.CALLER, key=KEY, secret="First111")
    conflicts(world, action=Action.CALLER, secret="Second22")
    assert world.start(TO, Action.CALLER, key=KEY, secret="First111") == sent


@pytest.mark.parametrize("ending", [Status.CONFIRMED, Status.CANCELED, Status.EXPIRED, Status.LOCKED])
def test_once_it_has_ended_the_key_is_a_conflict(world: World, ending: Status):
    verification_id = world.start(key=KEY).verification_id
    match ending:
        case Status.CONFIRMED:
            world.check(verification_id, world.secret(verification_id))
        case Status.CANCELED:
            world.cancel(verification_id)
        case Status.EXPIRED:
            world.advance(EXPIRY_MS)
        case _:
            for _ in range(5):
                with pytest.raises(WrongSecret):
                    world.check(verification_id, WRONG)
    assert status(world, verification_id) is ending
    conflicts(world)


def test_the_same_key_of_two_callers_is_two_verifications(world: World):
    first = world.start(key=KEY, caller="AIDAFIRST")
    world.advance(INTERVAL_MS)
    second = world.start(key=KEY, caller="AIDASECOND")
    assert first.verification_id != second.verification_id
    assert len(world.twilio.messages) == 2


def test_two_keys_of_a_caller_are_two_verifications(world: World):
    first = world.start(fresh_number(), key=KEY)
    assert world.start(fresh_number(), key=f"{KEY}-2").verification_id != first.verification_id


def test_the_key_stands_nowhere(world: World):
    verification_id = started(world, key=KEY)
    assert KEY not in verification_id
    assert KEY not in str(world.table.items)


def test_another_message_is_replayed_too(world: World):
    verification_id = started(world)
    world.advance(INTERVAL_MS)
    first = world.another(verification_id, key=KEY)
    with unchanged(world):
        assert world.another(verification_id, key=KEY) == first
    world.advance(INTERVAL_MS)
    assert (first.number, world.another(verification_id, key=f"{KEY}-3").number) == (2, 3)
    with unchanged(world):
        assert world.another(verification_id, key=KEY) == first
    assert len(world.twilio.messages) == 3


def test_another_message_under_a_used_key_is_a_conflict(world: World):
    verification_id = started(world, Action.CALLER)
    world.advance(INTERVAL_MS)
    world.another(verification_id, key=KEY, secret="Second22")
    with unchanged(world), pytest.raises(IdempotencyConflict):
        world.another(verification_id, key=KEY, secret="Third333")
    world.check(verification_id, "Callers1")
    with unchanged(world), pytest.raises(IdempotencyConflict):
        world.another(verification_id, key=KEY, secret="Second22")


def test_a_message_that_twilio_refused_is_refused_again_without_asking(world: World):
    world.twilio.fail("create_message", "refused")
    with pytest.raises(RecipientOptedOut) as first:
        world.start(TO, key=KEY)
    with unchanged(world), pytest.raises(RecipientOptedOut) as again:
        world.start(TO, key=KEY)
    assert vars(again.value) == vars(first.value)


def test_an_unanswered_message_is_not_sent_again_under_the_same_key(world: World):
    world.twilio.fail("create_message", "timeout_before")
    first = world.start(key=KEY)
    assert (first.accepted, first.sid) == (False, None)
    with unchanged(world):
        assert world.start(key=KEY) == first


def test_a_slot_of_the_hour_is_free_again_when_the_replayed_message_is_that_old(world: World):
    world.start(key=KEY)
    for _ in range(4):
        world.advance(INTERVAL_MS)
        world.start()
    world.advance(HOUR_MS - 4 * INTERVAL_MS)
    world.start()
