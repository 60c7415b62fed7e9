"""How much may be sent to whom: the windows are exact, and so is what a refused caller is told to wait."""

from typing import Any

import pytest

from otp_feedback.domain.errors import (
    AlreadyConfirmed,
    CountryNotAllowed,
    Expired,
    Locked,
    MalformedRequest,
    TooManyMessages,
    Unavailable,
    WrongSecret,
)
from otp_feedback.domain.recipient import DAY_MS, HOUR_MS, Limits, Windows
from otp_feedback.domain.verification import Status
from tests.promises.engine import FailCall, calls_of
from tests.promises.world import TO, World
from tests.usecases.conftest import Having
from tests.usecases.driver import (
    EXPIRY_MS,
    INTERVAL_MS,
    MINUTE_MS,
    SECOND_MS,
    WRONG,
    fresh_number,
    started,
    status,
    unchanged,
)

CLIENT = "198.51.100.7"
BY_CLIENT = Limits(limit_key=Windows(0, 3, 30))


def refused(world: World, to: str = TO, **asked: Any) -> TooManyMessages:
    """A start is refused and changes nothing."""
    with unchanged(world), pytest.raises(TooManyMessages) as told:
        world.start(to, **asked)
    return told.value


def test_two_messages_to_a_recipient_are_30_seconds_apart(world: World):
    world.start()
    world.advance(500)
    assert refused(world).retry_after_s == 30
    world.advance(29_499)
    assert refused(world).retry_after_s == 1
    world.advance(1)
    world.start()


def test_the_wait_between_two_messages_holds_for_another_message_too(world: World):
    verification_id = started(world)
    with unchanged(world), pytest.raises(TooManyMessages) as told:
        world.another(verification_id)
    assert told.value.retry_after_s == 30


@pytest.mark.parametrize(("most", "apart_ms", "window_ms"), [(5, MINUTE_MS, HOUR_MS), (10, 1801 * SECOND_MS, DAY_MS)])
def test_messages_to_a_recipient_in_an_hour_and_in_a_day(world: World, most: int, apart_ms: int, window_ms: int):
    for _ in range(most):
        world.start()
        world.advance(apart_ms)
    left_ms = window_ms - most * apart_ms
    assert refused(world).retry_after_s == left_ms // SECOND_MS
    world.advance(left_ms - 1)
    assert refused(world).retry_after_s == 1
    world.advance(1)
    world.start()


def test_recipients_do_not_share_their_budget(world: World):
    for _ in range(6):
        world.start(fresh_number())


@pytest.mark.parametrize(("to", "then"), [("+5491112340011", "+541112340011"), ("+551187650012", "+5511987650012")])
def test_a_subscriber_with_two_forms_has_one_budget(world: World, to: str, then: str):
    world.start(to)
    refused(world, then)


@pytest.mark.parametrize("to", ["+490151123400013", "+820101234001", "+82081101234001", "+5215512340014", "+8656696"])
def test_a_number_in_another_spelling_is_refused(world: World, to: str):
    with unchanged(world), pytest.raises(MalformedRequest) as told:
        world.start(to)
    assert told.value.field == "to"


def test_a_verification_has_three_messages_and_waiting_does_not_help(world: World):
    verification_id = started(world)
    for number in (2, 3):
        world.advance(INTERVAL_MS)
        assert world.another(verification_id).number == number
    world.advance(INTERVAL_MS)
    with unchanged(world), pytest.raises(TooManyMessages) as told:
        world.another(verification_id)
    assert told.value.retry_after_s is None


def test_an_expired_verification_may_have_another_message(world: World):
    verification_id = started(world)
    world.advance(EXPIRY_MS)
    world.another(verification_id)
    assert status(world, verification_id) is Status.PENDING
    confirmed = world.check(verification_id, world.secret(verification_id, 2))
    assert confirmed.confirmation is not None
    assert confirmed.confirmation.message == 2


def test_a_verification_whose_record_goes_before_a_new_message_would_expire_has_none(world: World):
    verification_id = started(world)
    world.advance(7 * DAY_MS - 600 * SECOND_MS)
    world.another(verification_id)
    world.advance(INTERVAL_MS)
    with unchanged(world), pytest.raises(Expired):
        world.another(verification_id)


