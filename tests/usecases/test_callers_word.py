"""What the caller says itself: that its user acted, that nobody will, and whose verification it means."""

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.errors import (
    AlreadyConfirmed,
    Canceled,
    Expired,
    Locked,
    MalformedRequest,
    RecipientOptedOut,
    UnknownVerification,
    WrongAction,
    WrongSecret,
)
from otp_feedback.domain.verification import Confirmation, Proof, Status
from tests.promises.world import World
from tests.usecases.driver import EXPIRY_MS, INTERVAL_MS, fresh_number, started, status, unchanged

SID = "SM" + "3" * 32


def confirmation_of(world: World, verification_id: str) -> Confirmation:
    """How a verification was confirmed."""
    confirmation = world.verification(verification_id).confirmation
    assert confirmation is not None
    return confirmation


def two_out(world: World) -> str:
    """A verification with two messages of different secrets."""
    verification_id = started(world, Action.CALLER, secret="First111")
    world.advance(INTERVAL_MS)
    world.another(verification_id, secret="Second22")
    return verification_id


def second_refused(world: World) -> str:
    """A verification whose second message Twilio refused."""
    verification_id = started(world, Action.CALLER)
    world.advance(INTERVAL_MS)
    world.twilio.fail("create_message", "refused")
    with pytest.raises(RecipientOptedOut):
        world.another(verification_id, secret="Callers2")
    return verification_id


def names_none(world: World, verification_id: str, number: int | None) -> None:
    """The caller's word names no message that there is, and changes nothing."""
    with unchanged(world), pytest.raises(MalformedRequest) as told:
        world.confirm(verification_id, number)
    assert told.value.field == "message"


def reports(world: World, verification_id: str) -> list[int]:
    """How often each of two messages was reported in the end."""
    world.report_due()
    return [world.reports(verification_id, number) for number in (1, 2)]


def test_the_callers_word_confirms_and_reports_and_is_idempotent(world: World):
    verification_id = started(world, Action.CALLER)
    first = world.confirm(verification_id)
    assert (confirmation_of(world, verification_id).proof, confirmation_of(world, verification_id).message) == (
        Proof.CALLER,
        1,
    )
    with unchanged(world):
        assert world.confirm(verification_id).confirmation == first.confirmation
        assert world.confirm(verification_id, 1).confirmation == first.confirmation
    assert world.reports(verification_id) == 1


def test_the_caller_names_the_message_where_several_are_out(world: World):
    verification_id = two_out(world)
    for number in (None, 3):
        names_none(world, verification_id, number)
    world.confirm(verification_id, 2)
    with pytest.raises(AlreadyConfirmed):
        world.confirm(verification_id, 1)
    assert reports(world, verification_id) == [0, 1]


def test_a_message_that_twilio_refused_is_not_confirmed(world: World):
    names_none(world, second_refused(world), 2)


def test_the_only_message_that_was_sent_need_not_be_named(world: World):
    verification_id = second_refused(world)
    world.confirm(verification_id)
    assert confirmation_of(world, verification_id).message == 1
    assert world.reports(verification_id) == 1


def test_the_callers_late_word_is_expired_and_reported(world: World):
    verification_id = started(world, Action.CALLER)
    world.advance(EXPIRY_MS)
    with pytest.raises(Expired):
        world.confirm(verification_id)
    world.report_due()
    assert (status(world, verification_id), world.reports(verification_id)) == (Status.EXPIRED, 1)


def test_the_caller_confirms_no_locked_verification(world: World):
    verification_id = started(world, Action.CALLER)
    for _ in range(5):
        with pytest.raises(WrongSecret):
            world.check(verification_id, "Wrong123")
    with pytest.raises(Locked):
        world.confirm(verification_id)
    world.report_due()
    assert world.reports(verification_id) == 0


def test_of_two_callers_secrets_the_entered_one_names_the_message(world: World):
    verification_id = two_out(world)
    world.check(verification_id, "First111")
    assert confirmation_of(world, verification_id).message == 1
    assert reports(world, verification_id) == [1, 0]


