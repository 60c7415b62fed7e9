"""Phone numbers: what is one, whose it is, and how it is hidden."""

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.domain.errors import MalformedRequest
from otp_feedback.domain.phone import (
    PhoneNumber,
    is_fictional,
    is_respelt,
    mask,
    number_at,
    parse_number,
    recorded_number,
    spellings,
    subscriber,
)

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
        "+49015112345678",
        "+114155550142",
        "+78" + "9161234567",
        "+8201012345678",
        "+82081012345678",
        "+550411187654321",
        "+54111512345678",
        "+5215512345678",
        "+12345678",
        "+8656696",
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


KOREAN = ("+821012345678", "+8201012345678", *(f"+82{carrier}1012345678" for carrier in ("081", "082", "085", "088")))


@pytest.mark.parametrize("text", KOREAN[1:])
def test_a_number_has_one_spelling(text: str):
    assert parse_number(KOREAN[0]).e164 == KOREAN[0]
    with pytest.raises(MalformedRequest) as raised:
        parse_number(text, "expect.to")
    assert raised.value.field == "expect.to"


@st.composite
def spelled(draw: st.DrawFn) -> str:
    """A number of any country behind its country code, often with what is dialled before it at home."""
    region = draw(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
    kinds = [phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE]
    example = phonenumbers.example_number_for_type(region, draw(st.sampled_from(kinds)))
    example = example or phonenumbers.example_number(region)
    assert example is not None
    national = phonenumbers.national_significant_number(example)
    digits = draw(st.integers(0, 4))
    if digits:
        national = national[:-digits] + draw(st.from_regex(rf"[0-9]{{{digits}}}", fullmatch=True))
    prefixes = ["", phonenumbers.ndd_prefix_for_region(region, True) or "", "0", "08", "011", "15", "041", "1", "9"]
    return f"+{example.country_code}{draw(st.sampled_from(prefixes))}{draw(st.sampled_from(['', '0', '5']))}{national}"


def formatted(text: str) -> str:
    """E.164 as `phonenumbers` writes it."""
    return phonenumbers.format_number(phonenumbers.parse(text, None), phonenumbers.PhoneNumberFormat.E164)


@given(spelled())
def test_two_accepted_texts_that_format_alike_are_equal(text: str):
    try:
        number = parse_number(text)
    except MalformedRequest:
        return
    assert number.e164 == text == formatted(text)
    assert not is_respelt(text)


@pytest.mark.parametrize(
    ("kept", "other"),
    [
        ("+525512345678", "+5215512345678"),
        ("+521234567890", "+5211234567890"),
        ("+5491112345678", "+541112345678"),
        ("+5493434123456", "+543434123456"),
        ("+5511987654321", "+551187654321"),
        ("+5547999123456", "+554799123456"),
        ("+5511966543210", "+551166543210"),
    ],
)
def test_a_subscriber_with_two_forms_is_one(kept: str, other: str):
    for form in (kept, other):
        assert subscriber(form) == kept
        assert spellings(form) == (kept, other)
        for channel in ("", "whatsapp:", "rcs:", "RCS:"):
            found = number_at(channel + form)
            assert found is not None
            assert found.e164 == kept


@pytest.mark.parametrize(
    "number",
    [
        "+551132345678",  # landlines of Brazil, whose 8 digits begin with 2 to 5
        "+551123456789",
        "+5511912345678",  # a mobile that never had 8 digits
        "+52551234567",
        "+541112345",
        "+15255512345",
        "+4915112345678",
    ],
)
def test_a_number_that_has_one_form_is_its_own(number: str):
    assert spellings(number) == (number,)


@given(st.from_regex(E164, fullmatch=True))
def test_the_form_that_a_subscriber_is_kept_under_stays(number: str):
    assert subscriber(subscriber(number)) == subscriber(number)
    assert all(subscriber(form) == subscriber(number) for form in spellings(number))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "40404",
        "Acme",
        "anonymous",
        "+8656696",
        "client:+4915112345678",
        "sip:+4915112345678",
        "rcs:brand_agent",
        "rcs:whatsapp:+4915112345678",
        "whatsapp:4915112345678",
        "+4915112345678\n",
        "sip:+4915112345678@example.com",
    ],
)
def test_an_address_without_a_number_of_its_sender_has_none(address: str):
    assert number_at(address) is None


def test_a_number_that_was_accepted_once_is_read_as_it_stands():
    assert recorded_number("+49015112345678") == PhoneNumber("+49015112345678", "DE")


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


FICTIONAL = r"\+1([2-9][0-9]{2}55501[0-9]{2}|500555[0-9]{4})|\+447700900[0-9]{3}|\+3363998[0-9]{4}|\+4917139200[0-9]{2}"


@given(st.from_regex(re.compile(FICTIONAL, re.ASCII), fullmatch=True))
def test_every_number_kept_for_fiction_is_taken_so_that_test_recipients_have_one_spelling(text: str):
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


def test_a_number_with_a_national_prefix_after_its_country_code_is_respelt():
    assert is_respelt("+4401632960961")
    assert not is_respelt("+441632960961")
    assert not is_respelt("+999")
