"""Nothing is lost and nobody is let in when a process dies before or after any single outward call.

How: an operation is run once to learn how many calls it makes, to DynamoDB and to Twilio, and then once more for each
call and each side of it, with the process killed there: nothing it does afterwards reaches anything. The calls are
counted by running, so that a call that is added is crashed too. After each death all promises are checked, and again
after each of six recoveries: callbacks and schedule; the schedule alone; the caller asks again first; the caller asks
again and that process dies as well; the schedule dies on its way; the user acts on the message in hand, which must
confirm.

Cases: 368 operations in twelve situations, over 4,800 crash points, which leave over 1,400 different worlds, six
recoveries each, of which `make test` samples 40 operations. With `-m exhaustive` every second death after each of them.
"""

from collections.abc import Callable, Iterator

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.verification import State, Status
from tests.promises.engine import Kill, Watch, calls_of, fingerprint
from tests.promises.scenarios import SITUATIONS, Situation, situated
from tests.promises.world import RUN_MS, Operation, Process, World, check_promises, check_settled

Recovery = Callable[[Situation, Operation], None]


def _callbacks_and_schedule(situation: Situation, operation: Operation) -> None:
    del operation
    situation.world.recover()


def _schedule_alone(situation: Situation, operation: Operation) -> None:
    del operation
    situation.world.recover(callbacks=False)


def _asked_again(situation: Situation, operation: Operation) -> None:
    situation.world.run(operation, "again")
    situation.world.recover()


def _asked_again_and_killed(situation: Situation, operation: Operation) -> None:
    situation.world.run(operation, "again", Kill(2, after=True))
    situation.world.recover()


def _acted_on(situation: Situation, operation: Operation) -> None:
    """Whoever holds a message can still act on it."""
    del operation
    world = situation.world
    for verification_id, number in _held(world):
        answer = world.run(_acting_on(world, verification_id, number), "the user")
        assert answer.outcome == "ok"
        assert world.verification(verification_id).state is State.CONFIRMED
    world.recover()


def _schedule_killed(situation: Situation, operation: Operation) -> None:
    """Three runs die: when they have leased a shard, when Twilio has taken the report, and when that is stored."""
    del operation
    world = situation.world
    for further in (0, 2, 3):
        world.advance(RUN_MS + 1)
        names = [call.name for call in calls_of(world, _retrying)]
        leasing = next((number for number, name in enumerate(names, 1) if name != "query"), None)
        if leasing is not None:
            world.run(_retrying, f"run {further}", Kill(leasing + further, after=True))
    world.recover()


def _retrying(process: Process) -> None:
    process.retry()


RECOVERIES: dict[str, Recovery] = {
    "callbacks and schedule": _callbacks_and_schedule,
    "schedule alone": _schedule_alone,
    "asked again": _asked_again,
    "asked again and killed": _asked_again_and_killed,
    "schedule killed": _schedule_killed,
    "the user acts": _acted_on,
}


OPERATIONS = [
    (name, operation) for name in SITUATIONS for operation in (*situated(name).operations, *situated(name).troubled)
]
LEAST_POINTS = 4800


def _deaths(situation: Situation, operation: Operation, name: str = "killed") -> Iterator[Kill]:
    """A process for each crash point has just died there; the world is as it left it, and put right afterwards.

    Where two leave the same world, as before and after a read, what follows is the same too and happens once.
    """
    before = situation.world.snapshot()
    seen = set()
    for number in range(1, len(calls_of(situation.world, operation)) + 1):
        for after in (False, True):
            kill = Kill(number, after=after)
            answer = situation.world.run(operation, name, kill)
            assert kill.happened, "the operation makes fewer calls than when it ran alone"
            assert answer.killed
            left = fingerprint(situation.world)
            if left not in seen:
                seen.add(left)
                yield kill
            situation.world.restore(before)


@pytest.mark.sampled(40)
@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_a_death_at_any_call_breaks_no_promise(name: str, operation: str):
    here = situated(name)
    act = _operation(here, operation)
    for _ in _deaths(here, act):
        check_promises(here.world)
        dead = here.world.snapshot()
        for recover in RECOVERIES.values():
            here.world.restore(dead)
            recover(here, act)
            check_settled(here.world)


def test_the_crash_points_are_all_there():
    """A guard against a situation that lost its operations, or a boundary that lets calls past."""
    points = sum(
        2 * len(calls_of(situated(name).world, _operation(situated(name), operation))) for name, operation in OPERATIONS
    )
    assert points >= LEAST_POINTS


def test_each_operation_ends_alike_where_nobody_dies():
    for name in SITUATIONS:
        here = situated(name)
        before = here.world.snapshot()
        for act in (*here.operations.values(), *here.troubled.values()):
            watch = Watch()
            answer = here.world.run(act, "alive", watch)
            here.world.restore(before)
            beyond = Kill(len(watch.calls) + 1, after=False)
            assert here.world.run(act, "alive", beyond).outcome == answer.outcome
            assert not beyond.happened
            here.world.restore(before)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_two_deaths_at_any_two_calls_break_no_promise(name: str, operation: str):
    """The same is asked again and dies too, wherever it can; then recovery."""
    here = situated(name)
    act = _operation(here, operation)
    for _ in _deaths(here, act):
        for _ in _deaths(here, act, "killed again"):
            check_promises(here.world)
            here.world.recover()
            check_settled(here.world)


def _operation(situation: Situation, name: str) -> Operation:
    return {**situation.operations, **situation.troubled}[name]


def _held(world: World) -> list[tuple[str, int]]:
    """The newest message of each verification that somebody can act on.

    Where two messages await a reply, the one that is known to be sent gets it, and else the newest one.
    """
    held = {each.verification_id: each.number for each in world.twilio.messages.values()}
    awaiting = [each for each in world.verifications() if each.status_at(world.now) is Status.PENDING]
    awaiting = [each for each in awaiting if each.verification_id in held]
    replies = [each for each in awaiting if each.action is Action.REPLY]
    replies.sort(key=lambda each: (each.latest.sid is not None, each.created_at))
    passed_over = {each.verification_id for each in replies[:-1]}
    return [(each, held[each]) for each in (one.verification_id for one in awaiting) if each not in passed_over]


def _acting_on(world: World, verification_id: str, number: int) -> Operation:
    match world.verification(verification_id).action:
        case Action.LINK:
            link = world.link(verification_id, number)
            return lambda process: process.link(link)
        case Action.REPLY:
            return lambda process: process.reply(f"SMreply to {verification_id}")
        case _:
            secret = world.secret(verification_id, number)
            return lambda process: process.check(verification_id, secret)
