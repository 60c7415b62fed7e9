"""Which verification a reply answers, if any: the newest that waits, the one it names, and none where it says no."""
# ruff: noqa: RUF001 - apostrophes are meant as phones write them

from typing import Any

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.errors import MalformedRequest
from otp_feedback.domain.recipient import DAY_MS
from otp_feedback.domain.verification import Proof
from tests.promises.world import World
from tests.usecases.conftest import Having
from tests.usecases.driver import EXPIRY_MS, INTERVAL_MS, SECOND_MS, fresh_number, started, status, unchanged

OTHER_SENDER = "+14155550177"
INBOUND = ("I#",)
"""Begins the keys of what inbound messages and calls were put to; what answers nothing may be noted, too."""

NOTED = ("I#", "R#")
"""Begins the keys of what may be noted of an inbound message or call that confirms nothing while a reply is awaited."""

QUOTED = "Example: to confirm, reply to this message within 10 min."
DRIVING = (
    "I’m driving with Focus turned on. I’ll see your message when I get where I’m going.\n\n(I’m not receiving "
    "notifications. If this is urgent, reply “urgent” to send a notification through with your original message.)"
)
BODIES = {"message": "yes", "call": None}
"""What an inbound message says; a call says nothing."""

every_kind = pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)


class Asked:
    """A number that was asked to reply, once or several times."""

    def __init__(self, world: World, to: str | None = None) -> None:
        self.world = world
        self.to = to or fresh_number()
        self.ids: list[str] = []

    def again(self, **asked: str) -> str:
        """Ask once more: the verification's id."""
        self.ids.append(started(self.world, Action.REPLY, self.to, **asked))
        return self.ids[-1]

    def statuses(self) -> list[str]:
        """What became of each."""
        return [status(self.world, each).value for each in self.ids]

    def sid(self, number: int = 0) -> str:
        """The SID of a verification's first message."""
        sid = self.world.verification(self.ids[number]).messages[1].sid
        assert sid is not None
        return sid

    def replies(self, body: str | None = "yes", **told: Any) -> bool:
        """A message or call from the number: whether it confirmed something."""
        return self.world.reply(self.to, body, **told)

    def says_nothing(self, body: str | None = "yes", besides: tuple[str, ...] = NOTED, **told: Any) -> None:
        """It confirms nothing, changes nothing, and goes on to the user's own application."""
        with unchanged(self.world, besides=besides):
            assert self.replies(body, **told) is False

    def reports(self) -> list[int]:
        """How often each was reported in the end."""
        self.world.report_due()
        return [self.world.reports(each) for each in self.ids]


@pytest.fixture
def asked(world: World) -> Asked:
    """A number that was asked once."""
    asked = Asked(world)
    asked.again()
    return asked


def both(world: World, apart_ms: int = INTERVAL_MS) -> Asked:
    """A number that was asked twice."""
    asked = Asked(world)
    asked.again()
    world.advance(apart_ms)
    asked.again()
    return asked


@every_kind
def test_from_the_recipient_to_the_sender_it_confirms_and_is_reported(asked: Asked, body: str | None):
    assert asked.replies(body) is True
    confirmation = asked.world.verification(asked.ids[0]).confirmation
    assert confirmation is not None
    assert (confirmation.proof, confirmation.message) == (Proof.SENDER, 1)
    assert asked.reports() == [1]


@every_kind
def test_from_the_wrong_number_nothing_is_confirmed(asked: Asked, body: str | None):
    with unchanged(asked.world, besides=INBOUND):
        assert asked.world.reply(fresh_number(), body) is False
    assert asked.statuses() == ["pending"]


@every_kind
def test_to_the_wrong_sender_nothing_is_confirmed(asked: Asked, body: str | None):
    asked.says_nothing(body, receiver=OTHER_SENDER)
    assert asked.statuses() == ["pending"]


@every_kind
def test_after_the_expiry_nothing_is_confirmed_but_the_message_is_reported(asked: Asked, body: str | None):
    asked.world.advance(EXPIRY_MS)
    assert asked.replies(body) is False
    assert asked.world.reports(asked.ids[0]) == 0
    assert (asked.reports(), asked.statuses()) == ([1], ["expired"])


def test_twice_confirms_once(asked: Asked):
    asked.replies()
    confirmation = asked.world.verification(asked.ids[0]).confirmation
    asked.world.advance(5 * SECOND_MS)
    asked.replies("yes again")
    assert asked.world.verification(asked.ids[0]).confirmation == confirmation
    assert asked.reports() == [1]


