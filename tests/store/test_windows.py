"""The sliding windows of recipients and limit keys, against an oracle that keeps every send."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otp_feedback.domain.recipient import DAY_MS, HOUR_MS, SLOTS, Limits, Recipient, Windows
from otp_feedback.usecases.ports import Refused
from tests.promises.executor import Executor
from tests.service import DynamoDBStore
from tests.store.records_data import NOW, new_recipient

TABLE = "Verifications"


@dataclass
class Oracle:
    """Keeps every send, and counts."""

    windows: Windows
    sends: list[int] = field(default_factory=list)

    def allows(self, now: int) -> bool:
        """Whether one more keeps to the interval, the hour and the day."""
        limits = ((self.windows.interval_s * 1000, 1), (HOUR_MS, self.windows.hourly), (DAY_MS, self.windows.daily))
        return all(sum(now - at < window for at in self.sends) < most for window, most in limits)

    def wait_ms(self, now: int) -> int:
        """The least wait after which one more is allowed, found by trying every moment at which a send grows old."""
        lengths = (self.windows.interval_s * 1000, HOUR_MS, DAY_MS)
        moments = sorted({now, *(at + length for at in self.sends for length in lengths)})
        return next(moment - now for moment in moments if moment >= now and self.allows(moment))


WINDOWS = st.builds(
    Windows, interval_s=st.sampled_from([0, 1, 30, 3600]), hourly=st.integers(1, SLOTS), daily=st.integers(1, SLOTS)
)
PAUSES = st.one_of(
    st.integers(0, 60_000),
    st.sampled_from([0, 1, 29_999, 30_000, 30_001, HOUR_MS - 1, HOUR_MS, HOUR_MS + 1, DAY_MS - 1, DAY_MS, DAY_MS + 1]),
    st.integers(0, DAY_MS),
)


@given(windows=WINDOWS, pauses=st.lists(PAUSES, max_size=40))
@settings(max_examples=150)
def test_a_recipients_windows_are_exact_and_so_is_the_wait(windows: Windows, pauses: list[int]):
    store = DynamoDBStore(Executor(TABLE), TABLE)
    oracle, now = Oracle(windows), NOW
    for step, pause in enumerate(pauses):
        now += pause
        reserved = store.reserve_send(b"r", f"v{step}#1", now, Limits(recipient=windows), f"w{step}")
        assert isinstance(reserved, Recipient) is oracle.allows(now)
        if isinstance(reserved, Recipient):
            oracle.sends.append(now)
            assert list(reserved.sends) == oracle.sends[::-1][:SLOTS]
        else:
            assert reserved.current
            assert windows.wait_ms(reserved.current.sends, now) == oracle.wait_ms(now)


@given(
    windows=st.builds(Windows, interval_s=st.just(0), hourly=st.integers(1, 30), daily=st.integers(1, 30)),
    pauses=st.lists(PAUSES, max_size=60),
)
@settings(max_examples=60)
def test_a_limit_keys_windows_are_exact(windows: Windows, pauses: list[int]):
    store = DynamoDBStore(Executor(TABLE), TABLE)
    oracle, now = Oracle(windows), NOW
    for step, pause in enumerate(pauses):
        now += pause
        reserved = store.reserve_limit_key(b"k", now, windows, f"w{step}")
        assert isinstance(reserved, Recipient) is oracle.allows(now)
        if isinstance(reserved, Recipient):
            oracle.sends.append(now)


@given(pauses=st.lists(st.tuples(PAUSES, st.booleans()), max_size=30))
@settings(max_examples=80)
def test_a_slot_given_back_was_never_taken(pauses: list[tuple[int, bool]]):
    store = DynamoDBStore(Executor(TABLE), TABLE)
    oracle, now = Oracle(Limits().recipient), NOW
    for step, (pause, keeps) in enumerate(pauses):
        now += pause
        reserved = store.reserve_send(b"r", f"v{step}#1", now, Limits(), f"w{step}")
        assert isinstance(reserved, Recipient) is oracle.allows(now)
        if isinstance(reserved, Recipient):
            if keeps:
                oracle.sends.append(now)
            else:
                store.release_send(b"r", f"w{step}")
        current = store.read_recipient(b"r")
        day = [at for at in oracle.sends if now - at < DAY_MS]
        assert [at for at in (current.sends if current else ()) if now - at < DAY_MS] == day[::-1]


def test_the_windows_hold_on_dynamodbs_emulator_too(store: DynamoDBStore):
    recipient, oracle, now = new_recipient(), Oracle(Limits().recipient), NOW
    pauses = [0, 29_999, 1, 30_000, 60_000, 60_000, 60_000, HOUR_MS - 240_000, 1, 60_000, *[HOUR_MS // 4] * 6, DAY_MS]
    outcomes = []
    for step, pause in enumerate(pauses):
        now += pause
        reserved = store.reserve_send(recipient, f"v{step}#1", now, Limits(), f"w{step}")
        outcomes.append(isinstance(reserved, Recipient))
        assert outcomes[-1] is oracle.allows(now)
        if outcomes[-1]:
            oracle.sends.append(now)
    assert {True, False} == set(outcomes)


def test_who_holds_the_newest_slot_is_told(store: DynamoDBStore):
    recipient = new_recipient()
    store.reserve_send(recipient, "v1#1", NOW, Limits(), "w1")
    refused = store.reserve_send(recipient, "v2#1", NOW, Limits(), "w2")
    assert isinstance(refused, Refused)
    assert refused.current == Recipient((NOW,), ("v1#1",))
    later = store.reserve_send(recipient, "v2#1", NOW + 30_000, Limits(), "w3")
    assert later == Recipient((NOW + 30_000, NOW), ("v2#1", "v1#1"))


def test_failures_block_new_messages_until_a_success(store: DynamoDBStore):
    recipient = new_recipient()
    for _ in range(74):
        store.add_failure(recipient)
    assert isinstance(store.reserve_send(recipient, "v1#1", NOW, Limits(), "w1"), Recipient)
    store.add_failure(recipient)
    blocked = store.reserve_send(recipient, "v2#1", NOW + DAY_MS, Limits(), "w2")
    assert isinstance(blocked, Refused)
    assert blocked.current
    assert blocked.current.failures == 75
    store.reset_failures(recipient, NOW + DAY_MS)
    allowed = store.reserve_send(recipient, "v2#1", NOW + DAY_MS, Limits(), "w3")
    assert isinstance(allowed, Recipient)
    assert (allowed.failures, allowed.last_confirmed_at) == (0, NOW + DAY_MS)


@pytest.mark.parametrize(("attempts", "hourly", "most"), [(5, 5, 75), (5, 10, 50), (1, 1, 99), (3, 10, 70)])
def test_the_block_leaves_room_for_the_guesses_under_way(attempts: int, hourly: int, most: int):
    assert Limits(recipient=Windows(30, hourly, 10), max_attempts=attempts).max_failures == most


def test_only_the_reserver_gives_a_slot_back(store: DynamoDBStore):
    recipient = new_recipient()
    store.reserve_send(recipient, "v1#1", NOW, Limits(), "w1")
    store.release_send(recipient, "w2")
    store.release_send(new_recipient(), "w1")
    after = store.read_recipient(recipient)
    assert after
    assert after.sends == (NOW,)
