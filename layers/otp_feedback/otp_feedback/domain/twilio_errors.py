"""What Twilio's error codes mean for the caller who asked for the message."""

from otp_feedback.domain.errors import (
    CountryNotAllowed,
    InvalidRecipient,
    MessageRejected,
    Problem,
    RecipientOptedOut,
)

_PROBLEMS: dict[int, type[InvalidRecipient | RecipientOptedOut | CountryNotAllowed]] = {
    21211: InvalidRecipient,
    21217: InvalidRecipient,
    21265: InvalidRecipient,
    21614: InvalidRecipient,
    21635: InvalidRecipient,
    21408: CountryNotAllowed,
    21610: RecipientOptedOut,
}


def problem_for(code: int | None) -> Problem:
    """The problem that answers a refusal with this code.

    Twilio adds codes without notice (https://www.twilio.com/docs/api/errors): an unknown code becomes
    `message-rejected` with the code.
    """
    known = _PROBLEMS.get(code) if code is not None else None
    return known() if known else MessageRejected(code)