def test_a_verification_that_has_ended_has_no_further_message(world: World):
    confirmed, locked = started(world), started(world)
    world.check(confirmed, world.secret(confirmed))
    for _ in range(5):
        with pytest.raises(WrongSecret):
            world.check(locked, WRONG)
    world.advance(INTERVAL_MS)
    with unchanged(world):
        with pytest.raises(AlreadyConfirmed):
            world.another(confirmed)
        with pytest.raises(Locked):
            world.another(locked)


def test_a_country_that_is_not_allowed_is_refused(having: Having):
    world = having(countries=frozenset({"DE", "FR", "GB", "US"}))
    world.start(fresh_number())
    world.start("+33612345678")
    for to in ("+16135550123", "+8613812345678", "+551155256325", "+77011234567", "+88312345678"):
        with unchanged(world), pytest.raises(CountryNotAllowed):
            world.start(to)


class TestLimitKeys:
    """Windows that a caller asks for, across recipients."""

    def test_they_hold_across_recipients(self, having: Having):
        world = having(limits=BY_CLIENT)
        for _ in range(3):
            world.start(fresh_number(), limit_key=CLIENT)
        world.advance(10 * SECOND_MS)
        assert refused(world, fresh_number(), limit_key=CLIENT).retry_after_s == 3590
        world.start(fresh_number(), limit_key="198.51.100.8")
        world.start(fresh_number())
        assert CLIENT not in str(world.table.items)

    def test_an_address_with_a_port_is_the_same_key(self, having: Having):
        world = having(limits=BY_CLIENT)
        for form in (f"{CLIENT}:1024", f"[::ffff:{CLIENT}]:1025", f"64:ff9b::{CLIENT}"):
            world.start(fresh_number(), limit_key=form)
        refused(world, fresh_number(), limit_key=CLIENT)

    def test_a_key_is_forgotten_two_days_after_it_was_last_used(self, world: World):
        for _ in range(2):
            world.advance(MINUTE_MS)
            world.start(fresh_number(), limit_key=CLIENT)
            (kept,) = [item for key, item in world.table.items.items() if key.startswith("K#")]
            assert int(kept["ttl"]["N"]) == (world.now + 2 * DAY_MS) // SECOND_MS


def capped(world: World, cap: int) -> World:
    """The world with a cap, at the beginning of an hour in which nothing is counted yet."""
    world.cap = cap
    world.advance(HOUR_MS - world.now % HOUR_MS)
    return world


def confirmed_recipient(world: World) -> str:
    """A number that has confirmed something, and may be sent to again."""
    to = fresh_number()
    verification_id = started(world, to=to)
    world.check(verification_id, world.secret(verification_id))
    world.advance(INTERVAL_MS)
    return to


class TestTheCap:
    """Messages in an hour to those who never confirmed anything."""

    def test_over_it_strangers_wait_for_the_next_hour_and_the_known_are_sent_to(self, world: World):
        known, stranger = confirmed_recipient(world), fresh_number()
        capped(world, 2)
        for _ in range(2):
            world.start(fresh_number())
            world.start(known)
            world.advance(INTERVAL_MS)
        for _ in range(4):
            with pytest.raises(TooManyMessages) as told:
                world.start(stranger)
            assert told.value.retry_after_s == (HOUR_MS - world.now % HOUR_MS) // SECOND_MS
        world.start(known)
        world.advance(HOUR_MS - world.now % HOUR_MS)
        world.start(stranger)

    def test_where_it_cannot_be_counted_nothing_is_sent_and_every_slot_is_given_back(self, having: Having):
        world = capped(having(limits=BY_CLIENT), 100)
        to = fresh_number()
        calls = [call.name for call in calls_of(world, lambda process: process.start(to, limit_key=CLIENT))]
        assert calls[:4] == ["update_item", "update_item", "update_item", "put_item"]
        with pytest.raises(Unavailable):
            world.does(lambda process: process.start(to, limit_key=CLIENT), FailCall(3))
        assert world.twilio.messages == {}
        for each in (to, fresh_number(), fresh_number()):
            world.start(each, limit_key=CLIENT)
