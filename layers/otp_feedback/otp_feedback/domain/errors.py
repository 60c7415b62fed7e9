"""Every way in which the rules can refuse a request, named as the API names it.

::

    OtpFeedbackError
    ├── ConfigurationError           the deployment is wrong; names the variable
    └── Problem                      the request is refused; `name` ends `urn:otp-feedback:<name>`
        ├── MalformedRequest         names the field and what it takes, never its value
        ├── UnknownVerification
        ├── AlreadyConfirmed, Canceled, WrongAction, IdempotencyConflict
        ├── Expired
        ├── InvalidRecipient, RecipientOptedOut, CountryNotAllowed
        ├── WrongSecret              carries the attempts left
        ├── Locked
        ├── TooManyMessages          carries when to try again, where waiting helps
        ├── MessageRejected          carries Twilio's code
        └── Unavailable              carries when to try again
"""

import re
from typing import ClassVar, override

_WORD = re.compile("(?<!^)(?=[A-Z])")


class OtpFeedbackError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigurationError(OtpFeedbackError):
    """A setting is missing or wrong.

    Parameters
    ----------
    variable
        The environment variable, or the field of the stack's secret.
    reason
        What is wrong with it, without its value.
    """

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable}: {reason}")
        self.variable = variable
        self.reason = reason


class Problem(OtpFeedbackError):
    """A request is refused; nothing was confirmed.

    A subclass has one sentence, `detail`, with which its answers begin; its name follows from the class's name.
    """

    name: ClassVar[str]
    detail: ClassVar[str]

    @override
    def __init_subclass__(cls) -> None:
        cls.name = _WORD.sub("-", cls.__name__).lower()

    def __init__(self, more: str = "") -> None:
        super().__init__(f"{self.detail} {more}".strip())


class MalformedRequest(Problem):
    """Names the field and what it takes.

    Parameters
    ----------
    field
        The field's name, dotted where it is nested; `body` for the whole.
    reason
        What is expected of it; never the value that came.
    unknown
        The name of a field that is not known. Only the answer may show it, never a log: if the caller swapped a name
        and its value, it is the value.
    """

    detail = "The request cannot be used."

    def __init__(self, field: str, reason: str, unknown: str | None = None) -> None:
        super().__init__(f"{field} {reason}.")
        self.field = field
        self.reason = reason
        self.unknown = unknown


class UnknownVerification(Problem):
    """Or it belongs to another recipient or reference than the caller expects."""

    detail = "There is no such verification."


class AlreadyConfirmed(Problem):
    detail = "The verification was confirmed before."


class Canceled(Problem):
    detail = "The verification was canceled."


class WrongAction(Problem):
    detail = "This route does not confirm the verification's action."


class IdempotencyConflict(Problem):
    detail = (
        "The Idempotency-Key was used with another body, its verification is no longer pending, "
        "or it is not known whether its message went out. Another key sends a new one."
    )


class Expired(Problem):
    """No message of it is live any more."""

    detail = "The verification has expired."


class InvalidRecipient(Problem):
    detail = "The number cannot receive this message."


class RecipientOptedOut(Problem):
    detail = "The recipient has opted out of messages from this sender."


class CountryNotAllowed(Problem):
    detail = "Nothing is sent to this number's country."


class WrongSecret(Problem):
    """Carries the attempts left.

    Parameters
    ----------
    attempts_left
        Guesses that the verification still takes.
    """

    detail = "The secret is wrong."

    def __init__(self, attempts_left: int) -> None:
        super().__init__(f"Attempts left: {attempts_left}.")
        self.attempts_left = attempts_left


class Locked(Problem):
    detail = "No attempt is left."


class TooManyMessages(Problem):
    """Carries when to try again.

    Parameters
    ----------
    retry_after_s
        Whole seconds after which the same request can succeed; None if waiting does not help.
    """

    detail = "Too many messages were sent."

    def __init__(self, retry_after_s: int | None = None) -> None:
        super().__init__("" if retry_after_s is None else f"Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class MessageRejected(Problem):
    """Carries Twilio's code.

    Parameters
    ----------
    code
        Twilio's integer error code; None if its answer held none.
    """

    detail = "Twilio refused the message."

    def __init__(self, code: int | None) -> None:
        super().__init__("" if code is None else f"Its code is {code}.")
        self.code = code


class Unavailable(Problem):
    """Something that the request needs does not answer.

    Parameters
    ----------
    retry_after_s
        Whole seconds to wait.
    """

    detail = "The service is not available at the moment."

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__(f"Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s
