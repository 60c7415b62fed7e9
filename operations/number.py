"""The number that a command is given, and all that it may stand under in the table."""

import re
from dataclasses import dataclass

import phonenumbers

from operations.errors import OperationError
from otp_feedback.domain.identifiers import E164
from otp_feedback.domain.phone import PhoneNumber, recorded_number, spellings

_E164 = re.compile(E164, re.ASCII)


@dataclass(frozen=True, slots=True)
class NamedNumber:
    """A number as an operator names it.

    Parameters
    ----------
    kept
        The form under which its subscriber's budgets are kept.
    spellings
        Every text under which something may have been stored of it, by whatever rules held then.
    """

    kept: PhoneNumber
    spellings: tuple[str, ...]


def read_number(text: str) -> NamedNumber:
    """Read a number in any spelling, for a record may be older than the rules for what is sent to.

    Raises
    ------
    OperationError
        The text has not the form of E.164, or no country.
    """
    if not _E164.fullmatch(text):
        raise OperationError("NUMBER must be a phone number in E.164: + and 7 to 15 digits.")
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise OperationError("NUMBER must be a phone number of a known country.") from None
    forms = spellings(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    return NamedNumber(recorded_number(forms[0]), tuple(dict.fromkeys((*forms, *spellings(text), text))))
