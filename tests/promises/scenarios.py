"""Situations, and what can happen in them: what crash points, orders and lost answers are enumerated over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from otp_feedback.domain.actions import Action
from otp_feedback.usecases.delivery_status import StatusCallback
from otp_feedback.usecases.send import Sent
from tests.promises.world import TO, Operation, Process, Snapshot, World, with_message_interval

MINUTE_MS = 60_000
SECOND_MS = 1000
OTHER_SECRET = "0" * 32
FIXED_CODE = "123456"
OWN_SECRET = "the caller's own"
OWN_SECRET_AGAIN = "the caller's next"
SHARED_SECRET = "Callers1"
"""Stands alone in a text, as a secret must by which a message is found."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A world, and the operations that concern one verification in it.

    Parameters
    ----------
    operations
        What goes well at Twilio.
    right
        The one that confirms, where nothing hinders it.
    """

    world: World
    verification_id: str
    operations: Mapping[str, Operation]
    right: str

    @property
    def troubled(self) -> Mapping[str, Operation]:
        """The operations that call Twilio, with Twilio failing in each way."""
        troubled = {}
        for name in ("start with key", "another"):
            for fault in ("not_sent", "refused", "timeout_before", "timeout_after"):
                troubled[f"{name}, {fault}"] = _in_trouble(self.operations[name], "create_message", fault)
        for name in (self.right, "retry"):
            for fault in ("refused", "not_found", "throttled", "timeout_before", "timeout_after"):
                troubled[f"{name}, {fault}"] = _in_trouble(self.operations[name], "post_feedback", fault)
        troubled["retry, list failed"] = _in_trouble(self.operations["retry"], "list_messages", "failed")
        return troubled


def code(world: World) -> Situation:
    """Two messages: the first expired, the second live; both known to Twilio and to the record."""
    return _code(world)


def code_owing(world: World) -> Situation:
    """As before, and the first one's report is due already."""
    return _owing(world, _code(world))


def code_unknown(world: World) -> Situation:
    """As before, and the second one's SID is not known: Twilio took the message, and never answered."""
    situation = _owing(world, _code(world, "timeout_after"))
    return replace(situation, operations=_without_foreign_callback(situation))


def code_confirmed(world: World) -> Situation:
    """Confirmed by a message whose SID is not known, so that its report waits; a look at Twilio's list is due."""
    situation = _code(world, "timeout_after")
    world.run(situation.operations["check right"], "confirming")
    world.advance(31 * SECOND_MS)
    world.ledger.disturbances = 0
    return replace(situation, operations=_without_foreign_callback(situation))


def last_attempt(world: World) -> Situation:
    """As the first one, with one attempt left."""
    situation = _code(world)
    for number in range(4):
        world.run(situation.operations["check wrong"], f"wrong {number}")
    return situation


def expiring(world: World) -> Situation:
    """As the first one, with the second message in its last millisecond."""
    situation = _code(world)
    world.now = world.verification(situation.verification_id).messages[2].expires_at - 1
    return situation


def link(world: World) -> Situation:
    """One message with a link, in a stack that caps what it spends."""
    world.cap = 100
    sent = _started(world, Action.LINK)
    verification_id = sent.verification_id
    tapped = world.link(verification_id)
    world.advance(31 * SECOND_MS)
    operations: dict[str, Operation] = {
        "tap": lambda process: process.link(tapped),
        "tap a forged link": lambda process: process.link(_forged(tapped)),
        "preview": lambda process: process.look_at_link(tapped),
        "check": lambda process: process.check(verification_id, OTHER_SECRET),
        **_common(world, verification_id),
    }
    return Situation(world, verification_id, operations, "tap")


