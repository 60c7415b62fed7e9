"""The checks of this folder have teeth: each design that is known to be bad is found out, and by the right check.

How: a small change makes the real design a bad one (`known_bad.py`). A check that the real design passes must fail for
the changed one, and name the promise that is broken. The table says, for each of them, the check and the promise.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from otp_feedback.adapters.aws import items as records
from otp_feedback.usecases import outbox
from otp_feedback.usecases.confirm import confirm_link
from tests.promises import known_bad
from tests.promises.engine import (
    FailCall,
    JustBefore,
    Kill,
    LoseAnswer,
    Participant,
    calls_of,
    confirms,
    explore,
    tick,
)
from tests.promises.scenarios import SITUATIONS
from tests.promises.world import PromiseBroken, Ways, World, check_promises, check_settled
from tests.service import DynamoDBStore

Check = Callable[[World], None]


@pytest.fixture(autouse=True)
def _one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "OUTBOX_SHARDS", 1)
    monkeypatch.setattr(outbox, "OUTBOX_SHARDS", 1)


def all_orders(situation: str, *names: str, pass_ms: int = 0, fault: str = "") -> Check:
    """All orders of the operations' calls."""

    def check(world: World) -> None:
        world.slack_ms = pass_ms
        here = SITUATIONS[situation](world)
        if fault:
            world.twilio.fail("create_message", fault)
        participants = [Participant(f"{name} {index}", here.operations[name]) for index, name in enumerate(names)]
        explore(world, participants + ([tick(pass_ms)] if pass_ms else []))

    return check


def one_after_another(situation: str, *names: str, pass_ms: int = 0) -> Check:
    """The operations in turn, with some time between them; then recovery."""

    def check(world: World) -> None:
        here = SITUATIONS[situation](world)
        for name in names:
            world.run({**here.operations, **here.troubled}[name])
            check_promises(world)
            world.advance(pass_ms)
        world.recover()
        check_settled(world)

    return check


def in_a_slow_process(situation: str, name: str) -> Check:
    """A millisecond passes at each look at the clock."""

    def check(world: World) -> None:
        here = SITUATIONS[situation](world)
        world.look_ms = 1
        world.run(here.operations[name])
        check_promises(world)

    return check


def late_while_confirming(world: World) -> None:
    """The last millisecond passes, and the message is reported late, while a confirming write is under way."""
    world.slack_ms = 1
    here = SITUATIONS["code, expiring"](world)

    def meanwhile() -> None:
        world.advance(1)
        world.run(here.operations["check right"])
        world.run(here.operations["retry"])

    world.run(here.operations["check right"], "slow", JustBefore(confirms, meanwhile))
    check_promises(world)


def every_death(situation: str, name: str) -> Check:
    """A death before and after every call of the operation."""

    def check(world: World) -> None:
        here = SITUATIONS[situation](world)
        operation, before = here.operations[name], world.snapshot()
        for number in range(1, len(calls_of(world, operation)) + 1):
            for after in (False, True):
                world.restore(before)
                world.run(operation, "killed", Kill(number, after=after))
                check_promises(world)
                world.recover()
                check_settled(world)

    return check


def every_lost_answer(situation: str, name: str) -> Check:
    """Each write's answer lost in turn, and the request repeated."""

    def check(world: World) -> None:
        here = SITUATIONS[situation](world)
        operation, before = here.operations[name], world.snapshot()
        for number, call in enumerate(calls_of(world, operation), 1):
            if call.writes:
                world.restore(before)
                world.run(operation, "unlucky", LoseAnswer(number, retried=True))
                check_promises(world)

    return check


def every_error(situation: str, name: str) -> Check:
    """DynamoDB refusing each call in turn, because there are too many."""

    def check(world: World) -> None:
        here = SITUATIONS[situation](world)
        operation, before = here.operations[name], world.snapshot()
        for number in range(1, len(calls_of(world, operation)) + 1):
            world.restore(before)
            world.run(operation, "throttled", FailCall(number))
            check_promises(world)

    return check


