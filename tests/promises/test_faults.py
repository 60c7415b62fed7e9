"""Dependencies that fail for long, and at every call.

Promises 5 and 7: nothing that was confirmed goes unreported; nothing is confirmed, sent or reported because something
failed, and no limit is skipped.
"""

import itertools
from collections import Counter
from dataclasses import replace
from typing import Any, override

import pytest

from otp_feedback.domain.backoff import CAP_MS
from otp_feedback.domain.breaker import OPEN_AFTER
from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.verification import Feedback, State, Verification
from otp_feedback.usecases.ports import FeedbackAccepted, FeedbackDeferred, FeedbackOutcome
from tests.promises.engine import FailCall, calls_of
from tests.promises.executor import Executor
from tests.promises.races_arena import POLICY, RUN_MS, Arena, Twilio
from tests.promises.scenarios import SITUATIONS, situated
from tests.promises.world import Operation, World, check_promises, check_settled

TWILIO = {"create_message", "post_feedback", "list_messages", "redact_message"}
OPERATIONS = [
    (name, operation)
    for name in SITUATIONS
    for operation in (*situated(name).operations, *situated(name).troubled)
    if operation != "erase"
]
LEAST_THROTTLED = 2190

OUTAGE_MS = 6 * 3_600_000
WORKERS = 20
BEGUN_WITHIN_MS = 40_000
"""What `retry_feedback` has: so many reports at a time, and none begun in the last 20 s of its minute."""

ANSWER_MS = 200


class FailingTwilio(Twilio):
    """Takes reports in 200 ms, or while it is down never answers: each then takes the whole of its deadline."""

    arena: Arena

    def __init__(self) -> None:
        super().__init__()
        self.down = True
        self.tries = 0
        self.at_a_time = 1

    @override
    def post_feedback(self, sid: str, deadline_s: float) -> FeedbackOutcome:
        self.tries += 1
        taken_ms = deadline_s * 1000 if self.down else ANSWER_MS
        self.arena.now += int(taken_ms / self.at_a_time)
        if self.down:
            return FeedbackDeferred("timeout")
        self.reported.append(sid)
        return FeedbackAccepted()


class PatientTwilio(Twilio):
    """Takes every report, and notes how long it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.deadlines_s: list[float] = []

    @override
    def post_feedback(self, sid: str, deadline_s: float) -> FeedbackOutcome:
        self.deadlines_s.append(deadline_s)
        return super().post_feedback(sid, deadline_s)


class Outage:
    """Minute after minute of a stack whose Twilio takes no reports, and then does again."""

    def __init__(self) -> None:
        self.twilio = FailingTwilio()
        self.arena = self.twilio.arena = Arena(Executor(), twilio=self.twilio)
        self.began = self.arena.now
        self.inline = 0

    def confirm(self) -> int:
        """Somebody starts and confirms; returns the milliseconds that the confirmation took."""
        verification_id, _, code = self.arena.started()
        asked, tries = self.arena.now, self.twilio.tries
        answer = self.arena.check(verification_id, code)
        assert isinstance(answer, Verification)
        assert answer.state is State.CONFIRMED
        self.inline += self.twilio.tries - tries
        return self.arena.now - asked

    def run_outbox(self) -> None:
        """The schedule's minute, with 20 reports at a time."""
        self.twilio.at_a_time = WORKERS
        last = self.arena.now + BEGUN_WITHIN_MS
        self.arena.retry(lambda: self.arena.now >= last)
        self.twilio.at_a_time = 1

    def wait_for_minute(self) -> None:
        """Time passes until the next minute begins."""
        self.arena.now += RUN_MS - (self.arena.now - self.began) % RUN_MS

    def records(self) -> list[dict[str, Any]]:
        """All verifications as they are stored."""
        return [item for key, item in self.arena.client.items.items() if key.startswith("V#")]


