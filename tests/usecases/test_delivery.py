"""Status callbacks: late, twice, out of order, foreign; delivery moves forward only and a SID is set once."""

from itertools import permutations

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import Canceled
from otp_feedback.domain.verification import Feedback, Message, Status
from tests.promises.world import World
from tests.usecases.driver import started, status, unchanged


def message_of(world: World, verification_id: str) -> Message:
    """A verification's first message."""
    return world.verification(verification_id).messages[1]


@pytest.mark.parametrize("order", [*permutations(["queued", "sent", "delivered"])], ids=">".join)
def test_whatever_their_order_the_last_state_stands(world: World, order: tuple[str, ...]):
    verification_id = started(world)
    for each in order:
        world.deliver(verification_id, each)
    assert message_of(world, verification_id).delivery is Delivery.DELIVERED


def test_a_repeated_callback_changes_nothing(world: World):
    verification_id = started(world)
    world.deliver(verification_id, "delivered")
    with unchanged(world):
        for each in ("delivered", "sent", "queued", "undelivered", "failed"):
            world.deliver(verification_id, each)


def test_a_read_receipt_follows_the_delivery(world: World):
    verification_id = started(world)
    for each in ("delivered", "read", "delivered"):
        world.deliver(verification_id, each)
    assert message_of(world, verification_id).delivery is Delivery.READ


def test_a_sid_is_set_once(world: World):
    verification_id = started(world)
    sid = message_of(world, verification_id).sid
    with unchanged(world):
        world.deliver(verification_id, sid="SM" + "f" * 32)
    assert message_of(world, verification_id).sid == sid


def test_a_foreign_sid_is_never_reported(world: World):
    verification_id, other = started(world), started(world)
    world.deliver(verification_id, sid=message_of(world, other).sid)
    world.check(verification_id, world.secret(verification_id))
    world.report_due()
    assert [world.reports(each) for each in (verification_id, other)] == [1, 0]


@pytest.mark.parametrize("number", [2, 3])
def test_a_callback_for_a_message_that_was_never_sent_changes_nothing(world: World, number: int):
    verification_id = started(world)
    with unchanged(world):
        world.deliver(verification_id, number=number, sid="SM" + "e" * 32)


def test_a_callback_for_an_unknown_verification_makes_none(world: World):
    verification_id = started(world)
    with unchanged(world):
        world.deliver(verification_id, verification_id="A" * 22)


def test_a_status_that_nobody_knows_brings_the_sid_and_nothing_else(world: World):
    world.twilio.fail("create_message", "timeout_after")
    verification_id = started(world)
    assert message_of(world, verification_id).sid is None
    world.deliver(verification_id, "teleported")
    message = message_of(world, verification_id)
    assert message.sid is not None
    assert message.delivery is Delivery.ACCEPTED


def test_delivery_confirms_nothing_and_reports_nothing(world: World):
    verification_id = started(world, Action.LINK)
    for each in ("sent", "delivered", "read"):
        world.deliver(verification_id, each)
    world.report_due()
    assert (status(world, verification_id), world.reports(verification_id)) == (Status.PENDING, 0)


def test_a_code_from_a_message_called_undelivered_confirms_all_the_same(world: World):
    verification_id = started(world)
    world.deliver(verification_id, "undelivered", error_code=30008)
    assert message_of(world, verification_id).error_code == 30008
    world.check(verification_id, world.secret(verification_id))
    assert world.reports(verification_id) == 1


def test_callbacks_after_the_confirmation_still_move_the_delivery_on(world: World):
    verification_id = started(world)
    world.check(verification_id, world.secret(verification_id))
    world.deliver(verification_id)
    message = message_of(world, verification_id)
    assert (message.delivery, message.feedback) == (Delivery.DELIVERED, Feedback.REPORTED)
    assert status(world, verification_id) is Status.CONFIRMED


def test_a_callback_does_not_bring_a_canceled_verification_back(world: World):
    verification_id = started(world)
    world.cancel(verification_id)
    world.deliver(verification_id)
    assert status(world, verification_id) is Status.CANCELED
    with pytest.raises(Canceled):
        world.check(verification_id, world.secret(verification_id))