@pytest.mark.parametrize(
    "body",
    [
        *("STOP", "stop", " Stop. ", "Stop!", "UNSUBSCRIBE", "end", "Quit", "STOPALL", "cancel", "REVOKE", "OPTOUT"),
        *("stop all", "Opt out", "HELP", "Info!", " start ", "UNSTOP."),
        *('"STOP"', "STOP?", "STOP\u200b", "Arrêt", "ARRETE"),
    ],
)
def test_a_word_that_is_for_twilio_never_confirms(asked: Asked, body: str):
    asked.says_nothing(body)
    assert asked.statuses() == ["pending"]


def test_what_twilio_calls_an_opt_out_never_confirms(asked: Asked):
    asked.says_nothing(opted_out=True)
    assert asked.statuses() == ["pending"]


def test_one_inbound_sid_confirms_one_of_two_open_verifications_ever(world: World):
    asked = both(world)
    assert asked.replies(sid="SMthis") is True
    assert asked.statuses() == ["pending", "confirmed"]
    with unchanged(world):
        for _ in range(3):
            asked.replies(sid="SMthis")
    assert asked.statuses() == ["pending", "confirmed"]
    asked.replies()
    assert asked.statuses() == ["confirmed", "confirmed"]


@every_kind
def test_what_answered_nothing_confirms_nothing_when_it_is_repeated(world: World, body: str | None):
    asked = Asked(world)
    asked.replies(body, sid="SMearly")
    asked.again()
    asked.says_nothing(body, besides=(), sid="SMearly")
    assert asked.statuses() == ["pending"]
    assert asked.replies(body) is True


def test_a_reply_goes_to_the_newest_live_verification(world: World):
    asked = both(world, 590 * SECOND_MS)
    world.advance(20 * SECOND_MS)
    asked.replies()
    assert asked.statuses() == ["expired", "confirmed"]


def test_a_delivered_message_goes_before_a_newer_one_that_has_not_arrived(world: World):
    asked = Asked(world)
    world.deliver(asked.again())
    world.advance(INTERVAL_MS)
    asked.again()
    asked.replies()
    assert asked.statuses() == ["confirmed", "pending"]


def test_a_reply_that_names_the_message_goes_to_that_one(world: World):
    asked = both(world)
    asked.replies(original_sid=asked.sid())
    assert asked.statuses() == ["confirmed", "pending"]
    assert asked.reports() == [1, 0]


def test_a_reply_that_names_a_foreign_message_confirms_nothing(asked: Asked):
    asked.says_nothing(original_sid="SM" + "8" * 32)
    assert asked.statuses() == ["pending"]


def test_naming_somebody_elses_message_does_not_confirm_it(asked: Asked):
    theirs = Asked(asked.world)
    theirs.again()
    asked.says_nothing(original_sid=theirs.sid())
    assert asked.statuses() == theirs.statuses() == ["pending"]


def test_naming_a_message_to_another_sender_confirms_nothing(asked: Asked):
    asked.says_nothing(receiver=OTHER_SENDER, original_sid=asked.sid())
    assert asked.statuses() == ["pending"]


def test_of_two_messages_the_one_that_was_answered_gets_the_feedback(asked: Asked):
    world, verification_id = asked.world, asked.ids[0]
    world.advance(INTERVAL_MS)
    world.another(verification_id)
    asked.replies(original_sid=asked.sid())
    world.report_due()
    assert [world.reports(verification_id, number) for number in (1, 2)] == [1, 0]


@pytest.mark.parametrize("sender", ["+", "anonymous", "+266696687", "12345", "Acme", "whatsapp:nobody", ""])
def test_a_sender_that_is_no_number_confirms_nothing(asked: Asked, sender: str):
    with unchanged(asked.world):
        assert asked.world.reply(sender) is False
    assert asked.statuses() == ["pending"]


def test_a_reply_needs_the_keyword_where_there_is_one(having: Having):
    asked = Asked(having(reply_keyword="Sí"))
    asked.again()
    for body in ("no", "", "siempre", "s i", "👍", "no he dicho sí", "dile sí a ella", "no sí", "Le gustó “Sí”"):
        asked.says_nothing(body)
    assert asked.statuses() == ["pending"]
    assert asked.replies("  ¡SI,   por favor!") is True


def test_a_call_needs_no_keyword(having: Having):
    asked = Asked(having(reply_keyword="Sí"))
    asked.again()
    assert asked.replies(None) is True


@every_kind
def test_an_expired_message_is_answered_once_and_all_that_is_late_goes_on(asked: Asked, body: str | None):
    asked.world.advance(EXPIRY_MS)
    assert asked.replies(body) is False
    assert asked.reports() == [1]
    asked.says_nothing(body)
    assert asked.reports() == [1]


@every_kind
@pytest.mark.parametrize("before", ["STOP", "no", "👎", f"Liked “{QUOTED}”", DRIVING, "other sender", "call elsewhere"])
def test_what_comes_late_after_something_else_answers_nothing(world: World, body: str | None, before: str):
    asked = Asked(world)
    asked.again(locale="en")
    world.advance(SECOND_MS)
    if before in ("other sender", "call elsewhere"):
        asked.replies("hello" if before == "other sender" else None, receiver=OTHER_SENDER)
    else:
        asked.replies(before)
    world.advance(EXPIRY_MS)
    asked.says_nothing(body)
    asked.replies(original_sid=asked.sid())
    assert asked.reports() == [1]