class TestMessagesThatTheCallerSentItself:
    """They are registered by their SIDs."""

    def test_it_may_have_a_secret_to_check(self, world: World):
        verification_id = started(world, Action.CALLER, sid=SID, secret="Their123")
        with pytest.raises(WrongSecret):
            world.check(verification_id, "Wrong123")
        world.check(verification_id, "Their123")
        assert confirmation_of(world, verification_id).proof is Proof.SECRET

    def test_without_a_secret_there_is_nothing_to_check(self, world: World):
        verification_id = started(world, Action.CALLER, sid=SID)
        with unchanged(world):
            for _ in range(6):
                with pytest.raises(WrongAction):
                    world.check(verification_id, "Callers1")
        world.confirm(verification_id)

    def test_a_secret_in_a_later_message_can_be_checked(self, world: World):
        verification_id = started(world, Action.CALLER, sid=SID)
        world.advance(INTERVAL_MS)
        world.another(verification_id, secret="Callers2")
        world.check(verification_id, "Callers2")
        assert confirmation_of(world, verification_id).message == 2

    @pytest.mark.parametrize("given", [{"secret": "Theirs12"}, {"sid": "SM" + "a" * 32}])
    @pytest.mark.parametrize("action", [each for each in Action if each is not Action.CALLER])
    def test_no_other_action_takes_a_secret_or_a_sid(self, world: World, action: Action, given: dict[str, str]):
        with unchanged(world), pytest.raises(MalformedRequest) as told:
            world.start(fresh_number(), action, **given)
        assert [told.value.field] == list(given)

    def test_the_action_caller_needs_a_secret_or_a_sid(self, world: World):
        with unchanged(world), pytest.raises(MalformedRequest) as told:
            world.start(fresh_number(), Action.CALLER)
        assert told.value.field == "secret"


def test_a_canceled_verification_confirms_by_no_way_and_reports_nothing(world: World):
    verification_id = started(world, Action.CALLER)
    world.cancel(verification_id)
    with unchanged(world):
        with pytest.raises(Canceled):
            world.check(verification_id, "Callers1")
        with pytest.raises(Canceled):
            world.confirm(verification_id)
        with pytest.raises(Canceled):
            world.another(verification_id, secret="Second22")
        world.cancel(verification_id)
    world.report_due()
    assert (status(world, verification_id), world.reports(verification_id)) == (Status.CANCELED, 0)


def test_a_canceled_link_and_a_canceled_reply_confirm_nothing(world: World):
    link, to = started(world, Action.LINK), fresh_number()
    reply = started(world, Action.REPLY, to)
    for each in (link, reply):
        world.cancel(each)
    with pytest.raises(Canceled):
        world.tap(world.link(link))
    assert world.reply(to) is False
    world.report_due()
    assert {status(world, each) for each in (link, reply)} == {Status.CANCELED}
    assert (world.reports(link), world.reports(reply)) == (0, 0)


def test_a_confirmed_verification_cannot_be_canceled(world: World):
    verification_id = started(world, Action.CALLER)
    world.confirm(verification_id)
    with unchanged(world), pytest.raises(AlreadyConfirmed):
        world.cancel(verification_id)


@pytest.mark.parametrize(
    "expected", [{"to": "+4915199999999"}, {"reference": "other"}, {"to": "+4915199999999", "reference": "order-1"}]
)
def test_somebody_elses_verification_is_unknown_and_costs_no_attempt(world: World, expected: dict[str, str]):
    to = fresh_number()
    verification_id = started(world, to=to, reference="order-1")
    with unchanged(world), pytest.raises(UnknownVerification):
        world.check(verification_id, world.secret(verification_id), **expected)
    world.check(verification_id, world.secret(verification_id), to=to, reference="order-1")


def test_expecting_a_reference_where_there_is_none_is_unknown(world: World):
    verification_id = started(world)
    with unchanged(world), pytest.raises(UnknownVerification):
        world.check(verification_id, world.secret(verification_id), reference="order-1")
