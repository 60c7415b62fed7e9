"""What a reply must hold, and what a reply that opts out looks like."""

import unicodedata

CONTROL_WORDS = frozenset(
    {"stop", "unsubscribe", "end", "quit", "stopall", "stop all", "cancel", "revoke", "optout", "opt out"}
    | {"help", "info", "start", "unstop"}
)
"""https://help.twilio.com/articles/223134027-Twilio-support-for-opt-out-keywords-SMS-STOP-filtering-"""


def normalized(text: str) -> str:
    """The text without what hurried typing gets wrong: case, diacritics, doubled spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(bare.split())


def opts_out(body: str) -> bool:
    """Whether a message is one of the keywords that Twilio takes for opting out."""
    return normalized(body).strip(" .!") in CONTROL_WORDS


def holds_keyword(body: str, keyword: str | None) -> bool:
    """Whether a message holds the keyword, as whole words; any message does where there is none."""
    if keyword is None:
        return True
    words = "".join(character if character.isalnum() else " " for character in normalized(body))
    wanted = "".join(character if character.isalnum() else " " for character in normalized(keyword))
    return f" {' '.join(wanted.split())} " in f" {' '.join(words.split())} "
