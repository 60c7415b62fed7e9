"""What can be told of a sender by its form."""

import re

WHATSAPP = "whatsapp:"
"""Begins the address of a WhatsApp sender or recipient."""

_MESSAGING_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}", re.ASCII)


def is_messaging_service(sender: str) -> bool:
    """Whether it is the SID of a Messaging Service, which chooses the number that a message comes from."""
    return _MESSAGING_SERVICE.fullmatch(sender) is not None


def is_whatsapp(sender: str) -> bool:
    """Whether it is a WhatsApp address."""
    return sender.startswith(WHATSAPP)


def takes_replies(sender: str) -> bool:
    """Whether a message from it can be answered; one from an alphanumeric sender cannot."""
    return sender.startswith("+") or is_whatsapp(sender) or is_messaging_service(sender)
