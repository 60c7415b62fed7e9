"""Recognise our own message among those that Twilio lists, by the secret in its text."""

import re

from otp_feedback.domain.secret import Keys, Mac, Secret, parse_link_id

_TOKEN = re.compile(r"[A-Za-z0-9_-]{4,64}", re.ASCII)
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
        for token in _TOKEN.findall(body)[:_MAX_TOKENS]
        for candidate in _candidates(token, verification_id)
    )


def _candidates(token: str, verification_id: str) -> tuple[Secret, ...]:
    parsed = parse_link_id(token)
    if parsed is not None and parsed[0] == verification_id:
        return (Secret(token), parsed[1])
    return (Secret(token),)