def live_through(actions: int, crowds: int) -> Outage:
    """Twilio takes no reports for six hours, in which so many actions are confirmed, each crowd within a minute."""
    outage = Outage()
    minutes = OUTAGE_MS // RUN_MS
    crowd = itertools.batched(range(actions), -(-actions // crowds), strict=False)
    took: Counter[int] = Counter()
    for minute in range(minutes):
        outage.run_outbox()
        for _ in next(crowd, ()) if minute % (minutes // crowds) == 0 else ():
            took[outage.confirm()] += 1
        outage.wait_for_minute()

    assert sum(took.values()) == actions
    assert took.keys() == {0, POLICY.feedback_timeout_ms}
    assert crowds <= took[POLICY.feedback_timeout_ms] == outage.inline < OPEN_AFTER + crowds
    assert outage.twilio.reported == []
    assert all("feedback_shard" in item and "ttl" not in item for item in outage.records())
    return outage


@pytest.mark.parametrize(("actions", "crowds"), [(60, 6), pytest.param(2160, 360, marks=pytest.mark.heavy)])
def test_six_hours_without_twilio_lose_nothing(actions: int, crowds: int):
    """Promise 5: 60 actions (with `-m heavy` 2,160) are confirmed while Twilio is down for six hours.

    Every user is answered at once; one of each crowd, and three of the first, wait the second of the inline report, by
    which the breaker sees whether Twilio is back. Afterwards each is reported once, the last one within the backoff's
    five minutes and two runs of the schedule.
    """
    outage = live_through(actions, crowds)
    outage.twilio.down = False
    recovered = outage.arena.now
    while any("feedback_shard" in item for item in outage.records()):
        assert outage.arena.now <= recovered + CAP_MS + RUN_MS
        outage.run_outbox()
        outage.wait_for_minute()

    assert Counter(Counter(outage.twilio.reported).values()) == {1: actions}
    for item in outage.records():
        message = outage.arena.store.read(item["pk"]["S"].removeprefix("V#"))
        assert message is not None
        assert message.messages[1].feedback is Feedback.REPORTED
        assert message.messages[1].sid in outage.twilio.reported
        assert "ttl" in item


@pytest.mark.parametrize(("spent_s", "left_s"), [(0.0, [1.0]), (0.4, [0.6]), (0.999, [0.001]), (1.0, []), (7.0, [])])
def test_the_inline_report_has_what_the_request_left_of_the_users_second(spent_s: float, left_s: list[float]):
    """Promise 5: what is left to the outbox stays due."""
    twilio = PatientTwilio()
    arena = Arena(Executor(), twilio=twilio)
    arena.service = replace(arena.service, spent_s=lambda: spent_s)
    verification_id, _, code = arena.started()
    confirmed = arena.check(verification_id, code)
    assert twilio.deadlines_s == pytest.approx(left_s)
    assert isinstance(confirmed, Verification)
    assert confirmed.messages[1].feedback is (Feedback.REPORTED if left_s else Feedback.DUE)
    assert "feedback_shard" in arena.client.items[f"V#{verification_id}"] or left_s


def _calls_of_the_store(world: World, operation: Operation) -> list[int]:
    return [number for number, call in enumerate(calls_of(world, operation), 1) if call.name not in TWILIO]


@pytest.mark.sampled(40)
@pytest.mark.parametrize("times_out", [False, pytest.param(True, marks=pytest.mark.heavy)])
@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_a_call_that_fails_is_never_a_yes(name: str, operation: str, *, times_out: bool):
    """Promise 7: DynamoDB refuses each call in turn, or lets it time out; the caller is told so, or what it is told
    anyway, and retries.
    """
    here = situated(name)
    act, world = {**here.operations, **here.troubled}[operation], here.world
    before = world.snapshot()
    undisturbed = world.run(act, "undisturbed").outcome
    world.restore(before)
    for number in _calls_of_the_store(world, act):
        world.ledger.disturbances = 1
        answer = world.run(act, "failing", FailCall(number, times_out=times_out))
        assert answer.outcome in {undisturbed, "unavailable"}
        if isinstance(answer.problem, Unavailable):
            assert answer.problem.retry_after_s >= 1
        check_promises(world)
        world.run(act, "failing no more")
        check_promises(world)
        world.recover()
        check_settled(world)
        world.restore(before)


def test_the_throttled_calls_are_all_there():
    throttled = 0
    for name, operation in OPERATIONS:
        here = situated(name)
        throttled += len(_calls_of_the_store(here.world, {**here.operations, **here.troubled}[operation]))
    assert throttled >= LEAST_THROTTLED
