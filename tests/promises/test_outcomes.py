"""Reports are not given up by the dozen: where most of the last 50 end in 404, 404s stay due.

Promise 5: what the whole stack's reports came to is kept in the table, whoever made them.
"""

from collections import Counter
from dataclasses import replace
from typing import Any, override

import pytest
from botocore.exceptions import ReadTimeoutError

from otp_feedback.adapters.aws.items import outcomes_key
from otp_feedback.domain.actions import Action
from otp_feedback.domain.backoff import CAP_MS
from otp_feedback.domain.outcomes import INLINE_BATCH, LAST, MOST_NOT_FOUND
from otp_feedback.domain.recipient import DAY_MS
from otp_feedback.domain.verification import Feedback, Verification
from otp_feedback.usecases.confirm import confirm_by_caller
from otp_feedback.usecases.ports import FeedbackAccepted, FeedbackNotFound, FeedbackOutcome
from otp_feedback.usecases.start import StartRequest, start
from tests.promises.executor import Executor
from tests.promises.races_arena import ORIGIN, POLICY, RUN_MS, Arena, Silent, Twilio


class Forgetful(Twilio):
    """Has no feedback for any message, or for some that were deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = True
        self.deleted: set[str] = set()
        self.posts: Counter[str] = Counter()

    @override
    def post_feedback(self, sid: str, deadline_s: float) -> FeedbackOutcome:
        self.posts[sid] += 1
        if self.gone or sid in self.deleted:
            return FeedbackNotFound(20404)
        self.reported.append(sid)
        return FeedbackAccepted()


class Watched:
    """A client that notes its calls and may fail some."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.calls: list[str] = []
        self.failing: str | None = None

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self.calls.append(name)
            if name == self.failing and request.get("Key") == {"pk": {"S": outcomes_key()}}:
                raise ReadTimeoutError(endpoint_url="https://dynamodb")
            return getattr(self.executor, name)(**request)

        return call


class Stack:
    """A stack whose functions end and begin as told."""

    def __init__(self) -> None:
        self.twilio = Forgetful()
        self.client = Watched(Executor())
        self.arena = Arena(self.client, twilio=self.twilio)

    def begin_anew(self) -> None:
        """All processes end; others go on with what is in the table."""
        self.arena = Arena(self.client, now=self.arena.now, twilio=self.twilio, vault=self.arena.vault)

    def confirm(self, *, inline: bool = False) -> str:
        """Somebody acts; the report is left to the outbox unless told otherwise."""
        verification_id, _, code = self.arena.started()
        service = self.arena.service
        policy = POLICY if inline else replace(POLICY, feedback_timeout_ms=0)
        self.arena.service = service if inline else replace(service, policy=policy)
        assert isinstance(self.arena.check(verification_id, code), Verification)
        self.arena.service = service
        return verification_id

    def owe(self, reports: int) -> list[str]:
        """So many reports are due."""
        owed = [self.confirm() for _ in range(reports)]
        self.arena.now += 31_000
        return owed

    def run(self) -> None:
        """The schedule's minute."""
        self.arena.retry()
        self.arena.now += RUN_MS

    def feedback(self, owed: list[str]) -> dict[str, int]:
        """How many of the reports have come to what."""
        found = map(self.arena.store.read, owed)
        return Counter(each.messages[1].feedback.value for each in found if each is not None)


@pytest.fixture
def stack() -> Stack:
    """A stack of which Twilio knows no message."""
    return Stack()


@pytest.mark.parametrize("successes", [0, 10, 60])
def test_25_of_50_are_given_up_and_no_more(stack: Stack, successes: int):
    stack.twilio.gone = False
    stack.owe(successes)
    stack.run()
    stack.twilio.gone = True
    owed = stack.owe(60)
    for _ in range(10):
        stack.run()
        stack.arena.now += CAP_MS
    assert stack.feedback(owed) == {"rejected": MOST_NOT_FOUND, "due": 60 - MOST_NOT_FOUND}
    stack.twilio.gone = False
    stack.run()
    assert stack.feedback(owed) == {"rejected": MOST_NOT_FOUND, "reported": 60 - MOST_NOT_FOUND}
    assert set(stack.twilio.posts.values()) == {1, 11}


def test_what_a_process_sees_alone_is_seen_by_all(stack: Stack):
    """Each 404 is met by a process of its own."""
    given_up = []
    for _ in range(30):
        given_up += stack.owe(1)
        stack.begin_anew()
        stack.run()
    assert stack.feedback(given_up) == {"rejected": MOST_NOT_FOUND, "due": 5}


