"""A SID that never came is taken from Twilio's list for its own message alone, and looked for as long as it may come.

How: a message's SID is lost, the action is confirmed, and Twilio is told of it; or of nothing, where another message
might be meant. What lies about is what could be mistaken: texts with the same secret, sent shortly before or after, by
us or by the caller, to the same number.
"""

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.recipient import DAY_MS, HOUR_MS
from otp_feedback.domain.verification import Feedback
from otp_feedback.usecases.send import Sent
from tests.promises.scenarios import SHARED_SECRET, SITUATIONS
from tests.promises.world import (
    SEARCHED_FOR_MS,
    TO,
    World,
    check_promises,
    check_settled,
)

SECOND_MS = 1000


def _feedback(world: World, verification_id: str, number: int = 1) -> Feedback:
    return world.verification(verification_id).messages[number].feedback


def _started(world: World, fault: str | None = None, **fields: str) -> str:
    if fault is not None:
        world.twilio.fail("create_message", fault)
    sent = world.run(lambda process: process.start(action=Action.CALLER, **fields)).value
    assert isinstance(sent, Sent)
    return sent.verification_id


def _retry_until(world: World, at: int) -> None:
    while world.now < at:
        world.advance(HOUR_MS)
        world.run(lambda process: process.retry())


def test_another_verifications_message_with_the_same_secret_is_not_taken_for_a_lost_one():
    """Sent half a minute apart: the time at which Twilio created it tells them from each other."""
    world = World()
    here = SITUATIONS["two lost"](world)
    world.run(here.operations["caller's word on the first"])
    world.recover(callbacks=False)
    check_settled(world)
    assert world.ledger.posts == {}
    world.run(here.operations["caller's word on the second"])
    world.recover(callbacks=False)
    check_settled(world)
    assert _feedback(world, here.verification_id) is Feedback.REPORTED


def test_of_two_with_one_secret_and_one_time_neither_is_taken():
    world = World()
    here = SITUATIONS["two lost at once"](world)
    world.run(here.operations["caller's word on the first"])
    world.run(here.operations["check the second"])
    world.recover(callbacks=False)
    check_settled(world)
    assert world.ledger.posts == {}


def test_a_callback_tells_what_the_list_cannot():
    world = World()
    here = SITUATIONS["two lost at once"](world)
    world.run(here.operations["check the second"])
    world.recover()
    check_settled(world)
    assert _feedback(world, here.verification_id) is Feedback.REPORTED


def test_a_sid_that_another_message_of_the_record_has_is_not_taken():
    """The caller sent the first message itself, with the secret that the second one carries; the second one is lost."""
    world = World()
    sid = world.twilio.register(TO, body=f"Acme: {SHARED_SECRET}")
    verification_id = _started(world, sid=sid)
    world.advance(SECOND_MS)
    world.twilio.fail("create_message", "timeout_before")
    world.run(lambda process: process.another(verification_id, secret=SHARED_SECRET))
    world.run(lambda process: process.check(verification_id, SHARED_SECRET))
    world.recover(callbacks=False)
    check_settled(world)
    assert _feedback(world, verification_id, 2) is Feedback.REJECTED
    assert world.ledger.posts == {}


def test_a_lost_sid_is_looked_for_while_twilio_cannot_list():
    """For six days there is no list, no callback ever, and then the report is made."""
    world = World()
    here = SITUATIONS["code, SID unknown"](world)
    world.run(here.operations["check right"])
    world.twilio.fail("list_messages", "failed", 1000)
    _retry_until(world, world.now + 6 * DAY_MS)
    check_promises(world)
    world.recover(callbacks=False)
    check_settled(world)
    assert _feedback(world, here.verification_id, 2) is Feedback.REPORTED


def test_a_lost_sid_is_given_up_in_the_end():
    world = World()
    here = SITUATIONS["code, SID unknown"](world)
    world.run(here.operations["check right"])
    world.twilio.redacted = frozenset(world.twilio.messages)
    world.recover(callbacks=False)
    check_settled(world)
    assert _feedback(world, here.verification_id, 2) is Feedback.REJECTED
    assert world.now >= world.verification(here.verification_id).messages[2].sent_at + SEARCHED_FOR_MS


@pytest.mark.parametrize("ahead_ms", [-10 * SECOND_MS, 10 * SECOND_MS])
def test_twilios_clock_may_be_apart_from_ours(ahead_ms: int):
    world = World()
    world.twilio.ahead_ms = ahead_ms
    verification_id = _started(world, "timeout_after", secret=SHARED_SECRET)
    world.run(lambda process: process.check(verification_id, SHARED_SECRET))
    world.recover(callbacks=False)
    check_settled(world)
    assert _feedback(world, verification_id) is Feedback.REPORTED
