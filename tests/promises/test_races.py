"""Races of real threads, on two engines that were first shown to be atomic.

On moto behind its lock and on dynalite, 200 threads guess wrong (promises 2 and 3), 50 guess right (1 and 5), and 100
start verifications for one recipient (its budget).
"""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from otp_feedback.domain.errors import AlreadyConfirmed, Locked, Problem, TooManyMessages, WrongSecret
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.recipient import HOUR_MS
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Feedback, State, Verification
from otp_feedback.usecases.send import Sent
from tests.promises import races_engines
from tests.promises.races_arena import RUN_MS, Arena
from tests.promises.races_engines import (
    CROWD,
    SELF_TEST_CROWD,
    Engine,
    NotAtomicError,
    all_at_once,
    require_atomic,
)

ENGINES = {"moto": races_engines.moto, "dynalite": races_engines.dynalite}
WRONG = Secret("not a code")


@pytest.fixture(scope="module", params=["moto", pytest.param("dynalite", marks=pytest.mark.heavy)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine that has been shown to be atomic; races on another one would prove nothing."""
    with ENGINES[request.param]() as made:
        require_atomic(made)
        yield made


@pytest.fixture
def arena(engine: Engine) -> Arena:
    return Arena(engine.client)


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Comparisons by verification, counted where they are made, whatever the record's own counter says."""
    counted: Counter[str] = Counter()
    lock, matching = threading.Lock(), Keys.matching

    def count(keys: Keys, verification_id: str, macs: Any, guess: Secret) -> frozenset[int]:
        with lock:
            counted[verification_id] += 1
        return matching(keys, verification_id, macs, guess)

    monkeypatch.setattr(Keys, "matching", count)
    return counted


def guess_wrong_at_once(arena: Arena, comparisons: Counter[str]) -> None:
    """200 threads guess wrong at once: five are compared and counted, the rest and then the right code refused."""
    verification_id, to, code = arena.started()
    answers = all_at_once(CROWD, lambda _: arena.check(verification_id, WRONG))
    assert comparisons[verification_id] == 5
    assert Counter(map(type, answers)) == {WrongSecret: 5, Locked: CROWD - 5}
    assert sorted(each.attempts_left for each in answers if isinstance(each, WrongSecret)) == [0, 1, 2, 3, 4]
    assert arena.failures(to) == 5

    assert isinstance(arena.check(verification_id, code), Locked)
    assert comparisons[verification_id] == 5
    assert arena.twilio.reported == []


def guess_right_at_once(arena: Arena, comparisons: Counter[str]) -> None:
    """50 threads have the right code at once: one confirms, and one report is posted, then and later."""
    verification_id, to, code = arena.started()
    before = len(arena.twilio.reported)
    answers = all_at_once(50, lambda _: arena.check(verification_id, code))
    confirmed = [each for each in answers if isinstance(each, Verification)]
    assert len(confirmed) == 1
    assert {type(each) for each in answers} <= {Verification, AlreadyConfirmed, Locked}
    assert comparisons[verification_id] <= 5
    assert arena.twilio.reported[before:] == [confirmed[0].messages[1].sid]
    assert arena.failures(to) == 0

    arena.now += RUN_MS
    arena.retry()
    record = arena.store.read(verification_id)
    assert record is not None
    assert (record.state, record.messages[1].feedback) == (State.CONFIRMED, Feedback.REPORTED)
    assert len(arena.twilio.reported) == before + 1


def test_200_wrong_guesses_at_once_are_compared_five_times(arena: Arena, comparisons: Counter[str]):
    """Promises 2 and 3, with 200 threads."""
    guess_wrong_at_once(arena, comparisons)


def test_50_right_codes_at_once_confirm_once_and_are_reported_once(arena: Arena, comparisons: Counter[str]):
    """Promises 1 and 5, with 50 threads."""
    guess_right_at_once(arena, comparisons)


@pytest.mark.heavy
def test_guesses_at_once_again_and_again(arena: Arena, comparisons: Counter[str]):
    """The two races above, ten times each."""
    for _ in range(10):
        arena.twilio.reported.clear()
        guess_wrong_at_once(arena, comparisons)
        guess_right_at_once(arena, comparisons)


@pytest.mark.heavy
def test_100_starts_at_once_send_one_message_and_five_in_an_hour(arena: Arena):
    """The budgets: 100 threads start at once for one recipient, and crowds of 10 whenever 30 s are over.

    Each crowd gets one message out, until there are five; the sixth goes out when the first is an hour old, and what
    the refused are told to wait is exact to the second.
    """
    to = arena.number()
    begin = arena.now

    def burst(seconds: int, crowd: int) -> list[Sent | Problem]:
        arena.now = begin + seconds * 1000
        return all_at_once(crowd, lambda _: arena.start(to))

    bursts = [burst(0, 100), burst(29, 1), *(burst(at, 10) for at in (30, 60, 90, 120)), burst(150, 10)]
    assert [sum(isinstance(each, Sent) for each in answers) for answers in bursts] == [1, 0, 1, 1, 1, 1, 0]
    assert len(arena.twilio.created) == 5
    for seconds, wait_s, answers in ((0, 30, bursts[0]), (29, 1, bursts[1]), (150, 3450, bursts[-1])):
        refused = [each for each in answers if not isinstance(each, Sent)]
        assert {type(each) for each in refused} == {TooManyMessages}, seconds
        assert {each.retry_after_s for each in refused if isinstance(each, TooManyMessages)} == {wait_s}, seconds

    hour_s = HOUR_MS // 1000
    assert [isinstance(each, Sent) for each in burst(hour_s - 1, 1)] == [False]
    assert sum(isinstance(each, Sent) for each in burst(hour_s, 10)) == 1
    assert len(arena.twilio.created) == 6


class LossyClient:
    """An engine that reads, lets the others read, and only then writes."""

    def __init__(self) -> None:
        self.items: dict[str, int] = {}

    def update_item(self, *, Key: Any, ExpressionAttributeValues: Any, **_: Any) -> Any:  # noqa: N803
        key = Key["pk"]["S"]
        seen = self.items.get(key, 0)
        self.everyone_has_read.wait()
        limit = ExpressionAttributeValues.get(":limit")
        if limit is not None and seen >= int(limit["N"]):
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "UpdateItem")
        self.items[key] = seen + 1
        return {"Attributes": {"n": {"N": str(seen + 1)}}}

    everyone_has_read = threading.Barrier(SELF_TEST_CROWD)


def test_races_are_refused_on_an_engine_that_loses_updates():
    """The self-test has power: 100 reads before any write, and the engine is refused."""
    with pytest.raises(NotAtomicError):
        require_atomic(Engine("lossy", LossyClient()))
