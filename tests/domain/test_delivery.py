"""Delivery states: Twilio's words, and which state may follow which."""

import itertools

import pytest

from otp_feedback.domain.delivery import Delivery, delivery_from_twilio


def follows(new: Delivery, old: Delivery) -> bool:
    """Whether a state replaces another, as the store's condition has it."""
    return old < new.rank_floor


@pytest.mark.parametrize(
    ("word", "delivery"),
    [
        ("accepted", Delivery.ACCEPTED),
        ("scheduled", Delivery.ACCEPTED),
        ("queued", Delivery.QUEUED),
        ("sending", Delivery.QUEUED),
        ("sent", Delivery.SENT),
        ("delivered", Delivery.DELIVERED),
        ("partially_delivered", Delivery.DELIVERED),
        ("undelivered", Delivery.UNDELIVERED),
        ("failed", Delivery.FAILED),
        ("canceled", Delivery.CANCELED),
        ("read", Delivery.READ),
        ("receiving", None),
        ("Delivered", None),
        ("", None),
    ],
)
def test_twilios_words(word: str, delivery: Delivery | None):
    assert delivery_from_twilio(word) is delivery


def test_no_state_follows_itself_and_none_goes_both_ways():
    for one, other in itertools.product(Delivery, repeat=2):
        assert not (follows(one, other) and follows(other, one))
    assert not any(follows(state, state) for state in Delivery)


def test_an_ending_is_followed_by_a_read_receipt_alone():
    endings = [Delivery.DELIVERED, Delivery.UNDELIVERED, Delivery.FAILED, Delivery.CANCELED]
    for ending in endings:
        assert [state for state in Delivery if follows(state, ending)] == [Delivery.READ]


def test_whatever_twilio_says_follows_an_unknown_outcome():
    told = [state for state in Delivery if state >= Delivery.ACCEPTED]
    for before in (Delivery.CREATING, Delivery.UNKNOWN, Delivery.REJECTED):
        assert all(follows(state, before) for state in told)


def test_our_own_guesses_never_undo_what_twilio_said():
    for ours in (Delivery.CREATING, Delivery.UNKNOWN, Delivery.REJECTED):
        assert not any(follows(ours, state) for state in Delivery if state >= Delivery.ACCEPTED)


def test_every_chain_of_states_ends():
    longest = 0
    for order in itertools.permutations([Delivery.ACCEPTED, Delivery.QUEUED, Delivery.SENT, Delivery.DELIVERED]):
        state, steps = Delivery.CREATING, 0
        for new in order:
            if follows(new, state):
                state, steps = new, steps + 1
        assert state is Delivery.DELIVERED
        longest = max(longest, steps)
    assert longest == 4


def test_what_arrived_and_what_never_will():
    assert {state for state in Delivery if state.arrived} == {Delivery.DELIVERED, Delivery.READ}
    failed = {Delivery.REJECTED, Delivery.UNDELIVERED, Delivery.FAILED, Delivery.CANCELED}
    assert {state for state in Delivery if state.failed} == failed
    assert Delivery.UNDELIVERED.status == "undelivered"
