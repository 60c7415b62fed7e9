"""A write whose answer is lost is sent again, as botocore does; that changes nothing but what errs on the safe side.

How: each write of each operation is carried out, its answer dropped, and the same request sent again. The caller must
be told the same and the table must hold the same as where no answer is lost, down to the last field, with one
exception that is named here: a wrong guess may count twice among the recipient's failures. Then the same with
everything else that may happen in between: all orders of the two sendings and of another operation's calls; and with
the first sending on its way all the time, to arrive once more at any later moment. Lastly the answer is lost for good:
the caller learns nothing, and asks again.

Cases: 854 lost answers, each retried and each for good; in between, 16 contending pairs with each write lost in
turn; late arrivals likewise. `-m exhaustive`: all 2,298 pairs.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from otp_feedback.adapters.aws import items as records
from otp_feedback.adapters.aws.items import recipient_key
from otp_feedback.usecases import outbox
from tests.promises.engine import LoseAnswer, Participant, calls_of, echo, explore
from tests.promises.scenarios import SITUATIONS, Situation, situated
from tests.promises.world import KEYS, TO, Operation, World, check_promises, check_settled

LEAST_LOST = 850
FAILURES = (recipient_key(KEYS.index("recipient", TO)), "f")


def _all(situation: Situation) -> dict[str, Operation]:
    return {**situation.operations, **situation.troubled}


CASES = [(name, operation) for name in SITUATIONS for operation in _all(situated(name))]


def _writes(situation: Situation, operation: Operation) -> list[int]:
    return [number for number, call in enumerate(calls_of(situation.world, operation), 1) if call.writes]


def _fields(world: World) -> dict[tuple[str, str], Any]:
    return {(key, name): value for key, item in world.table.items.items() for name, value in item.items()}


def _differing(one: Mapping[tuple[str, str], Any], other: Mapping[tuple[str, str], Any]) -> set[tuple[str, str]]:
    return {field for field in one.keys() | other.keys() if one.get(field) != other.get(field)}


def _is_count_of_sends(field: tuple[str, str]) -> bool:
    """The stack's cap may count a send twice, which makes it only stricter."""
    return field[0].startswith("C#")


@pytest.mark.sampled(40)
@pytest.mark.parametrize(("name", "operation"), CASES)
def test_an_answer_lost_once_changes_nothing(name: str, operation: str):
    here = situated(name)
    act, world, before = _all(here)[operation], here.world, here.world.snapshot()
    undisturbed = world.run(act, "one")
    expected, failures = _fields(world), world.failures()
    world.restore(before)
    for number in _writes(here, act):
        lost = LoseAnswer(number, retried=True)
        answer = world.run(act, "one", lost)
        assert lost.happened
        assert answer.outcome == undisturbed.outcome
        assert answer.value == undisturbed.value
        assert {each for each in _differing(_fields(world), expected) if not _is_count_of_sends(each)} <= {FAILURES}
        assert failures <= world.failures() <= failures + 1
        check_promises(world)
        world.recover()
        check_settled(world)
        world.restore(before)


@pytest.mark.sampled(40)
@pytest.mark.parametrize(("name", "operation"), CASES)
def test_an_answer_lost_for_good_breaks_no_promise(name: str, operation: str):
    """The caller is told at most that the service is not available, and asks again."""
    here = situated(name)
    act, world, before = _all(here)[operation], here.world, here.world.snapshot()
    undisturbed = world.run(act, "one").outcome
    world.restore(before)
    for number in _writes(here, act) if operation != "erase" else []:
        answer = world.run(act, "one", LoseAnswer(number, retried=False))
        assert answer.outcome in {undisturbed, "unavailable"}
        check_promises(world)
        world.run(act, "one again")
        check_promises(world)
        world.recover()
        check_settled(world)
        world.restore(before)


def test_the_lost_answers_are_all_there():
    assert sum(len(_writes(situated(name), _all(situated(name))[each])) for name, each in CASES) >= LEAST_LOST


CONTENDING = {
    "code": ["check right", "another"],
    "code, owing": ["check right", "retry"],
    "code, last attempt": ["check right", "check wrong"],
    "reply": ["reply", "same reply again"],
}
PAIRS = [(name, one, other) for name, names in CONTENDING.items() for one, other in itertools.product(names, names)]
ALL_PAIRS = [
    (name, one, other)
    for name in SITUATIONS
    for one, other in itertools.product(situated(name).operations, situated(name).operations)
]


def _with_lost_write(name: str, one: str, other: str) -> Iterator[tuple[World, list[Participant], int]]:
    situation = SITUATIONS[name](World())
    loser, bystander = situation.operations[one], situation.operations[other]
    for number in _writes(situation, loser):
        yield situation.world, [Participant(f"{one} (A)", loser), Participant(f"{other} (B)", bystander)], number


@pytest.fixture
def one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other shards' queries commute with everything."""
    monkeypatch.setattr(records, "OUTBOX_SHARDS", 1)
    monkeypatch.setattr(outbox, "OUTBOX_SHARDS", 1)


def _lose_in_between(name: str, one: str, other: str) -> None:
    for world, (loser, bystander), number in _with_lost_write(name, one, other):
        losing = Participant(loser.name, loser.operation, loses=number)
        world.ledger.disturbances = 1
        explore(world, [losing, bystander])


def _arrive_late(name: str, one: str, other: str) -> None:
    for world, participants, number in _with_lost_write(name, one, other):
        world.ledger.disturbances = 1
        explore(world, [*participants, echo(participants, 0, number)])


@pytest.mark.sampled(3)
@pytest.mark.usefixtures("one_shard")
@pytest.mark.parametrize(("name", "one", "other"), PAIRS)
def test_whatever_happens_between_the_two_sendings(name: str, one: str, other: str):
    _lose_in_between(name, one, other)


@pytest.mark.sampled(3)
@pytest.mark.usefixtures("one_shard")
@pytest.mark.parametrize(("name", "one", "other"), PAIRS)
def test_a_sending_that_arrives_late(name: str, one: str, other: str):
    _arrive_late(name, one, other)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("one_shard")
@pytest.mark.parametrize(("name", "one", "other"), ALL_PAIRS)
def test_every_pair_with_each_write_sent_twice(name: str, one: str, other: str):
    _lose_in_between(name, one, other)
    _arrive_late(name, one, other)
