"""Problems that only HTTP has; those of the rules are in `otp_feedback.domain.errors`."""

from otp_feedback.domain.errors import Problem


class InvalidSignature(Problem):
    detail = "The X-Twilio-Signature does not fit this request, or the account is another."


class Forbidden(Problem):
    detail = "No authoriser says who asks."


class NotFound(Problem):
    detail = "There is nothing here."


class PayloadTooLarge(Problem):
    """Callers' routes take 8 kB, webhooks 32 kB."""

    detail = "The body is larger than this route takes."
