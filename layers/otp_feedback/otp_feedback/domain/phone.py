"""Phone numbers: strict parsing, country, prefix, masking."""

import re
from dataclasses import dataclass
from typing import override

import phonenumbers

from otp_feedback.domain.errors import MalformedRequest
from otp_feedback.domain.identifiers import E164

_E164 = re.compile(E164, re.ASCII)

_FICTIONAL = re.compile(
    r"\+1[2-9][0-9]{2}55501[0-9]{2}\Z"  # NANPA: 555-0100 to 555-0199
    r"|\+1500555[0-9]{4}\Z"  # Twilio's magic numbers
    r"|\+447700900[0-9]{3}\Z"  # Ofcom: mobile numbers for drama
    r"|\+3363998[0-9]{4}\Z"  # Arcep: 06 39 98 xx xx
    r"|\+4917139200[0-9]{2}\Z",  # Bundesnetzagentur: drama numbers, 0171 3920000 to 3920099
    re.ASCII,
)


_ADDRESS = re.compile(rf"(?:(?P<channel>[A-Za-z]+):)?(?P<number>{E164})", re.ASCII)

_VOICE_ONLY = frozenset({"client", "sip"})
"""What stands before a name that an application gave. Such a name may look like anybody's number."""

_FORMS = (
    # Mexico dropped the 1 before mobile numbers in 2019; WhatsApp keeps it (chatwoot #14048).
    (re.compile(r"\+521?([0-9]{10})", re.ASCII), r"+52\1", r"+521\1"),
    # Argentina's 9 marks a mobile called from abroad; area codes begin with 1 to 3 (chatwoot #11053).
    (re.compile(r"\+549?([1-3][0-9]{9})", re.ASCII), r"+549\1", r"+54\1"),
    # Brazil put a 9 before mobile numbers, which began with 6 to 9; landlines begin with 2 to 5 (chatwoot #5840).
    (re.compile(r"\+55([1-9]{2})9?([6-9][0-9]{7})", re.ASCII), r"+55\g<1>9\2", r"+55\1\2"),
)
"""Numbers with two forms in use: a pattern for both, the form that they are kept under, the other form."""


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number in E.164 (ITU-T E.164), as `to` carries it.

    Parameters
    ----------
    e164
        `+` and 7 to 15 ASCII digits.
    country
        ISO 3166-1 alpha-2; `ZZ` if the number belongs to no country.
    """

    e164: str
    country: str

    @property
    def masked(self) -> str:
        """The number for logs: its first two and last two digits."""
        return mask(self.e164)

    @override
    def __repr__(self) -> str:
        return f"PhoneNumber({self.masked})"

    @override
    def __str__(self) -> str:
        return self.masked


def parse_number(text: str, field: str = "to") -> PhoneNumber:
    """Read an E.164 number in the one form that E.164 has for it.

    The ASCII pattern comes first, since `phonenumbers` accepts control characters, full-width digits, `tel:` and
    extensions. It also drops a national prefix or carrier code after the country code, so its spelling is compared with
    the one that came. Possible numbers are accepted, because `is_valid_number` refuses some real and all fictional
    ranges; numbers that are possible only within their area are refused.

    Raises
    ------
    MalformedRequest
        The text is no such number; names `field`.
    """
    if not _E164.fullmatch(text):
        raise MalformedRequest(field, "must be a phone number in E.164: + and 7 to 15 digits")
    number = _parsed(text)
    if number is None:
        raise MalformedRequest(field, "must be a phone number of a known country")
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise MalformedRequest(field, "must be a possible phone number")
    if _spelt(number) != text:
        raise MalformedRequest(field, "must hold no national prefix and no carrier code after the country code")
    return PhoneNumber(text, country_of(number))


def is_respelt(e164: str) -> bool:
    """Whether E.164 spells a possible number otherwise, for example without a national prefix."""
    number = _parsed(e164)
    return number is not None and phonenumbers.is_possible_number(number) and _spelt(number) != e164


def _parsed(text: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None


def _spelt(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def recorded_number(e164: str) -> PhoneNumber:
    """A number from a record: it was accepted by the rules of that time."""
    return PhoneNumber(e164, country_of(phonenumbers.parse(e164, None)))


def number_at(address: str) -> PhoneNumber | None:
    """The number in an address that Twilio gives, such as `+4915112345678` or `rcs:+4915112345678`; None without one.

    The result is in the form that its subscriber is kept under: channels write some countries' numbers in another.
    """
    _, number = channel_and_number(address)
    try:
        return parse_number(subscriber(number), "From")
    except MalformedRequest:
        return None


def channel_and_number(address: str) -> tuple[str, str]:
    """The channel before a number (lower case, "" for none) and the number; ("", "") if there is no number."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return "", ""
    channel = (match["channel"] or "").lower()
    return ("", "") if channel in _VOICE_ONLY else (channel, match["number"])


def subscriber(e164: str) -> str:
    """The one form of a number under which its subscriber's budgets are kept; for most numbers the number itself."""
    return spellings(e164)[0]


def spellings(e164: str) -> tuple[str, ...]:
    """All forms of a subscriber's number in records and webhooks; the one that it is kept under comes first."""
    for pattern, *forms in _FORMS:
        match = pattern.fullmatch(e164)
        if match is not None:
            return tuple(map(match.expand, forms))
    return (e164,)


def country_of(number: phonenumbers.PhoneNumber) -> str:
    """The number's ISO 3166-1 alpha-2 country; a shared code counts as its main country."""
    region = phonenumbers.region_code_for_number(number)
    if region is None:
        region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    return "ZZ" if region in {"ZZ", "001"} else region


def mask(e164: str) -> str:
    """Hide all but the first two and last two digits, whatever the length."""
    if len(e164) < 8:
        return "…"
    return f"{e164[:3]}{'•' * (len(e164) - 5)}{e164[-2:]}"


def is_fictional(text: str) -> bool:
    """Whether an E.164 number lies in a range that its regulator keeps for fiction, or that Twilio keeps for tests."""
    return _FICTIONAL.match(text) is not None
