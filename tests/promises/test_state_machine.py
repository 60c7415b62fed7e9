"""Long random lives of a stack, compared step by step with a model.

Hypothesis starts, sends again, delivers, guesses, taps, replies, cancels, lets time pass, rotates keys and runs the
outbox, in any order; Twilio fails in each of its ways, and so does DynamoDB at any call. After each step all promises
are checked and the records are what the model says; at each life's end all that was owed to Twilio is reported.
"""

import itertools
from collections import Counter
from typing import ClassVar, override

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.promises import state_machine_model as model
from tests.promises.state_machine_stack import (
    CREATE_FAULTS,
    FEEDBACK_FAULTS,
    LOSSES,
    NUMBERS,
    SPELLINGS,
    ComparedStack,
    Loss,
)
from tests.promises.world import IN_THE_OTHER_FORM

OUTCOMES = {
    "ok",
    "confirmed",
    "already-confirmed",
    "canceled",
    "expired",
    "idempotency-conflict",
    "locked",
    "malformed-request",
    "recipient-opted-out",
    "too-many-messages",
    "unavailable",
    "wrong-action",
    "wrong-secret",
}

ACTIONS = ("code", "code", "link", "password", "reply", "caller", "caller, sent")
ASKS = ("wrong", "wrong again", "old", "tap", "reply", "webhook again", "word", "cancel")
MEANWHILE = ("moment", "minute", "expiry", "hour", "day", "feedback fails", "list fails", "retry", "retry", "rotate")

losses = st.sampled_from((None,) * 36 + tuple(itertools.product(range(6), LOSSES)))
spellings = st.sampled_from((*NUMBERS, *SPELLINGS))
senders = st.sampled_from((*NUMBERS, *NUMBERS, IN_THE_OTHER_FORM))
picks = st.sampled_from((0, 0, 0, 1, 1, 2, 3))
numbers = st.sampled_from((1, 1, 2, 3))
create_faults = st.sampled_from((None,) * 4 + CREATE_FAULTS)
feedback_faults = st.sampled_from((None,) * 4 + FEEDBACK_FAULTS)


