"""What a guess comes to: confirmed by the right one and reported, counted where it is wrong, and no oracle."""

from collections.abc import Callable

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.errors import (
    AlreadyConfirmed,
    Canceled,
    Expired,
    Locked,
    MalformedRequest,
    UnknownVerification,
    WrongAction,
    WrongSecret,
)
from otp_feedback.domain.verification import Feedback, Proof, Status
from tests.promises.world import World
from tests.usecases.driver import (
    EXPIRY_MS,
    INTERVAL_MS,
    SECOND_MS,
    WRONG,
    attempts_left,
    fresh_number,
    started,
    status,
    unchanged,
)


def wrong(world: World, verification_id: str, guess: str = WRONG) -> int:
    """A guess is wrong: the attempts that are left."""
    with pytest.raises(WrongSecret) as told:
        world.check(verification_id, guess)
    return told.value.attempts_left


def test_the_right_code_confirms_and_reports_exactly_that_message(world: World):
    other, verification_id = started(world), started(world)
    confirmed = world.check(verification_id, world.secret(verification_id))
    assert confirmed.confirmation is not None
    assert (confirmed.confirmation.proof, confirmed.confirmation.message) == (Proof.SECRET, 1)
    assert (world.reports(verification_id), world.reports(other)) == (1, 0)
    assert world.feedback(verification_id) is Feedback.REPORTED


def test_a_wrong_code_tells_the_attempts_left_and_reports_nothing(world: World):
    verification_id = started(world)
    assert wrong(world, verification_id) == 4
    world.report_due()
    assert world.reports(verification_id) == 0
    assert status(world, verification_id) is Status.PENDING


def test_the_sixth_guess_is_locked_and_compared_with_nothing(world: World):
    verification_id = started(world)
    assert [wrong(world, verification_id) for _ in range(5)] == [4, 3, 2, 1, 0]
    with unchanged(world), pytest.raises(Locked):
        world.check(verification_id, world.secret(verification_id))
    assert status(world, verification_id) is Status.LOCKED
    world.report_due()
    assert world.reports(verification_id) == 0


def test_after_ten_minutes_a_code_is_expired(world: World):
    verification_id = started(world)
    world.advance(600 * SECOND_MS - 1)
    assert status(world, verification_id) is Status.PENDING
    world.advance(1)
    assert status(world, verification_id) is Status.EXPIRED
    with pytest.raises(Expired):
        world.check(verification_id, WRONG)
    world.report_due()
    assert world.reports(verification_id) == 0


def test_a_late_right_code_is_reported_once_however_often_it_is_entered(world: World):
    verification_id = started(world)
    world.advance(EXPIRY_MS)
    for _ in range(3):
        with pytest.raises(Expired):
            world.check(verification_id, world.secret(verification_id))
        world.report_due()
    assert world.reports(verification_id) == 1
    assert world.feedback(verification_id) is Feedback.REPORTED
    assert status(world, verification_id) is Status.EXPIRED


def test_the_first_ones_late_code_is_wrong_while_a_second_message_is_live_and_both_are_reported(world: World):
    verification_id = started(world)
    world.advance(300 * SECOND_MS)
    world.another(verification_id)
    world.advance(301 * SECOND_MS)
    assert wrong(world, verification_id, world.secret(verification_id, 1)) == 4
    confirmed = world.check(verification_id, world.secret(verification_id, 2))
    assert confirmed.confirmation is not None
    assert confirmed.confirmation.message == 2
    world.report_due()
    assert [world.reports(verification_id, number) for number in (1, 2)] == [1, 1]
    assert [world.feedback(verification_id, number) for number in (1, 2)] == [Feedback.REPORTED] * 2


def test_a_late_code_alone_is_reported_before_the_second_message_confirms(world: World):
    verification_id = started(world)
    world.advance(300 * SECOND_MS)
    world.another(verification_id)
    world.advance(301 * SECOND_MS)
    wrong(world, verification_id, world.secret(verification_id, 1))
    world.report_due()
    assert [world.reports(verification_id, number) for number in (1, 2)] == [1, 0]
    assert status(world, verification_id) is Status.PENDING


def test_of_two_messages_the_one_whose_code_was_entered_gets_the_feedback(world: World):
    verification_id = started(world)
    world.advance(INTERVAL_MS)
    second = world.another(verification_id)
    assert world.secret(verification_id, 1) != world.secret(verification_id, 2)
    assert second.expires_at == world.now + 600 * SECOND_MS
    world.check(verification_id, world.secret(verification_id, 1))
    world.report_due()
    assert [world.reports(verification_id, number) for number in (1, 2)] == [1, 0]


