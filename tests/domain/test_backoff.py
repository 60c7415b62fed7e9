"""When a failed report is tried again: late enough for Twilio, early enough for an outage's end."""

from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.domain.backoff import (
    BASE_MS,
    CAP_MS,
    INLINE_LEASE_MS,
    SID_BASE_MS,
    SID_CAP_MS,
    next_attempt_at,
    next_search_at,
)

NOW = 1_760_000_000_000
ALMOST_ONE = 1 - 2**-53
FAILURES = st.integers(1, 10_000)
FRACTIONS = st.floats(0, 1, exclude_max=True)


@given(FAILURES, FRACTIONS)
def test_the_pause_is_at_least_a_second_and_never_above_the_cap(failures: int, fraction: float):
    assert 1000 <= next_attempt_at(NOW, failures, fraction) - NOW <= CAP_MS


@given(FAILURES, FRACTIONS)
def test_a_further_failure_never_shortens_the_pause(failures: int, fraction: float):
    assert next_attempt_at(NOW, failures + 1, fraction) >= next_attempt_at(NOW, failures, fraction)


def test_the_ceiling_doubles_up_to_the_cap():
    ceilings = [next_attempt_at(NOW, failures, ALMOST_ONE) - NOW for failures in range(1, 8)]
    wanted = [30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000]
    assert all(abs(ceiling - each) <= 1 for ceiling, each in zip(ceilings, wanted, strict=True))
    assert (BASE_MS, CAP_MS, INLINE_LEASE_MS) == (30_000, 300_000, 30_000)


def test_the_jitter_is_full():
    pauses = [next_attempt_at(NOW, 4, part / 10) - NOW for part in range(10)]
    assert pauses[0] == 1000
    assert pauses == sorted(set(pauses))


@given(FAILURES)
def test_a_lost_sid_is_looked_for_ever_more_rarely(failures: int):
    pause = next_search_at(NOW, failures) - NOW
    assert SID_BASE_MS <= pause <= SID_CAP_MS
    assert pause <= next_search_at(NOW, failures + 1) - NOW