def reply(world: World) -> Situation:
    """One message that awaits a reply; the number has guessed wrong at a code of another verification."""
    other = _started(world, Action.CODE).verification_id
    world.run(lambda process: process.check(other, "000000x"), "wrong")
    world.advance(31 * SECOND_MS)
    sent = _started(world, Action.REPLY, name="awaiting")
    world.advance(31 * SECOND_MS)
    operations: dict[str, Operation] = {
        "reply": lambda process: process.reply("SMinbound1"),
        "same reply again": lambda process: process.reply("SMinbound1"),
        "another reply": lambda process: process.reply("SMinbound2"),
        "stranger's reply": lambda process: process.reply("SMinbound3", sender="+15005550199"),
        "start for a reply": lambda process: process.start(action=Action.REPLY),
        **_common(world, sent.verification_id),
    }
    return Situation(world, sent.verification_id, operations, "reply")


def caller(world: World) -> Situation:
    """One message, with the caller's own secret; the caller has sent another one itself."""
    sent = _started(world, Action.CALLER, secret=OWN_SECRET)
    verification_id = sent.verification_id
    world.advance(31 * SECOND_MS)
    sent_by_caller = world.twilio.register(TO)
    operations: dict[str, Operation] = {
        "caller's word": lambda process: process.caller(verification_id),
        "caller's word on 1": lambda process: process.caller(verification_id, 1),
        "caller's word on 2": lambda process: process.caller(verification_id, 2),
        "check right": lambda process: process.check(verification_id, OWN_SECRET),
        "check wrong": lambda process: process.check(verification_id, "something else"),
        "another by SID": lambda process: process.another(verification_id, sid=sent_by_caller),
        **_common(world, verification_id, OWN_SECRET_AGAIN),
    }
    return Situation(world, verification_id, operations, "caller's word on 1")


def two_lost(world: World) -> Situation:
    """Two verifications with one secret of the caller's, half a minute apart; neither SID is known.

    The first one's message never reached Twilio; the second one's did.
    """
    return _two_lost(world, 31 * SECOND_MS)


def two_lost_at_once(world: World) -> Situation:
    """As before, a second apart, in a stack without a pause between messages: their texts and times are alike."""
    world.policy = with_message_interval(world.policy, 0)
    return _two_lost(world, SECOND_MS)


def for_tests(world: World) -> Situation:
    """A recipient for tests: nothing is sent, and Twilio is told nothing."""
    world.policy = replace(world.policy, test_recipients={TO: FIXED_CODE})
    sent = _started(world, Action.CODE)
    operations: dict[str, Operation] = {
        "check right": lambda process: process.check(sent.verification_id, FIXED_CODE),
        "check wrong": lambda process: process.check(sent.verification_id, "000000x"),
        "another": lambda process: process.another(sent.verification_id),
        "start with key": lambda process: process.start(key="a key"),
        "cancel": lambda process: process.cancel(sent.verification_id),
        "retry": lambda process: process.retry(),
        "erase": lambda process: process.erase(sent.verification_id),
    }
    return Situation(world, sent.verification_id, operations, "check right")


SITUATIONS: Mapping[str, Callable[[World], Situation]] = {
    "code": code,
    "code, owing": code_owing,
    "code, SID unknown": code_unknown,
    "code, confirmed": code_confirmed,
    "code, last attempt": last_attempt,
    "code, expiring": expiring,
    "link": link,
    "reply": reply,
    "caller": caller,
    "two lost": two_lost,
    "two lost at once": two_lost_at_once,
    "test recipient": for_tests,
}


@cache
def _made(name: str) -> tuple[Situation, Snapshot]:
    situation = SITUATIONS[name](World())
    return situation, situation.world.snapshot()


def situated(name: str) -> Situation:
    """A situation as it begins, whatever happened in it before."""
    situation, beginning = _made(name)
    situation.world.restore(beginning)
    return situation


def _in_trouble(operation: Operation, call: str, fault: str) -> Operation:
    return lambda process: operation(process.troubled(call, fault))


