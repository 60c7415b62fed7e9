"""Races of real threads, on two engines that were first shown to be atomic.

On moto behind its lock and on dynalite, 200 threads guess wrong (promises 2 and 3), 50 guess right (1 and 5), and 100
start verifications for one recipient (its budget).
"""

import itertools
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from otp_feedback.adapters.dynamodb import DynamoDBStore
from otp_feedback.domain.breaker import CircuitBreaker
from otp_feedback.domain.errors import AlreadyConfirmed, Locked, Problem, TooManyMessages, WrongSecret
from otp_feedback.domain.limits import HOUR_MS
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.secret import Keys, Secret
from otp_feedback.domain.verification import Action, Feedback, State, Verification
from otp_feedback.usecases.confirm import Inbound, check
from otp_feedback.usecases.ports import Created, FeedbackAccepted, OutgoingMessage
from otp_feedback.usecases.report import Reporting, Run, retry_due_reports
from otp_feedback.usecases.sending import Outbound, Sent, recipient_id
from otp_feedback.usecases.start import Origin, StartRequest, start
from tests.promises import races_engines
from tests.promises.races_engines import CROWD, TABLE, Engine, NotAtomicError, all_at_once, require_atomic

ENGINES = {"moto": races_engines.moto, "dynalite": races_engines.dynalite}
POLICY = Policy(app_name="Acme", sender="+14155550100")
ORIGIN = Origin(caller="-", idempotency_key=None, base_url="https://otp.example")
WRONG = Secret("not a code")

_numbers = itertools.count(100)


class Twilio:
    """Takes everything, and remembers it."""

    def __init__(self) -> None:
        self.created: list[OutgoingMessage] = []
        self.reported: list[str] = []

    def create_message(self, message: OutgoingMessage, deadline_s: float) -> Created:
        self.created.append(message)
        return Created(f"SM{secrets.token_hex(16)}")

    def post_feedback(self, sid: str, deadline_s: float) -> FeedbackAccepted:
        self.reported.append(sid)
        return FeedbackAccepted()

    def list_messages(self, *_: Any) -> list[Any]:
        return []

    def redact_message(self, *_: Any) -> None:
        raise NotImplementedError


class Silent:
    """A journal that nobody reads."""

    def note(self, **facts: str | int | None) -> None: ...
    def count(self, metric: str, value: int = 1) -> None: ...
    def gauge(self, metric: str, value: int) -> None: ...


class FixedVault:
    """The keys of a stack."""

    def __init__(self) -> None:
        self._keys = Keys.derive(secrets.token_hex(32))

    def keys(self) -> Keys:
        return self._keys

    refreshed_keys = keys


@dataclass
class Arena:
    """The real use cases on a real engine, a Twilio that takes everything, and a clock that is moved by hand."""

    engine: Engine
    now: int = 1_800_000_000_000
    twilio: Twilio = field(default_factory=Twilio)
    vault: FixedVault = field(default_factory=FixedVault)

    def __post_init__(self) -> None:
        self.store = DynamoDBStore(self.engine.client, TABLE)
        self.outbound = Outbound(
            self.store, self.twilio, self.vault, self.clock, secrets.token_bytes, lambda _: None, POLICY
        )
        self.reporting = Reporting(self.store, self.twilio, self.clock, lambda: 0.5, POLICY, CircuitBreaker())
        self.inbound = Inbound(self.reporting, self.vault, secrets.token_bytes)

    def clock(self) -> int:
        return self.now

    def start(self, to: str) -> Sent | Problem:
        """Start a verification by code."""
        return outcome(lambda: start(self.outbound, StartRequest(to, Action.CODE), ORIGIN, Silent()))

    def check(self, verification_id: str, guess: Secret) -> Verification | Problem:
        """Guess."""
        return outcome(lambda: check(self.inbound, verification_id, guess, Silent()))

    def started(self) -> tuple[str, str, Secret]:
        """A new verification: its id, its number and its code."""
        to = f"+1415555{next(_numbers):04d}"
        sent = self.start(to)
        assert isinstance(sent, Sent)
        body = self.twilio.created[-1].body
        assert body is not None
        return sent.verification_id, to, Secret(next(word for word in body.split() if word.strip(".").isdigit())[:6])

    def failures(self, to: str) -> int:
        """The recipient's consecutive failures."""
        recipient = self.store.read_recipient(recipient_id(self.vault.keys(), to))
        assert recipient is not None
        return recipient.failures

    def retry(self) -> int:
        """Run the outbox when every lease is over."""
        self.now += 31_000
        run = Run("run", lambda: False, self.now + 60_000, lambda calls: [call() for call in calls] and None)
        return retry_due_reports(self.reporting, self.vault.keys, run, Silent())


def outcome[T](act: Callable[[], T]) -> T | Problem:
    """What came back, whether returned or raised."""
    try:
        return act()
    except Problem as problem:
        return problem


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine that has been shown to be atomic; races on another one would prove nothing."""
    with ENGINES[request.param]() as made:
        require_atomic(made)
        yield made


@pytest.fixture
def arena(engine: Engine) -> Arena:
    return Arena(engine)


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

    assert arena.retry() == 0
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


def test_100_starts_at_once_send_one_message_and_five_in_an_hour(arena: Arena):
    """The budgets: 100 threads start at once for one recipient; later, when its hour is used up, 100 more.

    In between, crowds of 20 come whenever 30 s are over. Each crowd gets one message out, until there are five; the
    sixth goes out when the first is an hour old, and what the refused are told to wait is exact to the second.
    """
    to = f"+1415555{next(_numbers):04d}"
    begin = arena.now

    def burst(seconds: int, crowd: int) -> list[Sent | Problem]:
        arena.now = begin + seconds * 1000
        return all_at_once(crowd, lambda _: arena.start(to))

    bursts = [burst(0, 100), burst(29, 1), *(burst(at, 20) for at in (30, 60, 90, 120)), burst(150, 100)]
    assert [sum(isinstance(each, Sent) for each in answers) for answers in bursts] == [1, 0, 1, 1, 1, 1, 0]
    assert len(arena.twilio.created) == 5
    for seconds, wait_s, answers in ((0, 30, bursts[0]), (29, 1, bursts[1]), (150, 3450, bursts[-1])):
        refused = [each for each in answers if not isinstance(each, Sent)]
        assert {type(each) for each in refused} == {TooManyMessages}, seconds
        assert {each.retry_after_s for each in refused if isinstance(each, TooManyMessages)} == {wait_s}, seconds

    hour_s = HOUR_MS // 1000
    assert [isinstance(each, Sent) for each in burst(hour_s - 1, 1)] == [False]
    assert sum(isinstance(each, Sent) for each in burst(hour_s, 20)) == 1
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

    everyone_has_read = threading.Barrier(CROWD)


def test_races_are_refused_on_an_engine_that_loses_updates():
    """The self-test has power: 200 reads before any write, and the engine is refused."""
    with pytest.raises(NotAtomicError):
        require_atomic(Engine("lossy", LossyClient()))
