"""Which language a text is written in."""

from typing import Final

from otp_feedback.domain.texts.data import TEXTS, TEXTS_WITH_KEYWORD
from otp_feedback.domain.texts.data.countries import LANGUAGE_OF_COUNTRY
from otp_feedback.domain.texts.errors import UnsupportedLocale
from otp_feedback.domain.texts.tags import Tag, nearest, parse_locale, parse_tag
from otp_feedback.domain.texts.template import ANY_LANGUAGE, Template

ENGLISH: Final = "en"

_LANGUAGES = {action: tuple(texts) for action, texts in TEXTS.items()}
_ALL_LANGUAGES = tuple(dict.fromkeys(language for texts in TEXTS.values() for language in texts))


def languages(action: str) -> tuple[str, ...]:
    """The BCP 47 tags of the languages in which the default text of `action` exists, English first."""
    return _LANGUAGES[action]


def default_text(action: str, language: str, *, with_keyword: bool = False) -> str:
    """The default text of an action, its placeholders not filled.

    Parameters
    ----------
    action
        An action's name.
    language
        A tag that `languages` lists for the action; English is the answer for any other.
    with_keyword
        Whether the text is to ask for {keyword}, where the action has one that does.
    """
    texts = TEXTS_WITH_KEYWORD.get(action, TEXTS[action]) if with_keyword else TEXTS[action]
    return texts.get(language, texts[ENGLISH])


def choose_language(action: str, locale: str | None, country: str | None, template: Template | None = None) -> str:
    """Choose the language of a text: by `locale`, else by the number's country, else English.

    If another action has a text in the language, but this action (or the custom template) has none, the answer is
    English, or the template's first language if it has no English.

    Parameters
    ----------
    action
        An action's name.
    locale
        What `preferred_tag` takes, or None. The nearest text in the same language is taken: de-AT gives de, zh-TW
        zh-Hant, pt pt-BR.
    country
        ISO 3166-1 alpha-2 of the number in any case; None, or anything else, counts as unknown.
    template
        The custom template to be sent. One that has a single text for every language gives "und", whatever
        well-formed tag was asked for.

    Raises
    ------
    UnsupportedLocale
        As `preferred_tag` does.
    """
    return _chosen(_available(action, template), locale, country)


def spoken_language(locale: str | None, country: str | None) -> str:
    """The language of a recipient, chosen like `choose_language`, but among all languages.

    Raises
    ------
    UnsupportedLocale
        As `preferred_tag` does.
    """
    return _chosen(_ALL_LANGUAGES, locale, country)


def _chosen(available: tuple[str, ...], locale: str | None, country: str | None) -> str:
    if locale is not None:
        found = nearest(_preferred(available, locale), available)
    else:
        spoken = parse_tag(LANGUAGE_OF_COUNTRY.get((country or "").upper(), ENGLISH))
        found = nearest(spoken, available) if spoken else None
    return found or fallback_language(available)


def preferred_tag(action: str, locale: str, template: Template | None = None) -> str:
    """The one language tag that counts: of a caller's list, the first that has a text.

    That is a lookup by a language priority list (RFC 4647 §2.3, §3.4). Gives a tag of BCP 47 of at most 17 characters
    that chooses the same text as `locale`.

    Parameters
    ----------
    locale
        One or several BCP 47 tags (RFC 5646) in any case, or what devices write in their place (`parse_locale`), with
        commas between, in order of preference: "th, en".

    Raises
    ------
    UnsupportedLocale
        One of them is no well-formed tag, or none of them has a text.
    """
    return str(_preferred(_available(action, template), locale))


def _preferred(available: tuple[str, ...], locale: str) -> Tag:
    wanted = [parse_locale(each.strip(" ")) for each in locale.split(",")]
    known = [tag for tag in wanted if tag is not None]
    if len(known) < len(wanted):
        raise UnsupportedLocale("")
    if available == (ANY_LANGUAGE,):
        return known[0]
    # If only this action lacks the language, the answer is English, not a refusal.
    for among in (available, _ALL_LANGUAGES):
        for tag in known:
            if nearest(tag, among) is not None:
                return tag
    raise UnsupportedLocale(locale)


def _available(action: str, template: Template | None) -> tuple[str, ...]:
    return _LANGUAGES[action] if template is None else template.languages


def fallback_language(available: tuple[str, ...]) -> str:
    """English where it is available, else the first language."""
    english = parse_tag(ENGLISH)
    return (nearest(english, available) if english else None) or available[0]