def _started(world: World, action: Action, secret: str | None = None, name: str = "first") -> Sent:
    answer = world.run(lambda process: process.start(action=action, secret=secret), name)
    assert isinstance(answer.value, Sent)
    return answer.value


def _two_lost(world: World, apart_ms: int) -> Situation:
    world.twilio.fail("create_message", "timeout_before")
    first = _started(world, Action.CALLER, secret=SHARED_SECRET).verification_id
    world.advance(apart_ms)
    world.twilio.fail("create_message", "timeout_after")
    second = _started(world, Action.CALLER, secret=SHARED_SECRET, name="second").verification_id
    world.advance(31 * SECOND_MS)
    world.ledger.disturbances = 0
    operations: dict[str, Operation] = {
        "caller's word on the first": lambda process: process.caller(first),
        "caller's word on the second": lambda process: process.caller(second),
        "check the first": lambda process: process.check(first, SHARED_SECRET),
        "check the second": lambda process: process.check(second, SHARED_SECRET),
        "cancel the first": lambda process: process.cancel(first),
        "another of the first": lambda process: process.another(first, secret=SHARED_SECRET),
        **_common(world, second, SHARED_SECRET),
    }
    situation = Situation(world, second, operations, "check the second")
    return replace(situation, operations=_without_foreign_callback(situation))


def _code(world: World, second: str | None = None) -> Situation:
    sent = _started(world, Action.CODE)
    verification_id = sent.verification_id
    world.advance(10 * MINUTE_MS)
    if second is not None:
        world.twilio.fail("create_message", second)
    world.run(lambda process: process.another(verification_id), "second")
    world.advance(31 * SECOND_MS)
    old, new = world.secret(verification_id, 1), world.secret(verification_id, 2)
    operations: dict[str, Operation] = {
        "check right": lambda process: process.check(verification_id, new),
        "check wrong": lambda process: process.check(verification_id, "000000x"),
        "check late": lambda process: process.check(verification_id, old),
        "caller's word": lambda process: process.caller(verification_id, 2),
        **_common(world, verification_id),
    }
    return Situation(world, verification_id, operations, "check right")


def _owing(world: World, situation: Situation) -> Situation:
    verification_id = situation.verification_id
    old = world.secret(verification_id, 1)
    world.run(lambda process: process.check(verification_id, old), "the old code")
    world.advance(31 * SECOND_MS)
    world.ledger.disturbances = 0
    return situation


def _without_foreign_callback(situation: Situation) -> dict[str, Operation]:
    """While no SID is known, nothing but Twilio's signature tells whose callback it is."""
    return {name: each for name, each in situation.operations.items() if name != "foreign callback"}


def _common(world: World, verification_id: str, secret: str | None = None) -> dict[str, Operation]:
    """What can happen to any verification that has sent its newest message more than half a minute ago."""
    callbacks = [each for each in world.callbacks() if each.verification_id == verification_id]
    newest = max(callbacks, key=lambda callback: callback.number)
    first = min(callbacks, key=lambda callback: callback.number)
    return {
        "start": lambda process: process.start(),
        "start with key": lambda process: process.start(key="a key", limit_key="192.0.2.1"),
        "another": lambda process: process.another(verification_id, secret=secret),
        "another with key": lambda process: process.another(verification_id, key="a key", secret=secret),
        "deliver": _delivering(newest),
        "late callback": _delivering(replace(first, status="sent")),
        "foreign callback": _delivering(replace(newest, sid=f"SM{'f' * 32}")),
        "cancel": lambda process: process.cancel(verification_id),
        "retry": lambda process: process.retry(),
        "erase": lambda process: process.erase(verification_id),
    }


def _delivering(callback: StatusCallback) -> Operation:
    def deliver(process: Process) -> None:
        process.deliver(callback)

    return deliver


def _forged(link_id: str) -> str:
    return link_id[:-8] + ("A" * 8 if link_id[-8:] != "A" * 8 else "B" * 8)