@dataclass(frozen=True)
class Bad:
    """A bad design, what finds it out, and the beginning of what is then said."""

    found_by: Check
    broken: str
    store: type[DynamoDBStore] = DynamoDBStore
    ways: Ways = field(default_factory=Ways)


TABLE = {
    "read-modify-write counter": Bad(
        all_orders("code", "check wrong", "check wrong"),
        "3: a comparison whose attempt was not stored",
        store=known_bad.ReadModifyWriteCounter,
    ),
    "compare, then count": Bad(
        all_orders("code", "check wrong", "check wrong"),
        "3: a comparison whose attempt was not stored",
        ways=Ways(check=known_bad.compare_then_count),
    ),
    "code inside one condition": Bad(
        all_orders("code", "check wrong", "check wrong"),
        "3: a comparison whose attempt was not stored",
        ways=Ways(check=known_bad.guess_in_the_condition),
    ),
    "every form compared": Bad(
        one_after_another("code", "check wrong"),
        "3: a comparison whose attempt was not stored",
        ways=Ways(check=known_bad.every_form_compared),
    ),
    "delete and recreate": Bad(
        every_death("code", "check wrong"),
        "5: the record of a message that was sent is gone",
        store=known_bad.DeleteAndRecreate,
    ),
    "attempts reset by another message": Bad(
        one_after_another("caller", "check wrong", "another"),
        "2: an attempt was given back",
        store=known_bad.AttemptsResetByAnother,
    ),
    "TTL instead of expiry": Bad(
        one_after_another("code", "check late"), "1: an expired message confirmed", store=known_bad.TtlInsteadOfExpiry
    ),
    "no expiry at the confirming write": Bad(
        in_a_slow_process("code, expiring", "check right"),
        "1: an expired message confirmed",
        store=known_bad.NoExpiryAtTheWrite,
    ),
    "GET confirms": Bad(
        one_after_another("link", "preview"),
        "4: looking at a link confirmed it",
        ways=Ways(look_at_link=confirm_link),
    ),
    "a link compared with every message once confirmed": Bad(
        one_after_another("link", "another", "tap", "tap"),
        "3: a comparison whose attempt was not stored",
        ways=Ways(link=known_bad.links_compared_after_the_end),
    ),
    "a link compared once canceled": Bad(
        one_after_another("link", "cancel", "tap"),
        "3: a comparison whose attempt was not stored",
        ways=Ways(link=known_bad.links_compared_after_the_end),
    ),
    "SID overwritten": Bad(
        one_after_another("code", "foreign callback"), "6: a SID was set twice", store=known_bad.SidOverwritten
    ),
    "record after send": Bad(
        every_death("code", "start"),
        "5: a message is sent that no record knows",
        ways=Ways(start=known_bad.record_after_send),
    ),
    "no request token": Bad(
        every_lost_answer("code", "check right"), "1: confirmed, and not told so", store=known_bad.NoWritersId
    ),
    "feedback before the confirming write": Bad(
        one_after_another("code", "check right"),
        "4: a report for a message that nobody acted on",
        ways=Ways(check=known_bad.report_then_confirm),
    ),
    "upsert after erase": Bad(
        all_orders("code", "deliver", "erase"), "6: an erased record came back", store=known_bad.RecordPutBack
    ),
    "confirmed again": Bad(
        all_orders("code", "check right", "check right"),
        "1: a confirmation was written over",
        store=known_bad.ConfirmedAgain,
    ),
    "confirmed though reported late": Bad(
        late_while_confirming, "a message's feedback moved back", store=known_bad.ConfirmedThoughReportedLate
    ),
    "attempts without end": Bad(
        one_after_another("code, last attempt", "check wrong", "check wrong"),
        "2: an attempt was reserved beyond the last one",
        store=known_bad.AttemptsWithoutEnd,
    ),
    "attempts after the end": Bad(
        one_after_another("code", "cancel", "check right"),
        "1: an attempt was reserved at a verification that has ended",
        store=known_bad.AttemptsAfterTheEnd,
    ),
    "failures not counted": Bad(
        one_after_another("code", "check wrong"),
        "2: a wrong guess was answered that the recipient's failures do not count",
        store=known_bad.FailuresNotCounted,
    ),
    "failing open": Bad(
        every_error("code", "check wrong"),
        "2: a wrong guess was answered that the recipient's failures do not count",
        ways=Ways(check=known_bad.failing_open),
    ),
    "budget read, then taken": Bad(
        all_orders("code", "start", "start"),
        "7: more messages than the recipient's budget",
        store=known_bad.ReadThenReserve,
    ),
    "sent again after silence": Bad(
        one_after_another("code", "start with key, timeout_after"),
        "9: one request, two messages",
        ways=Ways(start=known_bad.sent_again_after_silence),
    ),
    "Idempotency-Key not looked up": Bad(
        one_after_another("code", "start with key", "start with key", pass_ms=31_000),
        "9: one request, two messages",
        ways=Ways(start=known_bad.key_not_looked_up),
    ),
    "inbound message not bound": Bad(
        one_after_another("reply", "start for a reply", "reply", "same reply again"),
        "6: one inbound message confirmed two verifications",
        store=known_bad.InboundNotBound,
    ),
    "delivery moves back": Bad(
        one_after_another("link", "deliver", "late callback"),
        "6: a delivery state moved back",
        store=known_bad.DeliveryMovesBack,
    ),
    "delivered counts as confirmed": Bad(
        one_after_another("code", "deliver"),
        "4: a report for a message that nobody acted on",
        ways=Ways(deliver=known_bad.delivered_is_confirmed),
    ),
    "TTL kept while feedback is due": Bad(
        every_death("code", "check right"),
        "5: a record may vanish whose feedback is due",
        store=known_bad.TtlKept,
    ),
    "outbox entry forgotten": Bad(
        every_death("code", "check right"),
        "5: feedback is due that the outbox does not know",
        store=known_bad.FeedbackForgotten,
    ),
    "settled whatever else is due": Bad(
        one_after_another("code, owing", "check right"),
        "5: feedback is due that the outbox does not know",
        store=known_bad.SettledWhateverElseIsDue,
    ),
    "settled by one form": Bad(
        one_after_another("code, owing", "check right"),
        "5: a report was posted twice",
        store=known_bad.SettledByOneForm,
    ),
    "another's turn renewed": Bad(
        all_orders("code, owing", "check right", "retry"),
        "5: a report was posted twice",
        store=known_bad.TurnRenewed,
    ),
    "no lease on a shard": Bad(
        all_orders("code, owing", "retry", "retry"), "5: a report was posted twice", store=known_bad.NoLease
    ),
    "due at once": Bad(
        all_orders("code", "check right", "retry"), "5: a report was posted twice", store=known_bad.DueAtOnce
    ),
    "given up without a SID": Bad(
        one_after_another("code, confirmed", "retry"),
        "5: given up, though the SID could still come",
        ways=Ways(retry=known_bad.given_up_without_sid),
    ),
    "numbered with gaps": Bad(
        all_orders("caller", "another", "another", fault="not_sent"),
        "2: the messages are not numbered one after another",
        store=known_bad.NumberedWithGaps,
    ),
}


@pytest.mark.parametrize("bad", TABLE.values(), ids=TABLE)
def test_a_bad_design_is_found_out(bad: Bad):
    with pytest.raises(PromiseBroken, match=bad.broken):
        bad.found_by(World(store=bad.store, ways=bad.ways))


@pytest.mark.parametrize("bad", TABLE.values(), ids=TABLE)
def test_the_real_design_passes_the_same_check(bad: Bad):
    bad.found_by(World())
