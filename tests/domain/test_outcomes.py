"""When a 404 says nothing about its message: judged by the last 50 reports, however they were added up."""

from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.domain.outcomes import LAST, NOT_FOUND, OTHER, added, suspends


@given(st.lists(st.text(NOT_FOUND + OTHER, max_size=70), max_size=8))
def test_what_counts_are_the_404s_among_the_last_fifty(parts: list[str]):
    kept = ""
    for part in parts:
        kept = added(kept, part)
        assert len(kept) <= LAST
    assert suspends(kept) == ("".join(parts)[-LAST:].count(NOT_FOUND) > LAST / 2)


def test_more_than_half_are_needed():
    assert not suspends(NOT_FOUND * 25)
    assert suspends(NOT_FOUND * 26)
    assert suspends(added(NOT_FOUND * 26, OTHER * 24))
    assert not suspends(added(NOT_FOUND * 26, OTHER * 25))


def test_where_nothing_ended_in_404_nothing_is_kept():
    assert added("", OTHER * 60) == ""
    assert added(NOT_FOUND, OTHER * LAST) == ""
