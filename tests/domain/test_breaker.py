"""When reports are left to the outbox because Twilio keeps failing."""

from otp_feedback.domain.breaker import OPEN_AFTER, OPEN_FOR_MS, CircuitBreaker

NOW = 1_800_000_000_000


def failing(times: int) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(times):
        breaker.record(failed=True, now=NOW)
    return breaker


def test_it_waits_half_a_minute_after_three_failures_in_a_row():
    assert (OPEN_AFTER, OPEN_FOR_MS) == (3, 30_000)


def test_it_lets_through_until_there_are_enough_failures_in_a_row():
    assert CircuitBreaker().lets_through(NOW)
    assert failing(1).lets_through(NOW)
    assert failing(2).lets_through(NOW)
    assert not failing(3).lets_through(NOW)
    assert not failing(4).lets_through(NOW)


def test_a_success_forgets_the_failures_before_it():
    breaker = failing(2)
    breaker.record(failed=False, now=NOW)
    breaker.record(failed=True, now=NOW)
    breaker.record(failed=True, now=NOW)
    assert breaker.lets_through(NOW)
    breaker.record(failed=True, now=NOW)
    assert not breaker.lets_through(NOW)


def test_one_is_let_through_after_each_pause():
    breaker = failing(3)
    assert not breaker.lets_through(NOW + 29_999)
    assert breaker.lets_through(NOW + 30_000)
    assert not breaker.lets_through(NOW + 30_000)
    assert not breaker.lets_through(NOW + 59_999)
    assert breaker.lets_through(NOW + 60_000)


def test_the_pause_begins_with_the_last_failure():
    breaker = failing(3)
    breaker.record(failed=True, now=NOW + 10_000)
    assert not breaker.lets_through(NOW + 39_999)
    assert breaker.lets_through(NOW + 40_000)


def test_a_try_that_succeeds_ends_the_pause():
    breaker = failing(3)
    assert breaker.lets_through(NOW + 30_000)
    breaker.record(failed=False, now=NOW + 30_100)
    assert breaker.lets_through(NOW + 30_101)
    assert breaker.lets_through(NOW + 30_102)


def test_a_breaker_that_never_failed_lets_through_at_any_time():
    assert CircuitBreaker().lets_through(0)
    assert CircuitBreaker().lets_through(-1)
