"""Store what Twilio says about a message: its delivery only moves forward, its SID is set once."""

from dataclasses import dataclass

from otp_feedback.domain.delivery import Delivery, delivery_from_twilio
from otp_feedback.domain.verification import Verification
from otp_feedback.usecases.ports import Journal, Twilio, Verifications

REDACT_DEADLINE_S = 3.0


@dataclass(frozen=True, slots=True)
class StatusCallback:
    """One status callback.

    Parameters
    ----------
    number
        The message's number in its verification.
    status
        Twilio's `MessageStatus`.
    error_code
        Twilio's integer code of a failed delivery.
    sender
        The number that it came from; with a Messaging Service, its choice.
    """

    verification_id: str
    number: int
    sid: str
    status: str
    error_code: int | None = None
    sender: str | None = None


def redact(twilio: Twilio, callback: StatusCallback, journal: Journal) -> None:
    """Empty a message's text at Twilio, once its delivery has ended.

    Raises
    ------
    Unavailable
        That failed; Twilio repeats the callback, which tries again.
    """
    delivery = delivery_from_twilio(callback.status)
    if delivery is not None and delivery >= Delivery.DELIVERED:
        twilio.redact_message(callback.sid, REDACT_DEADLINE_S)
        journal.note(redacted="yes")


def track_delivery(verifications: Verifications, callback: StatusCallback, journal: Journal) -> None:
    """Store a delivery state; late, repeated, foreign and unknown callbacks change nothing."""
    journal.note(verification=callback.verification_id, number=callback.number, sid=callback.sid)
    journal.note(message_status=callback.status, twilio_code=callback.error_code)
    delivery = delivery_from_twilio(callback.status) or Delivery.ACCEPTED
    written = verifications.advance_message(
        callback.verification_id, callback.number, delivery, callback.sid, callback.error_code, callback.sender
    )
    if isinstance(written, Verification):
        _count(delivery, journal)
        return
    message = written.current.messages.get(callback.number) if written.current else None
    if message is None:
        journal.note(ignored="unknown")
    elif message.sid not in (None, callback.sid):
        journal.note(ignored="other-sid")
    else:
        journal.note(ignored="not-newer")


def _count(delivery: Delivery, journal: Journal) -> None:
    if delivery is Delivery.DELIVERED:
        journal.count("Delivered")
    elif delivery.failed:
        journal.count("Undelivered")
