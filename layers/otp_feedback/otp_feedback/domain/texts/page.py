"""The texts of the confirm page, and the language in which a browser wants them."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from otp_feedback.domain.texts.data.page import RIGHT_TO_LEFT, TEXTS
from otp_feedback.domain.texts.tags import nearest, parse_tag

PAGE_LANGUAGES: Final = tuple(TEXTS)

MAX_HEADER: Final = 1000
MAX_RANGES: Final = 32

# RFC 9110 §12.5.4 and §12.4.2, language-range and weight.
_RANGE = r"[ \t]*([A-Za-z0-9*-]{1,64})[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?"

_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


@dataclass(frozen=True, slots=True)
class PageTexts:
    """The confirm page in one language: plain text, which the HTML's writer escapes.

    Parameters
    ----------
    language, dir
        Attributes of the root element.
    title
        The page's title and heading.
    asks
        Who asks, with the application's name.
    button
        The one button's label.
    otherwise
        What to do for somebody who did not expect this.
    success
        The answer to a confirmation.
    failure
        The one answer to every failure.
    """

    language: str
    dir: Literal["ltr", "rtl"]
    title: str
    asks: str
    button: str
    otherwise: str
    success: str
    failure: str


def page_texts(language: str, app: str) -> PageTexts:
    """The page's texts.

    Parameters
    ----------
    language
        One of PAGE_LANGUAGES; anything else gives English.
    app
        The application's name; in right-to-left languages it is set in Unicode isolates (UAX #9).
    """
    if language not in TEXTS:
        language = "en"
    title, asks, button, otherwise, success, failure = TEXTS[language]
    right_to_left = language in RIGHT_TO_LEFT
    shown = f"{_FIRST_STRONG_ISOLATE}{app}{_POP_ISOLATE}" if right_to_left else app
    return PageTexts(
        language=language,
        dir="rtl" if right_to_left else "ltr",
        title=title,
        asks=asks.replace("{app}", shown),
        button=button,
        otherwise=otherwise,
        success=success,
        failure=failure,
    )


def choose_page_language(header: str) -> str:
    """The language of PAGE_LANGUAGES that an Accept-Language header prefers; English where it names none of them.

    By RFC 9110 §12.5.4: the highest weight wins, of equal ones the first; weight 0 refuses. "*" stands for all
    languages that the header does not name, English first. Elements with wrong syntax are ignored. Never
    raises; reads at most 1000 characters and 32 elements.

    Parameters
    ----------
    header
        The field's value, "" where the request has none.
    """
    wanted: list[tuple[int, str]] = []
    named: set[str] = set()
    wildcard = 0
    if len(header) > MAX_HEADER:
        header = header[:MAX_HEADER].rpartition(",")[0]
    for element in header.split(",", MAX_RANGES)[:MAX_RANGES]:
        match = re.fullmatch(_RANGE, element)
        if match is None:
            continue
        weight = _thousandths(match[2])
        if match[1] == "*":
            wildcard = weight
            continue
        tag = parse_tag(match[1])
        language = nearest(tag, PAGE_LANGUAGES) if tag else None
        if language is None:
            continue
        named.add(language)
        if weight:
            wanted.append((weight, language))
    if wildcard:
        wanted.extend((wildcard, language) for language in PAGE_LANGUAGES if language not in named)
    return max(wanted, key=lambda choice: choice[0])[1] if wanted else "en"


def _thousandths(weight: str | None) -> int:
    if weight is None:
        return 1000
    whole, _, fraction = weight.partition(".")
    return int(whole) * 1000 + int(fraction.ljust(3, "0") or "0")
