"""Phone numbers: strict parsing, country, prefix, masking."""

import re
from dataclasses import dataclass
from typing import override

import phonenumbers

from otp_feedback.domain.errors import MalformedRequest

_E164 = re.compile(r"\+[1-9][0-9]{6,14}\Z", re.ASCII)

_FICTIONAL = re.compile(
    r"\+1[2-9][0-9]{2}55501[0-9]{2}\Z"  # NANPA: 555-0100 to 555-0199
    r"|\+1500555[0-9]{4}\Z"  # Twilio's magic numbers
    r"|\+447700900[0-9]{3}\Z"  # Ofcom: mobile numbers for drama
    r"|\+3363998[0-9]{4}\Z"  # Arcep: 06 39 98 xx xx
    r"|\+4917139200[0-9]{2}\Z",  # Bundesnetzagentur: drama numbers, 0171 3920000 to 3920099
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number in E.164 (ITU-T E.164), as `to` carries it.

    Parameters
    ----------
    e164
        `+` and 7 to 15 ASCII digits.
    country
        ISO 3166-1 alpha-2; `ZZ` where the number belongs to no country.
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
    """Read an E.164 number.

    `phonenumbers` alone accepts control characters, full-width digits, `tel:` and extensions,
    so the ASCII pattern comes first. Possible numbers are accepted, because `is_valid_number`
    refuses some real and all fictional ranges.

    Raises
    ------
    MalformedRequest
        The text is no such number; names `field`.
    """
    if not _E164.match(text):
        raise MalformedRequest(field, "must be a phone number in E.164: + and 7 to 15 digits")
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise MalformedRequest(field, "must be a phone number of a known country") from None
    if not phonenumbers.is_possible_number(number):
        raise MalformedRequest(field, "must be a possible phone number")
    return PhoneNumber(text, country_of(number))


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
