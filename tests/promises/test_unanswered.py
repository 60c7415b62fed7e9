"""A write without an answer, and an undo without one: nobody is told for long that a message went out, and no limit
counts one that did not.
"""

from collections.abc import Callable, Collection
from typing import Any, override

import pytest
from botocore.exceptions import ReadTimeoutError

from otp_feedback.domain.recipient import HOUR_MS
from otp_feedback.usecases.send import REQUEST_ENDS_MS, Sent
from tests.promises.world import Boundary, Call, Operation, World, check_promises

KEY, LIMIT_KEY = "a key", "192.0.2.1"


class Unanswered(Boundary):
    """Carries out some writes and drops their answers, and carries out others not at all.

    Parameters
    ----------
    lost, failing
        What stands in these writes' operations and expressions.
    """

    def __init__(self, lost: str, failing: Collection[str]) -> None:
        self._lost = lost
        self._failing = tuple(failing)
        self.happened: list[str] = []

    @override
    def call(self, call: Call, perform: Callable[[], Any]) -> Any:
        update, condition = (str(call.request.get(f"{kind}Expression")) for kind in ("Update", "Condition"))
        name = f"{call.name} {update} {condition}"
        if any(each in name for each in (self._lost, *self._failing)):
            self.happened.append(name)
            if self._lost in name:
                perform()
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return perform()


def starting(world: World) -> tuple[Operation, str, list[str]]:
    """A start with a key; and what stands in its write and its undo."""
    del world
    return lambda process: process.start(key=KEY, limit_key=LIMIT_KEY), "put_item", ["delete_item"]


def sending_another(world: World) -> tuple[Operation, str, list[str]]:
    """Another message with a key."""
    sent = world.run(lambda process: process.start(limit_key=LIMIT_KEY)).value
    world.advance(31_000)
    return (
        lambda process: process.another(sent.verification_id, key=KEY),
        "SET #messages.#n = :message",
        ["REMOVE #messages.#n"],
    )


BOTH = pytest.mark.parametrize("prepare", [starting, sending_another])


def sends_left(world: World) -> int:
    """Messages that the recipient may have within the hour."""
    world.advance(31_000)
    sent = 0
    while isinstance(world.run(lambda process: process.start()).value, Sent):
        sent += 1
        world.advance(31_000)
    assert sent * 31_000 < HOUR_MS
    return sent


def limit_key_sends(world: World) -> list[str]:
    """The sends that the limit key's budget counts."""
    found = [item for key, item in world.table.items.items() if key.startswith("K#")]
    return [value["N"] for item in found for name, value in item.items() if name[0] == "s" and value["N"] != "0"]


@BOTH
def test_a_message_that_nobody_sends_is_a_conflict_once_its_request_is_over(prepare: Callable[..., Any]):
    """Promise 9: until then another request may be at it; afterwards only another key sends."""
    world = World()
    operation, write, undo = prepare(world)
    before = len(world.twilio.messages)
    boundary = Unanswered(write, undo)
    assert world.run(operation, "first", boundary).outcome == "unavailable"
    assert len(boundary.happened) == 2
    again = world.run(operation)
    assert (again.outcome, again.value.accepted, again.value.sid) == ("ok", False, None)
    world.advance(REQUEST_ENDS_MS - 1)
    assert world.run(operation).outcome == "ok"
    world.advance(1)
    assert world.run(operation).outcome == "idempotency-conflict"
    assert len(world.twilio.messages) == before
    check_promises(world)


@BOTH
def test_an_unknown_message_is_answered_as_before_until_a_callback_should_have_come(prepare: Callable[..., Any]):
    """Twilio was asked and did not answer: the same key gets the same answer, though not for ever."""
    world = World()
    operation, _, _ = prepare(world)
    world.twilio.fail("create_message", "timeout_after")
    first = world.run(operation)
    world.advance(REQUEST_ENDS_MS - 1)
    again = world.run(operation)
    assert (again.outcome, again.value) == ("ok", first.value)
    world.advance(1)
    assert world.run(operation).outcome == "idempotency-conflict"


@BOTH
@pytest.mark.parametrize("reserves", [", #reserved_by = :request, #ttl", "#failures < :max_failures"])
def test_a_slot_that_may_have_been_taken_is_given_back_with_the_other(prepare: Callable[..., Any], reserves: str):
    undisturbed = World()
    prepare(undisturbed)
    world = World()
    operation, _, _ = prepare(world)
    assert world.run(operation, "first", Unanswered(reserves, [])).outcome == "unavailable"
    assert limit_key_sends(world) == limit_key_sends(undisturbed)
    assert sends_left(world) == sends_left(undisturbed)


@BOTH
@pytest.mark.parametrize("undo_fails", [False, True])
@pytest.mark.parametrize("release_fails", [False, True])
def test_what_of_an_undo_fails_hinders_nothing_else(
    prepare: Callable[..., Any], *, undo_fails: bool, release_fails: bool
):
    """Promise 7, the other way round: no limit counts a message that was not sent, as far as the store answers."""
    undisturbed = World()
    prepare(undisturbed)
    world = World()
    operation, _, undo = prepare(world)
    world.twilio.fail("create_message", "not_sent")
    failing = (undo if undo_fails else []) + (["REMOVE #reserved_by"] if release_fails else [])
    assert world.run(operation, "first", Unanswered("nothing", failing)).outcome == "unavailable"
    assert limit_key_sends(world) == limit_key_sends(undisturbed)
    assert sends_left(world) == sends_left(undisturbed) - release_fails
