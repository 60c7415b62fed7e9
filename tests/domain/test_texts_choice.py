"""Which language a text is written in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otp_feedback.domain.actions import Action
from otp_feedback.domain.texts import (
    UnsupportedLocale,
    choose_language,
    parse_templates,
    preferred_tag,
    spoken_language,
)
from otp_feedback.domain.texts.choice import default_text, languages

TEMPLATES = parse_templates(
    """{
        "two": {"body": {"fr": "{secret} F", "de-AT": "{secret} A", "de": "{secret} D"}},
        "welsh": {"body": {"cy": "{secret} W", "en-GB": "{secret} E"}},
        "english": {"body": {"en-US": "{secret} U", "en-GB": "{secret} G"}},
        "one": {"body": "{secret}"},
        "content": {"content_sid": "HX00000000000000000000000000000000", "variables": {"1": "{secret}"}}
    }"""
)


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("de-Latn-AT-1996", "de"),
        ("DE-at-u-co-phonebk-x-private", "de"),
        ("es-419", "es"),
        ("pt", "pt-BR"),
        ("pt-BR", "pt-BR"),
        ("PT-pt", "pt-PT"),
        ("pt-AO", "pt-PT"),
        ("zh", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("zh-Hans", "zh-Hans"),
        ("zh-hans-hk", "zh-Hans"),
        ("zh-TW", "zh-Hant"),
        ("zh-HK", "zh-Hant"),
        ("zh-MO", "zh-Hant"),
        ("ZH-HANT-MO", "zh-Hant"),
        ("zh-yue-HK", "zh-Hant"),
        ("yue", "zh-Hant"),
        ("no", "nb"),
        ("nn-NO", "nb"),
        ("iw", "he"),
        ("in", "id"),
        ("tl", "fil"),
        ("fil-PH", "fil"),
        ("sr", "sr"),
        ("sr-Latn-RS", "sr-Latn"),
        ("sr-ME", "sr-Latn"),
    ],
)
def test_an_explicit_locale_finds_the_nearest_text(locale, expected):
    assert choose_language("code", locale, "JP") == expected


@pytest.mark.parametrize("action", list(Action))
def test_every_language_finds_itself(action):
    for language in languages(action):
        assert choose_language(action, language, None) == language
        assert choose_language(action, language.upper(), None) == language


@pytest.mark.parametrize(
    "locale",
    [
        *("", "d", "de-", "-de", "de--AT", "de AT", "de-AT\n", "deutsch-zu-lang", "*", "12", "de;q=1"),
        *("x" * 65, "a-" * 4000, "de-AT-" + "x1y2z-" * 12 + "end01", "ä", "\u212ao", "\x00", "{secret}"),
        *(
            "de_",
            "_de",
            "de__AT",
            "de_AT\n",
            "de_DE.",
            "de_DE@",
            "C",
            "C.UTF-8",
            "zh_TW_#",
            "zh_Hant_TW_#Hant",
            "de AT.UTF-8",
        ),
        *(",", "de,", ",de", "de,,en", "de;q=0.9, en", "de, *", "de, e", "de,\ten", "th, en" + " " * 60 + "!"),
    ],
)
def test_a_malformed_locale_is_refused_and_not_echoed(locale):
    with pytest.raises(UnsupportedLocale) as caught:
        choose_language("code", locale, "DE")
    assert caught.value.locale == ""
    assert str(caught.value) == "the locale is not a BCP 47 language tag"


@pytest.mark.parametrize(
    "locale", ["tlh", "cy", "xx-XX", "jp", "und", "x-private-x1", "mul", "cy_GB", "POSIX", "cy, tlh"]
)
def test_a_language_without_any_text_is_refused(locale):
    with pytest.raises(UnsupportedLocale) as caught:
        choose_language("code", locale, "DE")
    assert caught.value.locale in (locale, "")


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en_US", "en"),
        ("de_AT", "de"),
        ("pt_br", "pt-BR"),
        ("PT_PT", "pt-PT"),
        ("zh_CN", "zh-Hans"),
        ("zh_Hans_CN", "zh-Hans"),
        ("zh_TW", "zh-Hant"),
        ("zh-Hant_HK", "zh-Hant"),
        ("iw_IL", "he"),
        ("es_419", "es"),
        ("de_DE.UTF-8", "de"),
        ("de_DE.ISO-8859-15@euro", "de"),
        ("DE_de.utf8", "de"),
        ("en_US_POSIX", "en"),
        ("ca_ES@valencia", "ca"),
        ("sr_RS", "sr"),
        ("sr_RS@latin", "sr-Latn"),
        ("sr_RS.UTF-8@latin", "sr-Latn"),
        ("sr_ME@cyrillic", "sr"),
        ("en_GB@rg=uszzzz", "en"),
        ("zh_Hant_TW@calendar=roc;numbers=latn", "zh-Hant"),
        ("zh_TW_#Hant", "zh-Hant"),
        ("zh_SG_#Hans", "zh-Hans"),
        ("sr_RS_#Latn", "sr-Latn"),
        ("zh__#Hant", None),
    ],
)
def test_a_locale_as_devices_write_it_is_understood(locale, expected):
    if expected is None:
        with pytest.raises(UnsupportedLocale):
            choose_language("code", locale, "JP")
    else:
        assert choose_language("code", locale, "JP") == expected


@pytest.mark.parametrize(
    ("action", "locale", "expected"),
    [
        ("code", "th, en", "th"),
        ("link", "th, en", "en"),
        ("link", "th, de", "de"),
        ("link", "cy, th", "en"),
        ("code", "cy, en", "en"),
        ("code", "cy,tlh,de_AT,en", "de"),
        ("code", "cy_GB.UTF-8 , zh_TW_#Hant", "zh-Hant"),
        ("code", "en, de", "en"),
    ],
)
def test_of_several_locales_the_first_that_there_is_a_text_in_is_chosen(action, locale, expected):
    assert choose_language(action, locale, "JP") == expected


@pytest.mark.parametrize(
    ("template", "locale", "expected"),
    [("two", "ja, de-AT", "de-AT"), ("welsh", "de, cy", "cy"), ("welsh", "ja, de", "en-GB"), ("one", "tlh, cy", "und")],
)
def test_of_several_locales_the_first_that_the_template_speaks_is_chosen(template, locale, expected):
    assert choose_language("code", locale, None, TEMPLATES[template]) == expected


def test_a_language_that_only_another_action_has_gives_english():
    assert choose_language("code", "th", None) == "th"
    assert choose_language("link", "th", None) == "en"
    assert choose_language("link", None, "TH") == "en"


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        ("DE", "de"),
        ("at", "de"),
        ("BR", "pt-BR"),
        ("PT", "pt-PT"),
        ("AO", "pt-PT"),
        ("CN", "zh-Hans"),
        ("TW", "zh-Hant"),
        ("MX", "es"),
        ("NO", "nb"),
        ("IL", "he"),
        ("RS", "sr-Latn"),
        ("US", "en"),
        ("IN", "en"),
        ("001", "en"),
        ("", "en"),
        (None, "en"),
        ("\u0131", "en"),
    ],
)
def test_without_a_locale_the_country_decides(country, expected):
    assert choose_language("code", None, country) == expected


@pytest.mark.parametrize(
    ("template", "locale", "country", "expected"),
    [
        ("two", "de-AT", None, "de-AT"),
        ("two", "de-CH", None, "de"),
        ("two", "de", None, "de"),
        ("two", "fr-CA", None, "fr"),
        ("two", None, "AT", "de"),
        ("two", None, "FR", "fr"),
        ("two", None, "JP", "fr"),
        ("two", "ja", None, "fr"),
        ("welsh", "cy-GB", None, "cy"),
        ("welsh", "en-US", None, "en-GB"),
        ("welsh", "ja", None, "en-GB"),
        ("welsh", None, "JP", "en-GB"),
        ("english", "en-AU", None, "en-US"),
        ("english", "en-gb", None, "en-GB"),
        ("one", "cy", None, "und"),
        ("one", None, "DE", "und"),
        ("content", "de", "DE", "und"),
    ],
)
def test_a_template_is_chosen_from_its_own_languages(template, locale, country, expected):
    assert choose_language("code", locale, country, TEMPLATES[template]) == expected


@pytest.mark.parametrize(("template", "locale"), [("two", "cy"), ("welsh", "tlh"), ("one", "de!DE"), ("content", "")])
def test_a_template_does_not_make_a_bad_locale_good(template, locale):
    with pytest.raises(UnsupportedLocale):
        choose_language("code", locale, None, TEMPLATES[template])


@settings(deadline=None)
@given(
    action=st.sampled_from(list(Action)),
    locale=st.none() | st.text(max_size=80) | st.from_regex(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8}){0,4}", fullmatch=True),
    country=st.none() | st.text(max_size=4),
)
def test_the_choice_is_always_a_text_or_the_one_error(action, locale, country):
    try:
        language = choose_language(action, locale, country)
    except UnsupportedLocale:
        return
    assert language in languages(action)
    assert default_text(action, language)


LOCALES = st.lists(
    st.from_regex(
        r"[a-zA-Z]{2,8}([_-][a-zA-Z]{4})?([_-]([a-zA-Z]{2}|[0-9]{3}))?(\.UTF-8)?(@(latin|euro))?", fullmatch=True
    )
    | st.sampled_from(languages("code") + languages("link")),
    min_size=1,
    max_size=4,
).map(", ".join)


@settings(deadline=None)
@given(action=st.sampled_from(list(Action)), locale=LOCALES, template=st.none() | st.sampled_from(sorted(TEMPLATES)))
def test_the_one_tag_that_is_kept_is_short_and_chooses_the_same_text(action, locale, template):
    custom = TEMPLATES[template] if template else None
    try:
        tag = preferred_tag(action, locale, custom)
    except UnsupportedLocale:
        with pytest.raises(UnsupportedLocale):
            choose_language(action, locale, None, custom)
        return
    assert len(tag) <= 17
    assert preferred_tag(action, tag, custom) == tag
    assert choose_language(action, tag, None, custom) == choose_language(action, locale, None, custom)


def test_a_language_is_spoken_wherever_any_text_has_it():
    """By what was asked for, else by the number's country, else English."""
    assert spoken_language("th", "DE") == "th"
    assert choose_language("reply", "th", "DE") == "en"
    assert spoken_language(None, "th") == "th"
    assert spoken_language(None, None) == "en"
