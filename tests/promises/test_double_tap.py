"""Whoever holds the very link that confirmed is shown success again: no attempt, no write, no read more.

`World.note_comparison` takes that one comparison for free; any other still needs its attempt.
"""

import itertools
from collections.abc import Sequence

import pytest

from otp_feedback.domain.keys import Keys
from otp_feedback.domain.verification import State
from tests.promises.engine import Participant, calls_of, explore
from tests.promises.scenarios import SITUATIONS, Situation
from tests.promises.world import KEYS, Answer, World, check_promises

LATE_MS = 3_600_000


def tapped() -> Situation:
    """A link that has confirmed."""
    situation = SITUATIONS["link"](World())
    assert situation.world.run(situation.operations["tap"]).outcome == "ok"
    return situation


@pytest.mark.parametrize("taps", [2, 3])
def test_every_tap_is_shown_success_in_every_order(taps: int):
    situation = SITUATIONS["link"](World())

    def at_end(_world: World, answers: Sequence[Answer]) -> None:
        assert [answer.outcome for answer in answers] == ["ok"] * taps

    explore(situation.world, [Participant(f"tap {n}", situation.operations["tap"]) for n in range(taps)], at_end=at_end)


@pytest.mark.parametrize("wait_ms", [0, LATE_MS])
def test_a_tap_again_is_one_refused_write_and_changes_nothing(wait_ms: int):
    situation = tapped()
    world, tap = situation.world, situation.operations["tap"]
    world.advance(wait_ms)
    before = world.snapshot()
    assert [call.name for call in calls_of(world, tap)] == ["update_item"]
    assert world.run(tap).value == world.verification(situation.verification_id)
    assert world.table.items == before.items
    assert world.ledger.posts == before.ledger.posts
    check_promises(world)


def test_another_link_of_it_is_refused():
    situation = SITUATIONS["link"](World())
    world = situation.world
    world.run(situation.operations["another"])
    links = [world.link(situation.verification_id, number) for number in (1, 2)]
    for one, other in itertools.permutations(links):
        before = world.snapshot()
        outcomes = [world.run(lambda process, link=link: process.link(link)).outcome for link in (one, other, one)]  # type: ignore[misc]
        assert outcomes == ["ok", "already-confirmed", "ok"]
        assert world.run(situation.operations["tap a forged link"]).outcome == "already-confirmed"
        check_promises(world)
        world.restore(before)


@pytest.mark.parametrize("ending", ["cancel", "erase"])
def test_a_link_that_did_not_confirm_is_refused(ending: str):
    situation = SITUATIONS["link"](World())
    situation.world.run(situation.operations[ending])
    assert situation.world.run(situation.operations["tap"]).outcome in {"canceled", "unknown-verification"}
    check_promises(situation.world)


def test_an_older_copy_of_the_keys_is_read_anew():
    world = World()
    world.rotate()
    situation = SITUATIONS["link"](world)
    world.run(situation.operations["tap"])
    world.cached_keys = KEYS
    assert world.run(situation.operations["tap"]).outcome == "ok"
    check_promises(world)


def test_without_its_key_nobody_can_tell():
    situation = tapped()
    world = situation.world
    world.keys = Keys(KEYS.index_key, {"another": b"k" * 32}, "another")
    assert world.run(situation.operations["tap"]).outcome == "unavailable"
    assert world.verification(situation.verification_id).state is State.CONFIRMED


def test_a_code_is_already_confirmed_as_ever():
    situation = SITUATIONS["code"](World())
    right = situation.operations["check right"]
    assert [situation.world.run(right).outcome for _ in range(2)] == ["ok", "already-confirmed"]