def test_what_stays_due_does_not_outweigh_what_goes_well(stack: Stack):
    """Thirty messages were deleted, and then one goes well between any two tries of those that stay due."""
    deleted = stack.owe(30)
    for _ in range(20):
        stack.run()
        stack.arena.now += CAP_MS
    assert stack.feedback(deleted)["due"] == 5
    stack.twilio.gone, stack.twilio.deleted = False, set(stack.twilio.posts)
    well = []
    for _ in range(LAST - MOST_NOT_FOUND + 1):
        well += stack.owe(1)
        stack.run()
        stack.arena.now += CAP_MS
    assert stack.feedback(well) == {"reported": len(well)}
    assert stack.feedback(deleted) == {"rejected": 30}


def test_inline_reports_that_go_well_count(stack: Stack):
    """Else a stack that reports inline would know of its failures alone."""
    stack.owe(MOST_NOT_FOUND)
    stack.run()
    stack.twilio.gone = False
    for _ in range(LAST):
        stack.confirm(inline=True)
    stack.begin_anew()
    stack.twilio.gone = True
    owed = stack.owe(1)
    stack.run()
    assert stack.feedback(owed) == {"rejected": 1}


def test_a_confirmation_makes_no_further_call_but_one_read_in_many(stack: Stack):
    """Four writes; where no report ended in 404 there is nothing to write, and nothing is kept."""
    stack.twilio.gone = False
    made = []
    for _ in range(2 * INLINE_BATCH):
        stack.client.calls.clear()
        stack.confirm(inline=True)
        made.append([name for name in stack.client.calls[3:] if name != "put_item"])
    four = ["update_item"] * 4
    assert [number for number, calls in enumerate(made, 1) if calls != four] == [INLINE_BATCH, 2 * INLINE_BATCH]
    assert {tuple(calls) for calls in made} == {tuple(four), (*four, "get_item")}
    assert stack.client.executor.peek(outcomes_key()) is None


def test_a_404_met_inline_is_left_to_the_outbox(stack: Stack):
    met = stack.confirm(inline=True)
    assert stack.feedback([met]) == {"due": 1}
    stack.arena.now += 31_000
    stack.run()
    assert stack.feedback([met]) == {"rejected": 1}


@pytest.mark.parametrize("inline", [False, True])
def test_sids_that_a_caller_registered_do_not_count_and_are_settled(stack: Stack, *, inline: bool):
    """A caller may tell a wrong one, as often as it likes."""
    arena = stack.arena
    policy = POLICY if inline else replace(POLICY, feedback_timeout_ms=0)
    unreported = replace(arena.service, policy=policy)
    owed = []
    for number in range(30):
        request = StartRequest(arena.number(), Action.CALLER, sid=f"SM{number:032x}")
        sent = start(arena.service, request, ORIGIN, Silent())
        confirmed = confirm_by_caller(unreported, sent.verification_id, None, Silent())
        assert confirmed.messages[1].feedback is (Feedback.REJECTED if inline else Feedback.DUE)
        owed.append(sent.verification_id)
    arena.now += 31_000
    stack.run()
    assert stack.feedback(owed) == {"rejected": 30}
    assert stack.client.executor.peek(outcomes_key()) is None


def test_where_the_outcomes_cannot_be_read_nothing_is_given_up(stack: Stack):
    """Promise 7."""
    owed = stack.owe(3)
    stack.client.failing = "get_item"
    stack.run()
    assert stack.feedback(owed) == {"due": 3}
    stack.client.failing = None
    stack.arena.now += CAP_MS
    stack.run()
    assert stack.feedback(owed) == {"rejected": 3}


def test_outcomes_that_cannot_be_written_are_written_by_the_next_run(stack: Stack):
    owed = stack.owe(MOST_NOT_FOUND)
    stack.client.failing = "update_item"
    stack.run()
    stack.client.failing = None
    owed += stack.owe(1)
    stack.run()
    assert stack.feedback(owed) == {"rejected": MOST_NOT_FOUND, "due": 1}


def test_a_few_404s_of_long_ago_do_not_add_up(stack: Stack):
    stack.owe(MOST_NOT_FOUND)
    stack.run()
    stack.arena.now += DAY_MS
    owed = stack.owe(1)
    stack.run()
    assert stack.feedback(owed) == {"rejected": 1}


def test_what_stays_due_stays_so_over_a_quiet_day(stack: Stack):
    owed = stack.owe(MOST_NOT_FOUND + 1)
    stack.run()
    stack.arena.now += 3 * DAY_MS
    stack.run()
    assert stack.feedback(owed) == {"rejected": MOST_NOT_FOUND, "due": 1}