def test_another_message_gives_no_attempt_back(world: World):
    verification_id = started(world)
    for _ in range(4):
        wrong(world, verification_id)
    world.advance(INTERVAL_MS)
    world.another(verification_id)
    assert wrong(world, verification_id) == 0
    with pytest.raises(Locked):
        world.check(verification_id, world.secret(verification_id, 2))


def test_a_confirmed_verification_confirms_no_second_time(world: World):
    verification_id = started(world)
    world.check(verification_id, world.secret(verification_id))
    with unchanged(world), pytest.raises(AlreadyConfirmed):
        world.check(verification_id, world.secret(verification_id))
    assert world.reports(verification_id) == 1


def test_leading_zeros_count(world: World):
    verification_id = started(world)
    code = world.secret(verification_id)
    for guess in (f"0{code}", str(int(code) + 10**6)):
        wrong(world, verification_id, guess)
    world.check(verification_id, code)


def digits_from(zero: str) -> Callable[[str], str]:
    """Writes a code in the digits that begin there."""
    return lambda code: "".join(chr(ord(zero) + int(each)) for each in code)


TYPED: dict[str, Callable[[str], str]] = {
    "a space": lambda code: f"{code[:3]} {code[3:]}",
    "a hyphen": lambda code: f"{code[:3]}-{code[3:]}",
    "a no-break space": lambda code: f"{code[:3]}\u00a0{code[3:]}",
    "a newline": lambda code: f"{code}\n",
    "a left-to-right mark": lambda code: f"\u200e{code}",
    "a full stop": lambda code: f"{code}.",
    "Arabic-Indic digits": digits_from("\u0660"),
    "Persian digits": digits_from("\u06f0"),
    "Devanagari digits": digits_from("\u0966"),
    "full-width digits": digits_from("\uff10"),
}


@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED)
def test_a_code_confirms_however_its_digits_are_typed(world: World, typed: Callable[[str], str]):
    verification_id = started(world)
    world.check(verification_id, typed(world.secret(verification_id)))
    assert attempts_left(world, verification_id) == 4
    assert world.reports(verification_id) == 1


PASSWORDS: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "no hyphens": lambda word: word.replace("-", ""),
    "as a sentence": lambda word: f" {word.title().replace('-', ' ')}.\n",
}


@pytest.mark.parametrize("typed", PASSWORDS.values(), ids=PASSWORDS)
def test_a_temporary_password_confirms_in_any_case_and_without_hyphens(world: World, typed: Callable[[str], str]):
    verification_id = started(world, Action.PASSWORD)
    world.check(verification_id, typed(world.secret(verification_id)))


def test_the_callers_own_secret_confirms_as_it_was_made_with_white_space_around_it_at_most(world: World):
    own = "vK3$w!r9<Q{e}`" + "~" * 50
    verification_id = started(world, Action.CALLER, secret=own)
    for typed in (own.lower(), own.replace("!", ""), own[:-1]):
        wrong(world, verification_id, typed)
    world.check(verification_id, own)
    world.check(started(world, Action.CALLER, secret="p@ss-W0rd"), "\n p@ss-W0rd\u00a0")


@pytest.mark.parametrize(
    ("action", "typed"),
    [
        (Action.CODE, " \n"),
        (Action.CODE, "--.--"),
        (Action.PASSWORD, "-"),
        (Action.CALLER, " \u00a0"),
        (Action.CODE, "\u200e"),
    ],
)
def test_what_has_no_character_left_costs_no_attempt(world: World, action: Action, typed: str):
    verification_id = started(world, action)
    with unchanged(world), pytest.raises(MalformedRequest) as told:
        world.check(verification_id, typed)
    assert told.value.field == "secret"


def test_what_has_no_character_left_tells_nothing_of_another_verification(world: World):
    ended, link = started(world), started(world, Action.LINK)
    other = started(world, reference="order:1")
    world.cancel(ended)
    with unchanged(world):
        with pytest.raises(UnknownVerification):
            world.check(other, "...", reference="order:2")
        with pytest.raises(Canceled):
            world.check(ended, "...")
        with pytest.raises(WrongAction):
            world.check(link, "...")


def test_a_wrong_password_of_any_length_costs_an_attempt(world: World):
    verification_id = started(world, Action.PASSWORD)
    assert [wrong(world, verification_id, typed) for typed in ("a", "abcd-efgh", "x" * 64)] == [4, 3, 2]


def test_a_code_of_another_verification_is_wrong(world: World):
    mine, other = started(world, to=fresh_number()), started(world, to=fresh_number())
    assert world.secret(mine) != world.secret(other), "this world's random bytes are always the same"
    wrong(world, mine, world.secret(other))
    world.check(other, world.secret(other))
