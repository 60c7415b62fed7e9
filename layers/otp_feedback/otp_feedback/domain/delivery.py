"""How far a message got, as a number that only grows."""

from enum import IntEnum


class Delivery(IntEnum):
    """A message's delivery state; its tens are its rank.

    Twilio's statuses arrive late, twice and out of order
    (https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks),
    so a state is replaced only by one of a higher rank.
    """

    CREATING = 0
    UNKNOWN = 1
    REJECTED = 5
    ACCEPTED = 10
    QUEUED = 20
    SENT = 40
    DELIVERED = 50
    UNDELIVERED = 51
    FAILED = 52
    CANCELED = 53
    READ = 60

    @property
    def status(self) -> str:
        """The word the API uses."""
        return self.name.lower()

    @property
    def rank_floor(self) -> int:
        """States below this one may be replaced by it."""
        return int(self) if self < Delivery.ACCEPTED else self - self % 10

    @property
    def arrived(self) -> bool:
        """Whether the handset is known to have it."""
        return self in {Delivery.DELIVERED, Delivery.READ}

    @property
    def failed(self) -> bool:
        """Whether it will never arrive."""
        return self in {Delivery.REJECTED, Delivery.UNDELIVERED, Delivery.FAILED, Delivery.CANCELED}


_TWILIO = {
    "accepted": Delivery.ACCEPTED,
    "scheduled": Delivery.ACCEPTED,
    "queued": Delivery.QUEUED,
    "sending": Delivery.QUEUED,
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "partially_delivered": Delivery.DELIVERED,
    "undelivered": Delivery.UNDELIVERED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.CANCELED,
    "read": Delivery.READ,
}


def delivery_from_twilio(status: str) -> Delivery | None:
    """Twilio's `MessageStatus` as a delivery state; None for a word that is not known here."""
    return _TWILIO.get(status)
