"""Feedback: at once where Twilio takes it, from the outbox where it does not, and only for what was acted on."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.errors import Expired
from otp_feedback.domain.outcomes import MOST_NOT_FOUND
from otp_feedback.domain.verification import Feedback, State
from tests.promises.engine import FailCall, Watch, calls_of
from tests.promises.world import Operation, World
from tests.usecases.conftest import Having
from tests.usecases.driver import EXPIRY_MS, SECOND_MS, started

POST = "post_feedback"


def confirmed(world: World, *faults: str) -> str:
    """A verification that is confirmed while Twilio answers its next reports so."""
    verification_id = started(world)
    for fault in faults:
        world.twilio.fail(POST, fault)
    world.check(verification_id, world.secret(verification_id))
    return verification_id


def asked(world: World, operation: Operation) -> int:
    """How often an operation asks Twilio to take a report."""
    watch = Watch()
    world.does(operation, watch)
    return sum(call.name == POST for call in watch.calls)


@pytest.mark.parametrize("fault", ["throttled", "timeout_before", "timeout_after"])
def test_what_twilio_may_take_later_is_reported_by_the_outbox(world: World, fault: str):
    verification_id = confirmed(world, fault)
    assert world.verification(verification_id).state is State.CONFIRMED
    assert world.feedback(verification_id) is Feedback.DUE
    world.report_due()
    assert world.feedback(verification_id) is Feedback.REPORTED


def test_a_final_refusal_is_rejected_and_not_repeated(world: World):
    verification_id = confirmed(world, "refused")
    assert world.feedback(verification_id) is Feedback.REJECTED
    world.report_due()
    assert world.reports(verification_id) == 0


def test_a_message_that_twilio_does_not_know_is_rejected_by_the_outbox_and_not_repeated(world: World):
    """Whether a 404 is final is seen where all reports are."""
    verification_id = confirmed(world, "not_found", "not_found")
    assert world.feedback(verification_id) is Feedback.DUE
    world.report_due()
    assert world.feedback(verification_id) is Feedback.REJECTED
    world.advance(301 * SECOND_MS)
    world.report_due()
    assert (world.feedback(verification_id), world.reports(verification_id)) == (Feedback.REJECTED, 0)


def test_a_sid_that_a_caller_registered_is_rejected_at_once(world: World):
    verification_id = started(world, Action.CALLER, sid="SM" + "8" * 32)
    world.confirm(verification_id)
    assert world.feedback(verification_id) is Feedback.REJECTED


def test_reports_are_not_given_up_by_the_dozen(world: World):
    """Twilio takes its feedback away, and gives it back: of 30 reports 25 are taken for final, and 5 are made."""
    begun = [started(world) for _ in range(MOST_NOT_FOUND + 5)]
    world.twilio.fail(POST, "not_found", 1000)
    for verification_id in begun:
        world.check(verification_id, world.secret(verification_id))
    world.report_due()
    assert Counter(map(world.feedback, begun)) == {Feedback.REJECTED: MOST_NOT_FOUND, Feedback.DUE: 5}
    world.twilio.faults = {}
    world.advance(301 * SECOND_MS)
    world.report_due()
    assert Counter(map(world.feedback, begun)) == {Feedback.REJECTED: MOST_NOT_FOUND, Feedback.REPORTED: 5}


def test_a_message_that_is_gone_at_twilio_keeps_no_other_report_from_it(world: World):
    """Twilio answered: three 404s in one process, whose breaker is one, are no outage."""
    *gone, there = [started(world) for _ in range(4)]
    world.twilio.fail(POST, "not_found", 3)
    world.does(lambda process: [process.check(each, world.secret(each)) for each in (*gone, there)])
    assert [world.feedback(each) for each in (*gone, there)] == [*[Feedback.DUE] * 3, Feedback.REPORTED]


def test_the_outbox_leaves_what_the_inline_attempt_may_still_report(world: World):
    verification_id = confirmed(world, "throttled")
    assert asked(world, lambda process: process.retry()) == 0
    world.report_due()
    assert world.reports(verification_id) == 1


def test_an_outage_is_outlasted_with_growing_pauses(world: World):
    verification_id = confirmed(world, *["throttled"] * 6)
    waits = []
    while world.feedback(verification_id) is Feedback.DUE:
        due_at = world.verification(verification_id).feedback_due_at
        assert due_at is not None
        waits.append(due_at - world.now)
        world.now = max(world.now, due_at)
        assert asked(world, lambda process: process.retry()) == 1
    assert world.feedback(verification_id) is Feedback.REPORTED
    assert len(waits) == 6
    assert max(waits) <= 300 * SECOND_MS


def test_what_is_reported_leaves_the_outbox_and_will_expire(world: World):
    verification_id = started(world)

    def fields() -> set[str]:
        return world.table.items[f"V#{verification_id}"].keys() & {"ttl", "feedback_shard", "feedback_due_at"}

    assert fields() == {"ttl"}
    world.twilio.fail(POST, "throttled")
    world.check(verification_id, world.secret(verification_id))
    assert fields() == {"feedback_shard", "feedback_due_at"}
    world.report_due()
    assert fields() == {"ttl"}


def test_a_timeout_of_zero_leaves_it_to_the_outbox(having: Having):
    world = having(feedback_timeout_ms=0)
    verification_id = confirmed(world)
    assert (world.reports(verification_id), world.feedback(verification_id)) == (0, Feedback.DUE)
    world.report_due()
    assert world.reports(verification_id) == 1


def test_late_actions_are_not_reported_where_the_stack_says_so(having: Having):
    world = having(report_late_actions=False)
    verification_id = started(world)
    world.advance(EXPIRY_MS)
    with pytest.raises(Expired):
        world.check(verification_id, world.secret(verification_id))
    world.report_due()
    assert (world.reports(verification_id), world.feedback(verification_id)) == (0, Feedback.NONE)


EVENTS: dict[str, Callable[[World, str], object]] = {
    "nothing": lambda world, verification_id: None,
    "delivered": lambda world, verification_id: world.deliver(verification_id),
    "read": lambda world, verification_id: world.deliver(verification_id, "read"),
    "undelivered": lambda world, verification_id: world.deliver(verification_id, "undelivered", error_code=30003),
    "canceled": lambda world, verification_id: world.cancel(verification_id),
    "looked at": lambda world, verification_id: world.verification(verification_id),
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_what_was_not_acted_on_is_never_reported(world: World, event: Callable[[World, str], object]):
    verification_id = started(world)
    event(world, verification_id)
    world.report_due()
    world.advance(EXPIRY_MS)
    world.report_due()
    assert world.reports(verification_id) == 0


def test_a_report_that_cannot_be_settled_leaves_it_confirmed_and_due(world: World):
    verification_id = started(world)

    def check(process: Any) -> object:
        return process.check(verification_id, world.secret(verification_id))

    names = [call.name for call in calls_of(world, check)]
    settling = names.index(POST) + 2
    world.ledger.disturbances += 1
    assert world.does(check, FailCall(settling)).state is State.CONFIRMED
    assert world.feedback(verification_id) is Feedback.DUE
    world.report_due()
    assert world.feedback(verification_id) is Feedback.REPORTED
