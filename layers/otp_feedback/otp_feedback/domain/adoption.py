"""Recognise our own message among those that Twilio lists, by the secret in its text."""

import re
from collections.abc import Iterator

from otp_feedback.domain.secret import Keys, Mac, Secret, parse_link_id
from otp_feedback.domain.verification import Message

CREATED_WITHIN_MS = 20_000
"""Twilio creates a message while it is asked to, which takes at most 8 s; the rest is for clocks that differ."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{4,64}", re.ASCII)
_PASSWORD = re.compile(r"(?=([A-Za-z0-9]{4}-[A-Za-z0-9]{4}-[A-Za-z0-9]{5}))", re.ASCII)
_MAX_TOKENS = 200


def carries_secret(body: str, keys: Keys, verification_id: str, number: int, mac: Mac) -> bool:
    """Whether a message's text holds the secret whose MAC is stored.

    Parameters
    ----------
    body
        The text as Twilio has it.
    number
        The message's number in its verification.
    """
    return any(
        keys.matching(verification_id, {number: mac}, candidate)
        for token in _tokens(body)
        for candidate in _candidates(token, verification_id)
    )


def may_have_been_created(message: Message, at: int) -> bool:
    """Whether Twilio's message of that moment (epoch milliseconds) can be this one."""
    return abs(at - message.sent_at) <= CREATED_WITHIN_MS


def _tokens(body: str) -> Iterator[str]:
    """What stands alone in the text, and what a template has put hyphens next to, as in `G-123456`."""
    words = _TOKEN.findall(body)[:_MAX_TOKENS]
    yield from words
    for word in words:
        yield from _PASSWORD.findall(word)
        parts = re.split("[-_]", word)
        if len(parts) > 1:
            yield from parts


def _candidates(token: str, verification_id: str) -> tuple[Secret, ...]:
    parsed = parse_link_id(token)
    if parsed is not None and parsed[0] == verification_id:
        return (Secret(token), parsed[1])
    return (Secret(token),)
