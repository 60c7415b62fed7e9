"""When a 404 says nothing about its message: judged by the last 50 reports, however they were added up."""

from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.outcomes import LAST, MOST_NOT_FOUND, NOT_FOUND, OTHER, Outcomes, added, suspends


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


class Everybodys:
    """The outcomes of all processes, as the table holds them."""

    def __init__(self, held: str = "") -> None:
        self.held = held
        self.reads = 0
        self.fails = False

    def read(self, now: int) -> str:
        assert now == NOW
        self.reads += 1
        return self.held

    def add(self, more: str, now: int) -> None:
        assert now == NOW
        if self.fails:
            raise Unavailable
        self.held = added(self.held, more)


NOW = 1_800_000_000_000


def test_others_404s_and_ones_own_decide_together():
    everybodys = Everybodys(NOT_FOUND * MOST_NOT_FOUND)
    outcomes = Outcomes(everybodys.read, everybodys.add)
    assert outcomes.note_not_found(NOW, again=False)
    assert outcomes.note_not_found(NOW, again=False)
    assert everybodys.reads == 1
    assert outcomes.add_up(NOW, at_least=1)
    assert everybodys.held == NOT_FOUND * (MOST_NOT_FOUND + 2)


def test_while_404s_stay_due_those_that_come_back_do_not_count():
    everybodys = Everybodys(NOT_FOUND * (MOST_NOT_FOUND + 1))
    outcomes = Outcomes(everybodys.read, everybodys.add)
    assert outcomes.note_not_found(NOW, again=True)
    assert outcomes.add_up(NOW, at_least=1)
    assert everybodys.held == NOT_FOUND * (MOST_NOT_FOUND + 1)


def test_a_404_that_comes_back_counts_where_it_is_given_up():
    everybodys = Everybodys()
    outcomes = Outcomes(everybodys.read, everybodys.add)
    assert not outcomes.note_not_found(NOW, again=True)
    assert outcomes.add_up(NOW, at_least=1)
    assert everybodys.held == NOT_FOUND


def test_few_are_added_later_and_what_could_not_be_added_the_next_time():
    everybodys = Everybodys(NOT_FOUND)
    outcomes = Outcomes(everybodys.read, everybodys.add)
    outcomes.note()
    assert outcomes.add_up(NOW, at_least=2)
    assert everybodys.held == NOT_FOUND
    everybodys.fails = True
    assert not outcomes.add_up(NOW, at_least=1)
    everybodys.fails = False
    outcomes.note()
    assert outcomes.add_up(NOW, at_least=2)
    assert outcomes.add_up(NOW, at_least=1)
    assert everybodys.held == NOT_FOUND + OTHER * 2
