"""What a status callback says."""

from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.webhooks import Webhook, query_parameter, required
from otp_feedback.domain.errors import MalformedRequest
from otp_feedback.domain.ids import is_verification_id
from otp_feedback.domain.verification import MESSAGE_NUMBERS
from otp_feedback.usecases.delivery_status import StatusCallback


def status_callback(request: HttpRequest, webhook: Webhook) -> StatusCallback:
    """Read a status callback, from the fields that are unambiguous.

    Raises
    ------
    MalformedRequest
    """
    fields = webhook.certain
    verification_id = query_parameter(request, "verification")
    if not is_verification_id(verification_id):
        raise MalformedRequest("verification", "must be a verification id")
    number = query_parameter(request, "message")
    if number not in map(str, MESSAGE_NUMBERS):
        raise MalformedRequest("message", "must be 1, 2 or 3")
    error_code = fields.get("ErrorCode")
    return StatusCallback(
        verification_id=verification_id,
        number=int(number),
        sid=required(fields, "MessageSid"),
        status=required(fields, "MessageStatus"),
        sender=fields.get("From"),
        error_code=int(error_code) if error_code is not None else None,
    )
