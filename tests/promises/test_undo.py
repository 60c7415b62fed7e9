"""An undo looks at what was built on it: numbers have no gap, and what was never sent confirms nothing."""

from collections.abc import Sequence

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.verification import Verification
from tests.promises.engine import JustBefore, Participant, confirms, explore
from tests.promises.world import (
    POLICY,
    TO,
    Answer,
    Call,
    Operation,
    Process,
    World,
    check_promises,
    check_settled,
    with_message_interval,
)


def registering(verification_id: str, number: int) -> Operation:
    """Another message that the caller has sent itself."""

    def register(process: Process) -> object:
        sid = process.world.twilio.register(TO, verification_id, number)
        return process.another(verification_id, sid=sid)

    return register


def sending(verification_id: str, secret: str, fault: str | None = None) -> Operation:
    """Another message with a secret, which Twilio may never get."""

    def send(process: Process) -> object:
        if fault is not None:
            process.troubled("create_message", fault)
        return process.another(verification_id, secret=secret)

    return send


def begun(interval_s: int = 30) -> tuple[World, str]:
    """A verification with action caller and one message."""
    world = World(policy=with_message_interval(POLICY, interval_s))
    sent = world.run(lambda process: process.start(action=Action.CALLER, secret="First111")).value
    world.advance(31_000)
    return world, sent.verification_id


def undoes(call: Call) -> bool:
    """Whether a call takes back what was written."""
    return call.name == "delete_item" or "REMOVE #messages.#n" in call.request.get("UpdateExpression", "")


def deliveries(world: World, verification_id: str) -> list[Delivery]:
    """The messages' delivery states, by their numbers."""
    return [each.delivery for each in world.verification(verification_id).messages.values()]


@pytest.mark.parametrize("followed_by", ["a registered one", "an ordinary one"])
def test_a_message_that_another_followed_is_refused_and_not_removed(followed_by: str):
    world, verification_id = begun(interval_s=0)
    third = {
        "a registered one": registering(verification_id, 3),
        "an ordinary one": sending(verification_id, "Third333"),
    }[followed_by]
    undo = JustBefore(undoes, lambda: world.run(third))
    assert world.run(sending(verification_id, "Second22", "not_sent"), "second", undo).outcome == "unavailable"
    assert undo.happened
    assert deliveries(world, verification_id) == [Delivery.ACCEPTED, Delivery.REJECTED, Delivery.ACCEPTED]
    for nobodys in (None, 2):
        assert world.run(lambda process, n=nobodys: process.caller(verification_id, n)).outcome == "malformed-request"  # type: ignore[misc]
    assert world.run(lambda process: process.check(verification_id, "Second22")).outcome == "wrong-secret"
    assert world.run(lambda process: process.caller(verification_id, 3)).value.confirmation.message == 3
    world.recover()
    check_settled(world)


def test_a_record_that_another_message_followed_stays_without_its_first():
    """Who has the same Idempotency-Key learnt its id before."""
    world = World()
    ids: list[str] = []

    def follow() -> None:
        again = world.run(lambda process: process.start(action=Action.CALLER, secret="First111", key="a key"))
        ids.append(again.value.verification_id)
        assert world.run(registering(ids[0], 2)).outcome == "ok"

    world.twilio.fail("create_message", "not_sent")
    undo = JustBefore(undoes, follow)
    first = world.run(
        lambda process: process.start(action=Action.CALLER, secret="First111", key="a key"), "first", undo
    )
    assert first.outcome == "unavailable"
    (verification_id,) = ids
    assert deliveries(world, verification_id) == [Delivery.REJECTED, Delivery.ACCEPTED]
    assert world.run(lambda process: process.check(verification_id, "First111")).outcome == "wrong-secret"
    world.ledger.acted.add((verification_id, 2))
    confirmed = world.run(lambda process: process.caller(verification_id)).value
    assert confirmed.confirmation.message == 2
    world.recover()
    check_settled(world)


def test_the_key_of_a_message_that_was_refused_unsent_is_free_again():
    """Promise 9: the first one provably never reached Twilio."""
    world, verification_id = begun(interval_s=0)
    undo = JustBefore(undoes, lambda: world.run(registering(verification_id, 3)))
    world.twilio.fail("create_message", "not_sent")

    def send(process: Process) -> object:
        return process.another(verification_id, key="a key", secret="Second22")

    assert world.run(send, "second", undo).outcome == "unavailable"
    assert world.run(send).outcome == "too-many-messages"
    assert len(world.verification(verification_id).messages) == 3


@pytest.mark.sampled(1)
@pytest.mark.parametrize("interval_s", [0, 30])
def test_in_no_order_does_a_word_without_a_number_confirm_one_of_several(interval_s: int):
    world, verification_id = begun(interval_s)
    third = sending(verification_id, "Third333") if not interval_s else registering(verification_id, 3)
    participants = [
        Participant("second, not sent", sending(verification_id, "Second22", "not_sent")),
        Participant("third", third),
        Participant("word", lambda process: process.caller(verification_id)),
    ]

    def at_end(world: World, answers: Sequence[Answer]) -> None:
        check_promises(world)
        confirmed = answers[2].value
        if isinstance(confirmed, Verification):
            assert confirmed.confirmation is not None
            messages = world.verification(verification_id).messages
            others = [each for number, each in messages.items() if number != confirmed.confirmation.message]
            assert all(each.delivery is Delivery.REJECTED for each in others)

    explored = explore(world, participants, at_end=at_end)
    assert {outcome[2] for outcome in explored.outcomes} == {"ok", "malformed-request"}


def test_a_word_without_a_number_is_counted_when_it_is_written():
    """The first of two was refused; just before the word is written for the second one, a third is added."""
    world = World()
    world.twilio.fail("create_message", "refused")
    world.run(lambda process: process.start(action=Action.CALLER, secret="First111"))
    (verification,) = world.verifications()
    verification_id = verification.verification_id
    world.advance(31_000)
    assert world.run(sending(verification_id, "Second22")).outcome == "ok"
    seen = 0

    def second_try(call: Call) -> bool:
        nonlocal seen
        seen += confirms(call)
        return seen == 2

    meanwhile = JustBefore(second_try, lambda: world.run(registering(verification_id, 3)))
    word = world.run(lambda process: process.caller(verification_id), "word", meanwhile)
    assert meanwhile.happened
    assert word.outcome == "malformed-request"
    check_promises(world)
