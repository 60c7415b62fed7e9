"""Phone numbers: what is one, whose it is, and how it is hidden."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.domain.errors import MalformedRequest
from otp_feedback.domain.phone import PhoneNumber, is_fictional, mask, parse_number

E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("+4915112345678", "DE"),
        ("+14155550123", "US"),
        ("+16135550123", "CA"),
        ("+18765550123", "JM"),
        ("+442071838750", "GB"),
        ("+447700900123", "GB"),
        ("+33612345678", "FR"),
        ("+77011234567", "KZ"),
        ("+79161234567", "RU"),
        ("+390612345678", "IT"),
        ("+15005550006", "US"),
        ("+88312345678", "ZZ"),
        ("+80012345678", "ZZ"),
    ],
)
def test_a_number_belongs_to_a_country(text: str, country: str):
    assert parse_number(text) == PhoneNumber(text, country)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "+1555",
        "+49",
        "4915112345678",
        "0049151123456",
        "+049151123456",
        "+49151123456789012",
        "+４９１５１１２３４５６７８",  # noqa: RUF001 - what is refused
        "+٤٩١٥١١٢٣٤٥٦٧٨",
        "tel:+4915112345678",
        "+4915112345678;ext=1",
        "+49 151 12345678",
        "+49-151-12345678",
        "+1800CALLNOW",
        "\x00+4915112345678",
        "+4915112345678\x00",
        "+4915112345678\n",
        "\u202a+4915112345678",
        "+999123456789",
        "+2101234567",
        "+1" + "5" * 6000,
    ],
)
def test_what_is_no_number_is_refused_by_its_fields_name_without_its_value(text: str):
    with pytest.raises(MalformedRequest) as raised:
        parse_number(text, "recipient")
    assert raised.value.field == "recipient"
    assert len(text) < 5 or text not in f"{raised.value} {raised.value.reason} {raised.value!r}"


@given(st.text(max_size=40))
def test_any_text_is_a_number_of_ascii_digits_or_refused(text: str):
    try:
        number = parse_number(text)
    except MalformedRequest:
        return
    assert E164.fullmatch(text)
    assert number.e164 == text


@given(st.from_regex(E164, fullmatch=True))
def test_a_number_never_prints_itself(text: str):
    number = PhoneNumber(text, "ZZ")
    for shown in (str(number), repr(number), f"{number}", number.masked):
        assert text not in shown
        assert sum(character.isdigit() for character in shown) <= 4


@given(st.text(max_size=30))
def test_at_most_four_characters_of_anything_masked_are_shown(text: str):
    hidden = mask(text)
    assert sum(character != "•" for character in hidden) <= 5
    assert len(hidden) == len(text) or hidden == "…"


def test_a_mask_shows_the_beginning_and_the_end():
    assert mask("+4915112345678") == "+49•••••••••78"


@pytest.mark.parametrize(
    "text",
    [
        "+12125550100",
        "+12125550199",
        "+15005550006",
        "+447700900000",
        "+447700900999",
        "+33639980123",
        "+491713920000",
        "+491713920099",
    ],
)
def test_numbers_kept_for_fiction_are_known(text: str):
    assert is_fictional(text)
    assert parse_number(text).e164 == text


@pytest.mark.parametrize(
    "text",
    [
        "+12125550200",
        "+12125550099",
        "+121255501000",
        "+15015550100x",
        "+447700901000",
        "+4477009001234",
        "+61491570006",
        "+491713920100",
        "+491713925555",
        "+33639970123",
        "+491713930000",
        "+4917139200001",
        "+12125550100\n",
        "+4915112345678",
        "",
    ],
)
def test_other_numbers_are_not(text: str):
    assert not is_fictional(text)
