"""What counts against a number: what comes to nothing does not, a forged reply changes nothing, and the cap adds up."""

import itertools

import pytest

from otp_feedback.domain.verification import State
from tests.promises.engine import LoseAnswer, Participant, calls_of, explore
from tests.promises.scenarios import SITUATIONS
from tests.promises.world import IN_THE_OTHER_FORM, IN_TWO_FORMS, TO_MISSPELT, Operation, World, check_promises


@pytest.mark.parametrize("operation", ["start with key", "another with key"])
def test_who_was_told_to_try_again_is_sent_a_message_by_the_next_try(operation: str):
    """The record's write was applied and its answer lost for good: the same Idempotency-Key sends after all."""
    here = SITUATIONS["code"](World())
    world, act = here.world, here.operations[operation]
    [create] = [number for number, call in enumerate(calls_of(world, act), 1) if call.name == "create_message"]
    before = len(world.twilio.messages)
    assert world.run(act, "one", LoseAnswer(create - 1, retried=False)).outcome == "unavailable"
    assert world.run(act, "two").outcome == "ok"
    assert len(world.twilio.messages) == before + 1


def test_a_number_has_one_spelling():
    """Else each one would have budgets of its own."""
    world = World()
    assert world.run(lambda process: process.start(TO_MISSPELT)).outcome == "malformed-request"
    assert world.table.items == {}


@pytest.mark.parametrize("forms", [(IN_TWO_FORMS, IN_THE_OTHER_FORM), (IN_THE_OTHER_FORM, IN_TWO_FORMS)])
def test_a_number_with_two_forms_has_one_budget(forms: tuple[str, str]):
    """In every order of two starts at once, and for what is guessed wrong."""
    world = World()
    starting = [Participant(to, _starting(to)) for to in forms]
    assert set(explore(world, starting).outcomes) == {("ok", "too-many-messages"), ("too-many-messages", "ok")}
    for start in map(_starting, forms):
        world.run(_guessing_wrong(world.run(start).value.verification_id))
        world.advance(31_000)
    assert world.failures(IN_TWO_FORMS) == 2
    check_promises(world)


def _starting(to: str) -> Operation:
    return lambda process: process.start(to)


def _guessing_wrong(verification_id: str) -> Operation:
    return lambda process: process.check(verification_id, "000000")


def test_a_reply_resets_no_failures():
    """A sender can be forged: else somebody else's reply would give a guesser the number's failures back."""
    here = SITUATIONS["reply"](World())
    assert here.world.failures() == 1
    assert here.world.run(here.operations["reply"]).outcome == "ok"
    assert here.world.verification(here.verification_id).state is State.CONFIRMED
    assert here.world.failures() == 1
    check_promises(here.world)


@pytest.mark.parametrize("fault", ["not_sent", "refused"])
def test_what_provably_was_not_sent_uses_up_no_cap(fault: str):
    """Credentials that Twilio refuses must lock out nobody; what Twilio refused to one stays counted."""
    world = World()
    world.cap = 2
    for number in range(4):
        world.twilio.fail("create_message", fault)
        world.run(_starting(f"+49151000000{number}0"))
        world.advance(60_000)
    outcome = world.run(_starting("+4915100000090")).outcome
    assert outcome == ("ok" if fault == "not_sent" else "too-many-messages")


@pytest.mark.parametrize("crowd", ["AB", pytest.param("ABC", marks=pytest.mark.heavy)])
def test_parallel_starts_of_one_client_take_one_slot_for_each_message(crowd: str):
    """At once for one number under one limit key: all but one are refused, and give their slots back."""
    world = World()
    starting = [Participant(name, lambda process: process.start(limit_key="198.51.100.7")) for name in crowd]

    def at_end(world: World, answers: object) -> None:
        [key] = [item for pk, item in world.table.items.items() if pk.startswith("K#")]
        taken = sum(int(key[f"s{slot}"]["N"]) > 0 for slot in itertools.takewhile(lambda n: f"s{n}" in key, range(30)))
        assert taken == len(world.twilio.messages) == 1

    explore(world, starting, at_end=at_end)
