"""What a reply must say, and what says nothing: reactions, requests to stop, automatic answers, refusals."""
# ruff: noqa: RUF001 - quotation marks of all languages are meant

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from otp_feedback.domain import answers

CONTROL_WORDS = frozenset(
    {"stop", "unsubscribe", "end", "quit", "stopall", "stop all", "cancel", "revoke", "optout", "opt out"}
    | {"help", "info", "start", "unstop", "arret", "arrete", "arrett"}
)
"""https://help.twilio.com/articles/223134027-Twilio-support-for-opt-out-keywords-SMS-STOP-filtering-"""

KEYWORD_LENGTH = 20

WORDS_BESIDE_KEYWORD = 1

EMPHASIZED_WORDS = 3
"""If a message is nothing but a quotation of so few words, they are the sender's own."""

QUOTED_LENGTH = 10
"""Our texts have at least so many characters; a shorter quotation may be the sender's own words."""

WORDS_OF_A_REACTION = 6
"""In any language, phones put at most so many words around the text that a reaction is about."""

_OPENING, _CLOSING = '“„‟«»”"＂「『《〈‹', '”“»«"＂」』》〉›'
_SINGLE = r"(?:^|(?<=\s))[‘‚'](?=\S)(?P<quoted>.*)(?<=\S)[’‘'](?=\W|$)"
_ABOUT_MEDIA = (
    r" (?:liked|loved|disliked|laughed at|emphasi[sz]ed|questioned|reacted(?: \w+){0,3} to|removed(?: \w+){1,4} from)"
    r" (?:an?|\d+) \w+(?: \w+)? "
)
_NO_SIGNS = frozenset("👎❌✖✗✘❎🚫⛔🛑🙅🖕")


