"""What the form of a sender tells."""

import re

from otp_feedback.domain.identifiers import MESSAGING_SERVICE_SID
from otp_feedback.domain.phone import channel_and_number, subscriber

WHATSAPP = "whatsapp:"
"""Begins the address of a WhatsApp sender or recipient."""

_MESSAGING_SERVICE = re.compile(MESSAGING_SERVICE_SID, re.ASCII)


def is_messaging_service(sender: str) -> bool:
    """Whether it is the SID of a Messaging Service, which chooses the number that a message comes from."""
    return _MESSAGING_SERVICE.fullmatch(sender) is not None


def is_whatsapp(sender: str) -> bool:
    """Whether it is a WhatsApp address."""
    return sender.startswith(WHATSAPP)


def is_reached_at(sender: str, address: str) -> bool:
    """Whether what comes to an address, as Twilio's `To` names it, answers what came from a sender.

    A number can be answered by any channel; a sender on a channel of its own, only on that one. If a country has two
    forms of a number, either will do.
    """
    own, number = channel_and_number(sender)
    channel, reached = channel_and_number(address)
    same_number = number != "" and subscriber(number) == subscriber(reached)
    return sender == address or (same_number and own in ("", channel))


def takes_replies(sender: str) -> bool:
    """Whether a message from it can be answered; one from an alphanumeric sender cannot."""
    return sender.startswith("+") or is_whatsapp(sender) or is_messaging_service(sender)
