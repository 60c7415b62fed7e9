"""Every way in which a request can fail, named as the API names it.

::

    OtpFeedbackError
    ├── ConfigurationError           the deployment is wrong; names the variable
    └── Problem                      the request is refused; `name` ends `urn:otp-feedback:<name>`
        ├── MalformedRequest         names the field and what it takes, never its value
        ├── InvalidSignature
        ├── UnknownVerification, NotFound
        ├── AlreadyConfirmed, Canceled, WrongAction, IdempotencyConflict
        ├── Expired
        ├── PayloadTooLarge
        ├── InvalidRecipient, RecipientOptedOut, CountryNotAllowed
        ├── WrongSecret              carries the attempts left
        ├── Locked
        ├── TooManyMessages          carries when to try again, where waiting helps
        ├── MessageRejected          carries Twilio's code
        └── Unavailable              carries when to try again
"""

from typing import ClassVar


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
    """A request is refused; nothing was confirmed."""

    name: ClassVar[str]
    detail: ClassVar[str]

    def __init__(self, more: str = "") -> None:
        super().__init__(f"{self.detail} {more}".strip())


class MalformedRequest(Problem):
    """A field of the request cannot be used.

    Parameters
    ----------
    field
        The field's name, dotted where it is nested; `body` for the whole.
    reason
        What is expected of it; never the value that came.
    unknown
        The name of a field that is not known. Only the answer may say it, no log: whoever swapped a name and its value
        would read the value there.
    """

    name = "malformed-request"
    detail = "The request cannot be used."

    def __init__(self, field: str, reason: str, unknown: str | None = None) -> None:
        super().__init__(f"{field} {reason}.")
        self.field = field
        self.reason = reason
        self.unknown = unknown


class InvalidSignature(Problem):
    """A webhook that our Twilio account did not sign."""

    name = "invalid-signature"
    detail = "The X-Twilio-Signature does not fit this request, or the account is another."


class UnknownVerification(Problem):
    """There is no such verification, or it is not whose the caller expects."""

    name = "unknown-verification"
    detail = "There is no such verification."


class NotFound(Problem):
    """There is no such route."""

    name = "not-found"
    detail = "There is nothing here."


class AlreadyConfirmed(Problem):
    """The verification was confirmed before."""

    name = "already-confirmed"
    detail = "The verification was confirmed before."


class Canceled(Problem):
    """The verification was canceled."""

    name = "canceled"
    detail = "The verification was canceled."


class WrongAction(Problem):
    """This route does not confirm the verification's action."""

    name = "wrong-action"
    detail = "This route does not confirm the verification's action."


class IdempotencyConflict(Problem):
    """The Idempotency-Key was used for something else, its verification has ended, or its message got stuck."""

    name = "idempotency-conflict"
    detail = (
        "The Idempotency-Key was used with another body, its verification is no longer pending, "
        "or it is not known whether its message went out. Another key sends a new one."
    )


class Expired(Problem):
    """No message of the verification is live any more."""

    name = "expired"
    detail = "The verification has expired."


class PayloadTooLarge(Problem):
    """The body is larger than the route takes: 8 kB, of webhooks 32 kB."""

    name = "payload-too-large"
    detail = "The body is larger than this route takes."


class InvalidRecipient(Problem):
    """The number cannot receive the message."""

    name = "invalid-recipient"
    detail = "The number cannot receive this message."


class RecipientOptedOut(Problem):
    """The recipient has opted out of messages from this sender."""

    name = "recipient-opted-out"
    detail = "The recipient has opted out of messages from this sender."


class CountryNotAllowed(Problem):
    """The stack sends nothing to the number's country."""

    name = "country-not-allowed"
    detail = "Nothing is sent to this number's country."


class WrongSecret(Problem):
    """The guess was wrong.

    Parameters
    ----------
    attempts_left
        Guesses that the verification still takes.
    """

    name = "wrong-secret"
    detail = "The secret is wrong."

    def __init__(self, attempts_left: int) -> None:
        super().__init__(f"Attempts left: {attempts_left}.")
        self.attempts_left = attempts_left


class Locked(Problem):
    """The verification takes no guess any more."""

    name = "locked"
    detail = "No attempt is left."


class TooManyMessages(Problem):
    """A limit on messages is reached.

    Parameters
    ----------
    retry_after_s
        Whole seconds after which the same request can succeed; None where waiting does not help.
    """

    name = "too-many-messages"
    detail = "Too many messages were sent."

    def __init__(self, retry_after_s: int | None = None) -> None:
        super().__init__("" if retry_after_s is None else f"Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class MessageRejected(Problem):
    """Twilio refused the message.

    Parameters
    ----------
    code
        Twilio's integer error code; None where its answer held none.
    """

    name = "message-rejected"
    detail = "Twilio refused the message."

    def __init__(self, code: int | None) -> None:
        super().__init__("" if code is None else f"Its code is {code}.")
        self.code = code


class Unavailable(Problem):
    """Something that the request needs does not answer; it may succeed later.

    Parameters
    ----------
    retry_after_s
        Whole seconds to wait.
    """

    name = "unavailable"
    detail = "The service is not available at the moment."

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__(f"Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s