def normalized(text: str) -> str:
    """The text without what hurried typing gets wrong: case, diacritics, doubled spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(bare.split())


def why_no_answer(body: str, keyword: str | None) -> str | None:
    """Why a message answers nothing, whatever it came in answer to: one word for the log. None if it may be an answer.

    Phones write reactions and automatic answers in their own language, so these are judged in all of them.
    """
    own, _ = _parted(body)
    if opts_out(body) and (keyword is None or _asked(own) != _asked(keyword)):
        return "opt-out"
    if not holds_keyword(body, keyword):
        return "reaction" if is_reaction(body) else "no-keyword"
    if is_reaction(body, keyword):
        return "reaction"
    if is_automatic(body):
        return "automatic"
    return None if any(map(_tells, own)) else "silence"


def opts_out(body: str) -> bool:
    """Whether a message, or what it says beside quotations, is a word by which Twilio opts out, or means the same.

    Courtesies are ignored. Among other words, such a request is a refusal.
    """
    own, _ = _parted(body)
    asks = {_asked(body), _asked(own)}
    return not asks.isdisjoint(CONTROL_WORDS) or not asks.isdisjoint(_phrases(answers.STOPS))


def is_keyword(text: str) -> bool:
    """Whether a text can be the keyword: one word of any script, at most 20 characters, that Twilio does not act on."""
    is_word = all(map(_of_a_word, text)) and any(map(str.isalnum, text))
    return is_word and len(text) <= KEYWORD_LENGTH and _words(text).strip() not in CONTROL_WORDS


def holds_keyword(body: str, keyword: str | None) -> bool:
    """Whether a message's own words are the keyword and at most one more; without a keyword any message will do.

    Quotations are not the sender's own: a reaction to our text quotes the keyword that we asked for.
    """
    if keyword is None:
        return True
    own, _ = _parted(body)
    words, wanted = _words(own), _words(keyword)
    if wanted not in words:
        return False
    return len(_without(_without(words, (wanted.strip(),)), _phrases(answers.COURTESIES), " · ").split()) <= (
        WORDS_BESIDE_KEYWORD
    )


def refuses(body: str, language: str, keyword: str | None = None) -> bool:
    """Whether a message's own words refuse or ask to stop, in the language of the message it answers or in English.

    Other languages are left out: `ne` is a no in Czech and a yes in Korean.

    Parameters
    ----------
    language
        A BCP 47 tag; its first subtag counts.
    keyword
        What was asked for; it is no refusal, whatever it means.
    """
    own, _ = _parted(body)
    if not _NO_SIGNS.isdisjoint(own):
        return True
    words = _without(_words(own), (_words(keyword).strip(),)) if keyword is not None else _words(own)
    words = _without(words, _phrases(answers.NO_REFUSALS))
    if words == " n ":
        return True
    primary = language.partition("-")[0]
    refusals = [said.get(each, "") for said in (answers.REFUSALS, answers.ASKS_TO_STOP) for each in ("en", primary)]
    if any(f" {phrase} " in words for phrase in _phrases(",".join(refusals))):
        return True
    for phrase in _phrases(answers.NO_REFUSALS_WITHIN):
        words = words.replace(phrase, " ")
    return any(phrase in words for phrase in _phrases(answers.REFUSALS_WITHIN.get(primary, "")))


def is_reaction(body: str, keyword: str | None = None) -> bool:
    """Whether a phone wrote the message to show a reaction: `Liked “…”`, `👎 to “…”`, in any language.

    Parameters
    ----------
    keyword
        What was asked for: it counts if the sender writes it beside a quotation.
    """
    if re.fullmatch(_ABOUT_MEDIA, _words(body)):
        return True
    own, quoted = _parted(body)
    if not quoted:
        return False
    words = _words(own)
    if any(words.startswith(f" {lead} ") for lead in _phrases(answers.REACTIONS)):
        return True
    if keyword is not None and holds_keyword(own, keyword):
        return False
    count = len(words.split())
    agrees = any(words.startswith(f" {word} ") for word in _phrases(answers.YESES))
    shows_sign = any(unicodedata.category(character) == "So" for character in own)
    if agrees or not (count or shows_sign):
        return False
    return count <= WORDS_OF_A_REACTION and (shows_sign or len(quoted.strip()) >= QUOTED_LENGTH)


def is_automatic(body: str) -> bool:
    """Whether a phone answered by itself, as it does while its owner drives."""
    words = _words(body)
    phrases = (*_phrases(answers.DRIVING), *_phrases(answers.AUTOMATIC))
    within = (*_phrases(answers.DRIVING_WITHIN), *_phrases(answers.AUTOMATIC_WITHIN))
    return any(f" {phrase} " in words for phrase in phrases) or any(phrase in words for phrase in within)


def _asked(text: str) -> str:
    return _without(_words(text), _phrases(answers.COURTESIES)).strip()


def _parted(body: str) -> tuple[str, str]:
    """What a message says of its own, and what it quotes: between quotation marks, or in lines after `>`.

    Everything from the first mark to the last one counts as quoted, since a quotation may hold marks of its own.
    Without a second mark all that follows counts, since phones cut long texts off.
    """
    lines = body.splitlines()
    quoted = "\n".join(line for line in lines if line.lstrip().startswith(">"))
    text = "\n".join(line for line in lines if not line.lstrip().startswith(">"))
    opens = next((place for place, character in enumerate(text) if character in _OPENING), None)
    if opens is not None:
        closes = max(text.rfind(mark, opens + 1) for mark in _CLOSING)
        end = closes if closes > opens else len(text)
        before, between, after = text[:opens], text[opens + 1 : end], text[end + 1 :]
    elif (single := re.search(_SINGLE, text, re.DOTALL)) is not None:
        before, between, after = text[: single.start()], single["quoted"], text[single.end() :]
    else:
        return text, quoted
    own = f"{before} {after}"
    if not quoted and not any(map(_tells, own)) and len(_words(between).split()) <= EMPHASIZED_WORDS:
        return between, ""
    return own, f"{quoted}{between}"


def _without(words: str, phrases: Iterable[str], instead: str = " ") -> str:
    for phrase in phrases:
        while f" {phrase} " in words:
            words = words.replace(f" {phrase} ", instead)
    return words


@lru_cache
def _phrases(text: str) -> tuple[str, ...]:
    """The phrases of a list, longest first, so that none hides within another."""
    phrases = {_words(phrase).strip() for phrase in text.split(",")} - {""}
    return tuple(sorted(phrases, key=len, reverse=True))


def _words(text: str) -> str:
    """The text's words, normalized, each between spaces. Marks belong to words: many scripts write vowels so."""
    kept = "".join(character if _of_a_word(character) else " " for character in normalized(text))
    return f" {' '.join(kept.split())} "


def _of_a_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _tells(character: str) -> bool:
    """Whether a character says something by itself: a letter, a digit, or a sign such as a thumb."""
    return character.isalnum() or unicodedata.category(character).startswith("S")
