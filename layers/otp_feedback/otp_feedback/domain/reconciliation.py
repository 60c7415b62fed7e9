"""Recognise our own message among those that Twilio lists, by the secret in its text."""

import itertools
import re
from collections.abc import Iterator

from otp_feedback.domain.keys import Keys, Mac
from otp_feedback.domain.links import parse_link_id
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Message

CREATED_WITHIN_MS = 20_000
"""Twilio creates a message during the call, which takes at most 8 s; the rest is for clocks that differ."""

_WORD = re.compile(r"[!-~]{4,}", re.ASCII)
_LENGTHS = range(4, 65)
_MAX_WORDS = 200
_MAX_CANDIDATES = 5_000


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
        for text in itertools.islice(_candidates(body), _MAX_CANDIDATES)
        for candidate in _secrets(text, verification_id)
    )


def may_have_been_created(message: Message, at: int) -> bool:
    """Whether a message that Twilio created at that moment (epoch milliseconds) can be this one."""
    return abs(at - message.sent_at) <= CREATED_WITHIN_MS


def _candidates(body: str) -> Iterator[str]:
    """The parts of a text that may be a secret: visible ASCII; templates let no letter or digit touch it.

    Punctuation next to it, such as that of `G-123456` or `(p@ss.word).`, may be part of it or not, so both are tried.
    """
    for word in _WORD.findall(body)[:_MAX_WORDS]:
        starts = [at for at in range(len(word)) if not word[at - 1 : at].isalnum()]
        ends = [at for at in range(len(word), 0, -1) if not word[at : at + 1].isalnum()]
        yield from (word[start:end] for start in starts for end in ends if end - start in _LENGTHS)


def _secrets(text: str, verification_id: str) -> tuple[Secret, ...]:
    parsed = parse_link_id(text)
    if parsed is not None and parsed[0] == verification_id:
        return (Secret(text), parsed[1])
    return (Secret(text),)
