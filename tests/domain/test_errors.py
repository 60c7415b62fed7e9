"""What an error says and carries: enough to mend it, and nothing that came with the request."""

import re
from typing import Any

import pytest

from otp_feedback.domain.errors import (
    ConfigurationError,
    Locked,
    MalformedRequest,
    MessageRejected,
    Problem,
    TooManyMessages,
    Unavailable,
    WrongSecret,
)
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.links import link_id
from otp_feedback.domain.phone import parse_number
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.texts import UnsupportedLocale

ROOT = "r" * 32


def test_a_wrong_setting_is_named_with_what_is_wrong():
    error = ConfigurationError("OTP_SENDER", "must be given")
    assert str(error) == "OTP_SENDER: must be given"
    assert (error.variable, error.reason) == ("OTP_SENDER", "must be given")


@pytest.mark.parametrize(
    ("kind", "arguments", "facts", "end"),
    [
        (
            MalformedRequest,
            ("body", "takes no fields", "acton"),
            {"field": "body", "reason": "takes no fields", "unknown": "acton"},
            "body takes no fields.",
        ),
        (WrongSecret, (3,), {"attempts_left": 3}, "Attempts left: 3."),
        (TooManyMessages, (30,), {"retry_after_s": 30}, "Try again in 30 s."),
        (TooManyMessages, (), {"retry_after_s": None}, ""),
        (MessageRejected, (30006,), {"code": 30006}, "Its code is 30006."),
        (MessageRejected, (None,), {"code": None}, ""),
        (Unavailable, (), {"retry_after_s": 1}, "Try again in 1 s."),
        (Unavailable, (60,), {"retry_after_s": 60}, "Try again in 60 s."),
        (Locked, (), {}, ""),
    ],
)
def test_a_problem_says_what_to_do_and_carries_what_the_answer_needs(
    kind: type[Problem], arguments: tuple[Any, ...], facts: dict[str, object], end: str
):
    problem = kind(*arguments)
    assert str(problem) == f"{problem.detail} {end}".strip()
    assert vars(problem) == facts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("r" * 31,), "root: must have at least 32 characters"),
        ((ROOT, {"a key": "A" * 43}), "mac_keys: each id must be 1 to 16 of A-Z a-z 0-9 _ -"),
        ((ROOT, {"1": "A" * 42}), "mac_keys: each must be base64url of 32 bytes"),
        ((ROOT, None, "1"), "mac_key_id: names none of mac_keys"),
    ],
)
def test_a_stacks_secret_that_cannot_be_used_says_why(arguments: tuple[Any, ...], message: str):
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        Keys.derive(*arguments)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("123", "must be a phone number in E.164: + and 7 to 15 digits"),
        ("+2101234567", "must be a phone number of a known country"),
        ("+1415555010", "must be a possible phone number"),
    ],
)
def test_a_number_that_cannot_be_used_says_why_and_which_field_it_was(text: str, reason: str):
    with pytest.raises(MalformedRequest) as caught:
        parse_number(text)
    assert (caught.value.field, caught.value.reason) == ("to", reason)
    with pytest.raises(MalformedRequest) as caught:
        parse_number(text, "expect.to")
    assert (caught.value.field, caught.value.reason) == ("expect.to", reason)


def test_a_verification_id_that_cannot_stand_in_a_link_is_refused():
    with pytest.raises(ValueError, match=r"^verification_id is not base64url of 16 bytes$"):
        link_id("!", 1, Secret("00" * 16))


def test_an_unsupported_locale_is_told_from_a_malformed_one():
    assert str(UnsupportedLocale("tlh")) == "no text in the language tlh"
    assert str(UnsupportedLocale("")) == "the locale is not a BCP 47 language tag"