class Life(RuleBasedStateMachine):
    """The life of one stack; few rules with many ways, as Hypothesis leaves whole rules out of a life."""

    lives: ClassVar[int] = 0
    checks: ClassVar[int] = 0
    outcomes: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        type(self).lives += 1
        self.stack = ComparedStack()
        self.model = self.stack.model

    @initialize(
        actions=st.tuples(st.sampled_from(ACTIONS), st.sampled_from(ACTIONS)),
        interval_s=st.sampled_from((30, 30, 0)),
        apart_ms=st.sampled_from((0, 0, 1000)),
    )
    def begin(self, actions: tuple[str, str], interval_s: int, apart_ms: int) -> None:
        """A verification for each number, so that no life is empty; in some lives the processes' clocks are apart."""
        self.stack.arrange(interval_s, apart_ms)
        for to, action in zip(NUMBERS, actions, strict=True):
            self.stack.start(to, action, None, None, None)

    @rule(
        to=spellings,
        action=st.sampled_from(ACTIONS),
        key=st.none() | st.sampled_from(("k1", "k2")),
        fault=create_faults,
        loss=losses,
        pause_s=st.sampled_from((30, 31, 60, 300, 1000, 29, 0)),
    )
    def start(self, to: str, action: str, key: str | None, fault: str | None, loss: Loss, pause_s: int) -> None:
        """A start after a pause; with one of two Idempotency-Keys, or none."""
        self.stack.world.advance(pause_s * 1000)
        self.stack.start(to, action, key, fault, loss)

    @precondition(lambda self: self.model.verifications)
    @rule(
        pick=picks,
        fault=create_faults,
        loss=losses,
        pause_s=st.sampled_from((30, 31, 60, 300, 29, 0)),
        by_sid=st.booleans(),
    )
    def another(self, pick: int, fault: str | None, loss: Loss, pause_s: int, *, by_sid: bool) -> None:
        """Another message after a pause; the caller's own perhaps, by its SID."""
        self.stack.world.advance(pause_s * 1000)
        self.stack.another(pick, fault, loss, by_sid=by_sid)

    @precondition(lambda self: self.stack.open)
    @rule(
        pick=picks, number=numbers, pause_s=st.sampled_from((0, 0, 0, 1, 599, 600)), fault=feedback_faults, loss=losses
    )
    def act(self, pick: int, number: int, pause_s: int, fault: str | None, loss: Loss) -> None:
        """What a user does: the right thing, with one of the messages, in time or a moment late."""
        stack = self.stack
        pick = stack.open[pick % len(stack.open)]
        _, verification = stack.pick(pick)
        number = min(number, len(verification.messages))
        stack.world.advance(pause_s * 1000)
        if fault is not None:
            stack.fail("post_feedback", fault)
        match verification.action:
            case "link":
                stack.tap(pick, number, loss)
            case "reply":
                stack.reply(verification.to, loss)
            case "caller" if verification.messages[number - 1].secret is None:
                stack.take_word(pick, number, loss)
            case _:
                stack.check(pick, number, loss)

    @precondition(lambda self: self.model.verifications)
    @rule(ask=st.sampled_from(ASKS), pick=picks, number=numbers, to=senders, loss=losses)
    def ask(self, ask: str, pick: int, number: int, to: str, loss: Loss) -> None:
        """What need not be right: wrong guesses, old secrets, the wrong way in, words and cancellations."""
        stack = self.stack
        match ask:
            case "wrong":
                stack.check(pick, 0, loss)
            case "wrong again":
                for _ in range(2 * number):
                    stack.check(pick, 0, None)
            case "old":
                stack.check(pick, number, loss)
            case "tap":
                stack.tap(pick, number - 1, loss)
            case "reply":
                stack.reply(to, loss)
            case "webhook again":
                stack.reply(to, loss, again=True)
            case "word":
                stack.take_word(pick, (None, 1, 2, 3)[number], loss)
            case "cancel":
                stack.cancel(pick, loss)

    @precondition(lambda self: self.stack.world.twilio.messages)
    @rule(
        pick=st.integers(0, 5),
        status=st.sampled_from(sorted(model.RANKS)),
        how=st.sampled_from(("own", "own", "twice", "foreign", "forged", "other account")),
        loss=losses,
    )
    def deliver(self, pick: int, status: str, how: str, loss: Loss) -> None:
        """A status callback, in any order: our own, once or twice; with a SID that is another's; or not signed."""
        self.stack.deliver(pick, status, how, loss)

    @rule(what=st.sampled_from(MEANWHILE), fault=st.sampled_from(FEEDBACK_FAULTS), number=numbers, loss=losses)
    def meanwhile(self, what: str, fault: str, number: int, loss: Loss) -> None:
        """Time passes, Twilio gets worse, the outbox is worked through, or the MAC key is rotated."""
        stack = self.stack
        match what:
            case "feedback fails":
                stack.fail("post_feedback", fault, number)
            case "list fails":
                stack.fail("list_messages", "failed", number)
            case "retry":
                stack.world.advance(31_000)
                stack.retry(loss)
            case "rotate":
                stack.rotate()
            case _:
                pauses_ms = {"moment": 1, "minute": 60_000, "expiry": 600_000, "hour": 3_600_000, "day": 86_400_000}
                stack.world.advance(pauses_ms[what])

    @invariant()
    def promises_hold(self) -> None:
        """The promises, and the model."""
        type(self).checks += 1
        self.stack.compare_records()

    @override
    def teardown(self) -> None:
        """When nothing goes wrong any more, everything that is owed is done."""
        self.outcomes.update(self.stack.outcomes)
        self.stack.end()


@pytest.mark.parametrize(
    ("lives", "steps_each", "least"),
    [pytest.param(60, 40, 1_000, id="default"), pytest.param(400, 60, 10_000, id="heavy", marks=pytest.mark.heavy)],
)
def test_the_service_does_what_the_model_says(lives: int, steps_each: int, least: int):
    """All promises but the eighth: some 2,000 random steps, 20,000 in the heavy profile; each outcome is met."""

    class Counted(Life):
        lives: ClassVar[int] = 0
        checks: ClassVar[int] = 0
        outcomes: ClassVar[Counter[str]] = Counter()

    run_state_machine_as_test(
        Counted,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps_each,
            deadline=None,
            database=None,
            derandomize=True,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Counted.checks - Counted.lives >= least
    assert Counted.outcomes.keys() >= OUTCOMES
