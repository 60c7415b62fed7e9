"""The cap on a stack's messages adds up over processes that seldom write."""

from collections import Counter

import pytest

from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.hourly_cap import FRESH_MS, HourlyCap
from otp_feedback.domain.recipient import HOUR_MS


class Count:
    """The stack's counts of the hours' sends, as the table holds them."""

    def __init__(self) -> None:
        self.sends: Counter[int] = Counter()
        self.writes = 0
        self.kept_until = 0
        self.fails = False

    def count_sends(self, hour: int, more: int, ttl: int) -> int:
        if self.fails:
            raise Unavailable
        self.writes += 1
        self.kept_until = ttl
        self.sends[hour] += more
        return self.sends[hour]


def test_the_cap_counts_processes_that_send_but_one_message():
    count = Count()
    meters = [HourlyCap(100, count.count_sends) for _ in range(300)]
    assert sum(meter.take(HOUR_MS, "w") == 0 for meter in meters) == 100


@pytest.mark.parametrize("processes", [1, 3])
def test_a_busy_process_writes_once_in_five_seconds_and_overshoots_by_no_more_than_those(processes: int):
    count = Count()
    meters = [HourlyCap(1000, count.count_sends) for _ in range(processes)]
    sent = 0
    for step in range(60_000 // 10):
        sent += sum(meter.take(HOUR_MS + step * 10, "w") == 0 for meter in meters)
    assert count.writes == processes * 60_000 // FRESH_MS
    a_process_in_five_seconds = FRESH_MS // 10
    assert 1000 <= sent <= 1000 + (processes - 1) * a_process_in_five_seconds


def test_over_the_cap_the_wait_is_until_the_next_hour():
    meter = HourlyCap(1, Count().count_sends)
    assert [meter.take(now, "w") for now in (HOUR_MS, HOUR_MS + 1, HOUR_MS + 1001, 2 * HOUR_MS)] == [0, 3600, 3599, 0]


def test_only_the_request_that_was_counted_is_taken_off_and_everybody_learns_of_it():
    count = Count()
    meter, other = (HourlyCap(2, count.count_sends) for _ in range(2))
    assert meter.take(HOUR_MS, "first") == 0
    meter.give_back("another")
    meter.give_back("first")
    meter.give_back("first")
    assert meter.take(HOUR_MS + FRESH_MS, "second") == 0
    assert count.sends == {HOUR_MS: 1}
    assert other.take(HOUR_MS + FRESH_MS, "third") == 0
    assert other.take(HOUR_MS + FRESH_MS, "fourth") > 0
    other.give_back("fourth")
    assert other.take(HOUR_MS + 2 * FRESH_MS, "fifth") > 0


def test_a_count_is_kept_for_two_hours_after_its_own():
    count = Count()
    HourlyCap(5, count.count_sends).take(HOUR_MS + 10_000, "w")
    assert count.kept_until == 4 * 3600


def test_what_cannot_be_given_back_now_goes_with_the_next_addition():
    count = Count()
    meter = HourlyCap(10, count.count_sends)
    assert meter.take(HOUR_MS, "first") == 0
    count.fails = True
    meter.give_back("first")
    count.fails = False
    assert meter.take(HOUR_MS + FRESH_MS, "second") == 0
    assert count.sends == {HOUR_MS: 1}


def test_a_process_counts_its_own_sends_between_two_additions():
    count = Count()
    meter = HourlyCap(3, count.count_sends)
    assert [meter.take(HOUR_MS, "w") == 0 for _ in range(5)] == [True, True, True, False, False]
    assert count.writes == 1


def test_what_was_not_added_yet_is_given_back_without_a_write():
    count = Count()
    meter = HourlyCap(3, count.count_sends)
    for request in ("first", "second"):
        meter.take(HOUR_MS, request)
    meter.give_back("second")
    assert count.writes == 1
    meter.give_back("second")
    assert [meter.take(HOUR_MS, "w") == 0 for _ in range(3)] == [True, True, False]
