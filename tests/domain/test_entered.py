# ruff: noqa: RUF001 - people do type such characters
"""What somebody enters is compared in one form, which has the odds of what was sent."""

import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.domain.actions import Action, canonical, canonical_forms
from otp_feedback.domain.secret import READABLE, Secret, generate_code, generate_password

CODE, PASSWORD, CALLER = Action.CODE, Action.PASSWORD, Action.CALLER
UNSEEN = " \t\n\r\u00a0\u2007\u202f\u3000\u200b\u200e\u200f\u2066\u2069\u00ad\ufeff-\u2010\u2011\u2013\u2014"
PUNCTUATION = ".,:;!?'\"“”„«»()[]#*_/·…、。"
ZEROS = "0\u0660\u06f0\u0966\u09e6\u0e50\u1040\u17e0\uff10\U0001d7ce"
decorations = st.text(UNSEEN + PUNCTUATION, max_size=3)
sources = st.integers(0, 2**64).map(lambda seed: random.Random(seed).randbytes)


def form(action: Action, entered: str) -> str | None:
    found = canonical(action, Secret(entered))
    return found.reveal() if found is not None else None


@pytest.mark.parametrize(
    "entered",
    [
        *("123456", "123 456", "123-456", "123\u00a0456", "123456\n", "\t123456 ", "\u200e123456\u200f", "123456."),
        *("1 2 3 4 5 6", "123–456", "123\u2011456", "123\u00ad456", "\ufeff123456", "#123456", "“123456”", "(123)_456"),
        *("123−456", "123ー456", "123ｰ456", "`123456`", "1+23456", "1\ufe0f\u20e323456", "123\u034f456"),
        *("١٢٣٤٥٦", "۱۲۳۴۵۶", "१२३४५६", "１２３４５６", "๑๒๓๔๕๖", "١٢٣456", "𝟏𝟐𝟑𝟒𝟓𝟔"),
    ],
)
def test_a_code_is_its_digits(entered: str):
    assert form(CODE, entered) == "123456"


# https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt
DASH = (
    *(0x2D, 0x58A, 0x5BE, 0x1400, 0x1806, range(0x2010, 0x2016), 0x2053, 0x207B, 0x208B, 0x2212, 0x2E17, 0x2E1A),
    *(range(0x2E3A, 0x2E3C), 0x2E40, 0x2E5D, 0x301C, 0x3030, 0x30A0, range(0xFE31, 0xFE33), 0xFE58, 0xFE63, 0xFF0D),
    *(0x10D6E, 0x10EAD),
)
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
DEFAULT_IGNORABLE_CODE_POINT = (
    *(0xAD, 0x34F, 0x61C, range(0x115F, 0x1161), range(0x17B4, 0x17B6), range(0x180B, 0x1810)),
    *(range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2070), 0x3164, range(0xFE00, 0xFE10), 0xFEFF),
    *(0xFFA0, range(0xFFF0, 0xFFF9), range(0x1BCA0, 0x1BCA4), range(0x1D173, 0x1D17B), range(0xE0000, 0xE1000)),
)
LOOK_ALIKE = (0x2D7, 0x30FC, 0xFF70, 0x2800, 0x60, 0x20E3)
"""The dash of a Japanese keyboard, a blank, and other marks that neither list has."""


@pytest.mark.parametrize("codes", [DASH, DEFAULT_IGNORABLE_CODE_POINT, LOOK_ALIKE], ids=["dash", "unseen", "alike"])
def test_no_dash_and_nothing_that_cannot_be_seen_counts(codes: tuple[int | range, ...]):
    for code in chain.from_iterable(each if isinstance(each, range) else (each,) for each in codes):
        mark = chr(code)
        assert form(CODE, f"{mark}123{mark}456{mark}") == "123456", f"U+{code:04X}"
        assert form(PASSWORD, f"abcd{mark}EFGH{mark}jkmnp{mark}") == "abcd-efgh-jkmnp", f"U+{code:04X}"


@pytest.mark.parametrize("entered", ["12345", "0123456", "123456x", "x", "12345²", "①23456", "ⅻ", "123456é"])
def test_what_else_stands_in_a_code_makes_it_wrong(entered: str):
    assert form(CODE, entered) not in (None, "123456")


@pytest.mark.parametrize(
    "entered",
    [
        *("abcd-efgh-jkmnp", "ABCD-EFGH-JKMNP", "abcdefghjkmnp", "Abcd Efgh Jkmnp", " abcd-efgh-jkmnp.\n"),
        *(
            "abcd–efgh–jkmnp",
            "ab-cd-ef-gh-jk-mn-p",
            "ａｂｃｄ－ｅｆｇｈ－ｊｋｍｎｐ",
            "ＡＢＣＤefghjkmnp",
            "\u200eabcdefghjkmnp",
        ),
    ],
)
def test_a_temporary_password_knows_no_case_no_hyphens_and_no_width(entered: str):
    assert form(PASSWORD, entered) == "abcd-efgh-jkmnp"


@pytest.mark.parametrize("entered", ["abcd-efgh-jkmn", "abcd-efgh-jkmnpq", "abcd", "a", "äbcd-efgh-jkmnp"])
def test_a_temporary_password_of_another_length_or_alphabet_is_wrong_in_a_form_of_its_own(entered: str):
    assert form(PASSWORD, entered) not in (None, "abcd-efgh-jkmnp")
    assert form(PASSWORD, entered) != form(PASSWORD, f"{entered}a")


@given(st.text(READABLE, min_size=1, max_size=40), st.text(READABLE, min_size=1, max_size=40))
def test_temporary_passwords_of_different_letters_never_share_a_form(one: str, other: str):
    assert (form(PASSWORD, one) == form(PASSWORD, other)) is (one == other)


@pytest.mark.parametrize("around", ["", " ", "\n", "\u00a0\t"])
def test_of_the_callers_own_secret_only_white_space_around_it_goes(around: str):
    assert form(CALLER, f"{around}vK3 $w!-r9.{around}") == "vK3 $w!-r9."


@pytest.mark.parametrize(
    ("entered", "left"),
    [
        ("", set()),
        (" \n\u00a0", set()),
        ("-", {CALLER}),
        ("…\u200e", {CALLER}),
        ("$", {CALLER}),
        ("é", {CODE, PASSWORD, CALLER}),
    ],
)
def test_an_action_for_which_nothing_is_left_has_no_form(entered: str, left: set[Action]):
    assert canonical_forms(Secret(entered), (CODE, PASSWORD, CALLER)).keys() == left


@given(sources, st.integers(6, 10))
def test_what_is_sent_is_its_own_form_so_no_odds_are_lost(random_bytes, digits: int):
    code, password = generate_code(digits, random_bytes).reveal(), generate_password(random_bytes).reveal()
    assert form(CODE, code) == code
    assert form(PASSWORD, password) == password
    assert form(Action.LINK, code) == code


@given(st.text("0123456789", min_size=6, max_size=10), st.data())
def test_a_code_in_any_digits_between_anything_that_counts_for_nothing_is_the_code(code: str, data: st.DataObject):
    entered = data.draw(decorations)
    for digit in code:
        entered += chr(ord(data.draw(st.sampled_from(ZEROS))) + int(digit)) + data.draw(decorations)
    assert form(CODE, entered) == code


@given(st.text(max_size=64), st.sampled_from([CODE, PASSWORD, CALLER]))
def test_any_text_has_one_form_or_none_and_is_never_printed(entered: str, action: Action):
    found = canonical(action, Secret(entered))
    assert found is None or found.reveal()
    assert repr(found) in ("None", "Secret(…)")
