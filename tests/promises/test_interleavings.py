"""No order of outward calls breaks a promise: all orders of three confirmations, and of every pair of operations.

How: `engine.explore` visits every state that any order of the participants' calls to DynamoDB and Twilio can reach.
Each call is atomic, as DynamoDB's are, so that nothing between two calls can be seen by others, and these are all the
orders there are. In each state the promises that hold at any moment are checked, at each end recovery too, and with
`-m heavy` recovery after the sudden death of all in every state. The orders are counted, and the counts are asserted,
so that none is skipped silently: they grow where a use case gains a call, and must not shrink.

Cases: sixteen sorts of two or three parallel confirmations; 1,098 pairs of operations in ten situations, over 65,000
orders, of which eight situations need `-m heavy`, as do 2,500 pairs in which Twilio fails, and crowds of four to six
with at most three preemptions; some pairs again with clocks a second apart, and with an index that is behind.

One shard of the outbox stands for all sixteen: what a run of the schedule asks of the others, which no record here
can enter, commutes with everything.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from otp_feedback.adapters.aws import items as records
from otp_feedback.domain.verification import Feedback, State
from otp_feedback.usecases import outbox
from tests.promises.engine import JustBefore, Participant, confirms, explore, tick
from tests.promises.scenarios import SITUATIONS, Situation
from tests.promises.world import KEYS, TABLE, Answer, Operation, Process, PromiseBroken, World, check_promises


@pytest.fixture(autouse=True)
def _one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "OUTBOX_SHARDS", 1)
    monkeypatch.setattr(outbox, "OUTBOX_SHARDS", 1)


def _reading(calls: int) -> Operation:
    def read(process: Process) -> None:
        for _ in range(calls):
            process.service.verifications.read("nobody")

    return read


@pytest.mark.parametrize("calls", [(3, 3), (1, 4), (3, 3, 3), (5, 2, 1), (2, 2, 2, 2)])
def test_all_orders_are_counted(calls: tuple[int, ...]):
    """As many as there are ways to interleave; 20 and 1,680 are those of two and of three times three calls."""
    readers = [Participant(f"reader {index}", _reading(count)) for index, count in enumerate(calls)]
    assert explore(World(), readers).orders == math.factorial(sum(calls)) // math.prod(map(math.factorial, calls))


@pytest.mark.parametrize(("preemptions", "orders"), [(0, 2), (1, 6), (2, 14), (5, 20), (None, 20)])
def test_orders_are_bounded_by_preemptions(preemptions: int | None, orders: int):
    readers = [Participant(f"reader {index}", _reading(3)) for index in range(2)]
    assert explore(World(), readers, preemptions=preemptions).orders == orders


def _counting_up(process: Process) -> None:
    """Read, add one, write: past the store, which cannot do this."""
    store: Any = process.service.verifications
    client = store.client
    item = client.get_item(TableName=TABLE, Key={"pk": {"S": "counter"}}).get("Item", {"n": {"N": "0"}})
    number = {"N": str(int(item["n"]["N"]) + 1)}
    client.put_item(TableName=TABLE, Item={"pk": {"S": "counter"}, "n": number})


def test_a_lost_update_is_found():
    world = World()

    def counted(world: World, _answers: Sequence[Answer]) -> None:
        item = world.table.peek("counter")
        assert item is not None
        assert item["n"] == {"N": "2"}

    counters = [Participant("one", _counting_up), Participant("other", _counting_up)]
    with pytest.raises(PromiseBroken, match="one → other"):
        explore(world, counters, at_end=counted)


ORDERS_OF_CONFIRMATIONS = {
    ("check right", "check right"): 24,
    ("check right", "check wrong"): 15,
    ("check wrong", "check wrong"): 6,
    ("check right", "check late"): 15,
    ("check late", "check late"): 6,
    ("check right", "check right", "check right"): 660,
    ("check right", "check right", "check wrong"): 560,
    ("check right", "check wrong", "check wrong"): 370,
    ("check wrong", "check wrong", "check wrong"): 90,
    ("check right", "check wrong", "check late"): 370,
}


def _participants(situation: Situation, names: Sequence[str]) -> list[Participant]:
    operations = {**situation.operations, **situation.troubled}
    return [Participant(f"{name} ({letter})", operations[name]) for name, letter in zip(names, "ABCDEFG", strict=False)]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", ["code", "code, last attempt"])
@pytest.mark.parametrize("names", ORDERS_OF_CONFIRMATIONS)
def test_parallel_confirmations(name: str, names: tuple[str, ...]):
    """One is told that it confirmed, the others why not; nothing is compared beyond the last attempt."""
    situation = SITUATIONS[name](World())

    def at_end(world: World, answers: Sequence[Answer]) -> None:
        assert sum(answer.problem is None for answer in answers) <= 1
        confirmed = world.verification(situation.verification_id).state is State.CONFIRMED
        assert confirmed is any(answer.problem is None for answer in answers)
        if name == "code":
            assert confirmed is ("check right" in names)

    explored = explore(situation.world, _participants(situation, names), crashes=True, at_end=at_end)
    if name == "code":
        assert explored.orders == ORDERS_OF_CONFIRMATIONS[names]


OTHER_TRIPLES = [
    ("link", ("tap", "tap", "tap")),
    ("link", ("tap", "tap", "tap a forged link")),
    ("reply", ("reply", "same reply again", "another reply")),
    ("caller", ("caller's word", "caller's word", "check right")),
    ("code", ("check late", "check late", "check late")),
    ("code, owing", ("check right", "check late", "check right")),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "names"), OTHER_TRIPLES)
def test_parallel_confirmations_by_every_way_in(name: str, names: tuple[str, ...]):
    situation = SITUATIONS[name](World())
    explored = explore(situation.world, _participants(situation, names), crashes=True)
    assert explored.orders >= math.factorial(len(names))


PAIRS_AND_LEAST_ORDERS = {
    "code": (105, 2950),
    "code, owing": (105, 7600),
    "code, SID unknown": (91, 6100),
    "code, confirmed": (91, 7000),
    "code, last attempt": (105, 2750),
    "link": (105, 2850),
    "reply": (120, 22000),
    "caller": (136, 4400),
    "two lost": (120, 3600),
    "two lost at once": (120, 5500),
}


def _explore_every_pair(name: str, *, crashes: bool) -> None:
    situation = SITUATIONS[name](World())
    explored = [
        explore(situation.world, _participants(situation, pair), crashes=crashes)
        for pair in itertools.combinations_with_replacement(situation.operations, 2)
    ]
    pairs, least_orders = PAIRS_AND_LEAST_ORDERS[name]
    assert len(explored) == pairs
    assert sum(each.orders for each in explored) >= least_orders


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["code", "caller"])
def test_every_pair_of_operations(name: str):
    _explore_every_pair(name, crashes=False)


@pytest.mark.heavy
@pytest.mark.parametrize("name", PAIRS_AND_LEAST_ORDERS)
def test_every_pair_of_operations_with_sudden_death_in_every_state(name: str):
    _explore_every_pair(name, crashes=True)


@pytest.mark.heavy
@pytest.mark.parametrize("name", SITUATIONS)
def test_every_pair_in_which_twilio_fails(name: str):
    situation = SITUATIONS[name](World())
    for pair in itertools.product(situation.troubled, situation.operations):
        explore(situation.world, _participants(situation, pair))


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "fault",
    [
        *(pytest.param(fault, marks=pytest.mark.heavy) for fault in ("not_sent", "timeout_before")),
        "refused",
        "timeout_after",
    ],
)
def test_two_that_send_while_twilio_fails_once(fault: str):
    situation = SITUATIONS["caller"](World())
    situation.world.twilio.fail("create_message", fault)
    senders = ["start", "start with key", "another", "another with key"]
    for pair in itertools.combinations_with_replacement(senders, 2):
        explore(situation.world, _participants(situation, pair), crashes=True)


@pytest.mark.parametrize(
    ("name", "other"), [("caller", "another by SID"), ("two lost at once", "another"), ("two lost at once", "retry")]
)
def test_a_message_is_taken_back_while_something_else_is_under_way(name: str, other: str):
    """Twilio was never asked for it: where another one was added behind it meanwhile, no gap is left."""
    situation = SITUATIONS[name](World())
    explore(situation.world, _participants(situation, ["another, not_sent", other]), crashes=True)


EXPIRING = ["check right", "check late", "caller's word", "cancel", "another", "deliver", "retry", "erase"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", EXPIRING)
def test_a_message_expires_between_any_two_calls(name: str):
    """The last millisecond passes at any moment, beside a check and one more operation."""
    situation = SITUATIONS["code, expiring"](World(slack_ms=1))
    explore(situation.world, [*_participants(situation, ["check right", name]), tick(1)])


APART_MS = 1000
APART = [
    ("code", ("check right", "retry")),
    ("code", ("start", "start")),
    ("code, owing", ("retry", "retry")),
    ("code, expiring", ("check right", "check right")),
    ("code, expiring", ("check right", "another")),
    ("code, expiring", ("check right", "retry")),
    ("code, expiring", ("caller's word", "check right")),
    ("reply", ("reply", "same reply again")),
]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("ahead", ["first", "second"])
@pytest.mark.parametrize(("name", "names"), APART)
def test_clocks_that_are_a_second_apart(name: str, names: tuple[str, str], ahead: str):
    """For one of two processes a message may have expired, or a report fallen due, that for the other has not."""
    situation = SITUATIONS[name](World(slack_ms=APART_MS))
    one, other = _participants(situation, names)
    if ahead == "first":
        explore(situation.world, [replace(one, ahead_ms=APART_MS), other])
    else:
        explore(situation.world, [one, replace(other, ahead_ms=APART_MS)])


@pytest.mark.parametrize("names", [("retry", "retry"), ("check right", "retry"), ("check late", "retry")])
def test_an_index_that_is_one_query_behind(names: tuple[str, str]):
    """It still shows what was reported, and not yet what has fallen due: each report is made once all the same."""
    situation = SITUATIONS["code, owing"](World())
    situation.world.table.behind = True
    explore(situation.world, _participants(situation, names))


def test_what_was_judged_late_while_a_confirmation_is_under_way_stays_late():
    """Its expiry passes while the confirming write is on its way; another process has it reported, and it is."""
    situation = SITUATIONS["code, expiring"](World(slack_ms=1))
    world, check_right = situation.world, situation.operations["check right"]

    def meanwhile() -> None:
        world.advance(1)
        assert world.run(check_right, "B").outcome == "expired"
        world.run(situation.operations["retry"], "retry")

    confirming = JustBefore(confirms, meanwhile)
    assert world.run(check_right, "A", confirming).outcome == "expired"
    assert confirming.happened
    check_promises(world)
    verification = world.verification(situation.verification_id)
    assert (verification.state, verification.messages[2].feedback) == (State.PENDING, Feedback.REPORTED)


@pytest.mark.parametrize("names", [("check right",), ("check late", "check right"), ("another", "check right")])
def test_the_mac_key_rotates_between_any_two_calls(names: tuple[str, ...]):
    """The right secret confirms all the same, and attempts and failures go on where they stood."""
    situation = SITUATIONS["code"](World())

    def at_end(world: World, answers: Sequence[Answer]) -> None:
        assert answers[names.index("check right")].outcome == "ok"
        assert world.failures() == 0

    rotation = Participant("the key rotates", None, event=World.rotate)
    explore(situation.world, [*_participants(situation, names), rotation], at_end=at_end)


def test_processes_that_know_the_old_key_alone_look_again():
    world = World()
    sent = world.run(lambda process: process.start()).value
    world.run(lambda process: process.check(sent.verification_id, "000000x"))
    world.rotate()
    world.advance(31_000)
    world.run(lambda process: process.another(sent.verification_id))
    world.cached_keys = KEYS
    secret = world.secret(sent.verification_id, 2)
    checks = [Participant(name, lambda process: process.check(sent.verification_id, secret)) for name in ("A", "B")]
    explored = explore(world, checks)
    assert set(explored.outcomes) == {("ok", "already-confirmed"), ("already-confirmed", "ok")}


CROWDS = [
    ("code, owing", ["check right", "check late", "retry", "another"], 2),
    ("code, SID unknown", ["check right", "deliver", "retry", "late callback", "cancel"], 1),
    ("code, last attempt", ["check right", "check right", "check wrong", "check wrong", "check late"], 3),
    ("reply", ["reply", "same reply again", "another reply", "start for a reply"], 2),
    ("caller", ["caller's word", "check right", "another", "retry"], 3),
    ("caller", ["caller's word", "check right", "check wrong", "another", "retry", "cancel"], 1),
]


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "names", "preemptions"), CROWDS)
def test_crowds_with_few_preemptions(name: str, names: list[str], preemptions: int):
    """Somebody is stopped before its end that often, at most."""
    situation = SITUATIONS[name](World())
    explored = explore(situation.world, _participants(situation, names), preemptions=preemptions)
    assert explored.orders >= math.factorial(len(names))
