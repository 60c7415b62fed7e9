"""What a reply must hold, and what a reply that opts out looks like."""

import unicodedata

CONTROL_WORDS = frozenset(
    {"stop", "unsubscribe", "end", "quit", "stopall", "stop all", "cancel", "revoke", "optout", "opt out"}
    | {"help", "info", "start", "unstop", "arret", "arrete", "arrett"}
)
"""https://help.twilio.com/articles/223134027-Twilio-support-for-opt-out-keywords-SMS-STOP-filtering-"""

KEYWORD_LENGTH = 20


def normalized(text: str) -> str:
    """The text without what hurried typing gets wrong: case, diacritics, doubled spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(bare.split())


def opts_out(body: str) -> bool:
    """Whether a message is one of the keywords that Twilio takes for opting out, whatever stands around it."""
    return _words(normalized(body)).strip() in CONTROL_WORDS


def is_keyword(text: str) -> bool:
    """Whether a text can be asked for: one word of any script, at most 20 characters, that Twilio does not act on."""
    is_word = all(map(_of_a_word, text)) and any(map(str.isalnum, text))
    return is_word and len(text) <= KEYWORD_LENGTH and not opts_out(text)


def holds_keyword(body: str, keyword: str | None) -> bool:
    """Whether a message holds the keyword, as whole words; any message does where there is none."""
    return keyword is None or _words(normalized(keyword)) in _words(normalized(body))


def _words(text: str) -> str:
    """The text's words, each between spaces; many scripts write vowels as marks, which are of a word."""
    kept = "".join(character if _of_a_word(character) else " " for character in text)
    return f" {' '.join(kept.split())} "


def _of_a_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")
