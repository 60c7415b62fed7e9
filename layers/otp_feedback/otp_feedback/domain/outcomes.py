"""How the last reports to Twilio ended, and when that says that not a message is gone but the feedback itself."""

NOT_FOUND = "4"
OTHER = "-"

LAST = 50
MOST_NOT_FOUND = 25
"""With more 404s than these among the last reports none is taken for final: Twilio has removed such an endpoint before
(Call Feedback, in 2024)."""


def added(outcomes: str, more: str) -> str:
    """The last outcomes, oldest first, with some more; those before the first 404 need not be kept."""
    return (outcomes + more)[-LAST:].lstrip(OTHER)


def suspends(outcomes: str) -> bool:
    """Whether a 404 says nothing about its message."""
    return outcomes.count(NOT_FOUND) > MOST_NOT_FOUND