def test_what_comes_late_after_a_reply_that_confirmed_another_answers_nothing(world: World):
    asked = both(world, 590 * SECOND_MS)
    asked.replies()
    world.advance(60 * SECOND_MS)
    asked.says_nothing("thanks")
    assert asked.statuses() == ["expired", "confirmed"]


def test_an_inbound_message_before_ours_takes_nothing_from_a_late_reply(asked: Asked):
    world = asked.world
    asked.replies("no")
    world.cancel(asked.ids[0])
    world.advance(INTERVAL_MS)
    asked.again()
    world.advance(EXPIRY_MS)
    asked.replies()
    assert asked.reports() == [0, 1]


def test_a_late_refusal_is_not_reported(asked: Asked):
    asked.world.advance(EXPIRY_MS)
    asked.says_nothing("No.")
    assert asked.reports() == [0]


NOTHING_SAID = [
    "NO, that was not me",
    "Nein",
    "I’m sorry, wrong number",
    f"Liked “{QUOTED}”",
    f'Disliked "{QUOTED}"',
    f"👎 to “{QUOTED}”",
    f"\u200a\u200b👍\u200b to “\u200a{QUOTED}\u200a”\u200a",
    f"A aimé « {QUOTED} »",
    f"「{QUOTED}」にいいねしました",
    f"“{QUOTED}”",
    "Loved an image",
    DRIVING,
    "👎",
    "",
    "Abmelden",
    "Bitte abmelden",
    "Ich möchte mich abmelden",
    "Please unsubscribe me",
]


@pytest.mark.parametrize("body", NOTHING_SAID)
def test_what_says_no_or_nothing_confirms_nothing_and_goes_on(world: World, body: str):
    asked = Asked(world)
    asked.again(locale="de")
    asked.says_nothing(body)
    assert asked.statuses() == ["pending"]
    assert asked.replies("Ja, das war ich") is True


def test_a_reaction_by_whatsapp_confirms_nothing(asked: Asked):
    asked.says_nothing("👍", kind="reaction", original_sid=asked.sid())
    assert asked.replies("👍", kind="text") is True


@pytest.mark.parametrize(("locale", "expected"), [("ko", "confirmed"), ("cs", "pending"), ("de", "pending")])
def test_a_refusal_is_one_of_the_language_that_we_wrote_in(world: World, locale: str, expected: str):
    asked = Asked(world)
    asked.again(locale=locale)
    asked.replies("Ne")
    assert asked.statuses() == [expected]


@pytest.mark.parametrize(("to", "expected"), [("+420601123451", "pending"), ("+821012345671", "confirmed")])
def test_the_country_of_the_number_decides_where_no_language_was_asked_for(world: World, to: str, expected: str):
    asked = Asked(world, to)
    asked.again()
    asked.replies("ne")
    assert asked.statuses() == [expected]


def test_a_landlines_number_is_nobody_elses(world: World):
    asked = Asked(world, "+551132340027")
    asked.again()
    with unchanged(world, besides=INBOUND):
        assert world.reply("+5511932340027") is False
    assert asked.statuses() == ["pending"]


@every_kind
def test_what_comes_long_after_the_expiry_answers_nothing(asked: Asked, body: str | None):
    asked.world.advance((600 + 3600) * SECOND_MS)
    asked.says_nothing(body)
    assert asked.reports() == [0]


def test_what_comes_within_the_hour_after_the_expiry_is_reported(asked: Asked):
    asked.world.advance((600 + 3600) * SECOND_MS - 1)
    asked.replies()
    assert (asked.reports(), asked.statuses()) == ([1], ["expired"])


def test_a_late_reply_that_names_its_message_is_reported_however_late(asked: Asked):
    asked.world.advance(3 * DAY_MS)
    asked.replies(original_sid=asked.sid())
    assert (asked.reports(), asked.statuses()) == ([1], ["expired"])


def test_where_late_actions_are_not_reported_a_late_reply_answers_nothing(having: Having):
    asked = Asked(having(report_late_actions=False))
    asked.again()
    asked.world.advance(EXPIRY_MS)
    asked.says_nothing(besides=INBOUND)
    assert asked.reports() == [0]


def test_nobody_is_asked_to_reply_to_an_alphanumeric_sender(having: Having):
    world = having(allowed_senders=frozenset({"Acme"}))
    with unchanged(world), pytest.raises(MalformedRequest) as told:
        world.start(fresh_number(), Action.REPLY, sender="Acme")
    assert told.value.field == "sender"
