"""The confirm page's texts and the choice of their language."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otp_feedback.domain.texts import choose_page_language, page_texts
from otp_feedback.domain.texts.page import PAGE_LANGUAGES


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en;q=0.8, de;q=0.9", "de"),
        ("fr;q=0.5, de;q=0.5", "fr"),
        ("cy, de;q=0.3", "de"),
        ("cy", "en"),
        ("zh-TW,zh;q=0.9", "zh-Hant"),
        ("zh-CN", "zh-Hans"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-PT"),
        ("nn-NO", "nb"),
        ("*", "en"),
        ("*;q=0.5, fr;q=0.1", "en"),
        ("*;q=0.1, fr;q=0.5", "fr"),
        ("en;q=0", "en"),
        ("en;q=0, de;q=0.001", "de"),
        ("en;q=0, *", PAGE_LANGUAGES[1]),
        ("de;q=0, *;q=0.1", "en"),
        ("de ; q=1.000 , fr;Q=0.999", "de"),
        ("de;q=1., fr", "de"),
        (" , ,\tde,", "de"),
        ("de;q=1.1", "en"),
        ("de;q=0.1234", "en"),
        ("de;q=-1", "en"),
        ("de;q=", "en"),
        ("de;level=1", "en"),
        ("de_DE, fr;q=0.5", "fr"),
        ("de fr", "en"),
        ("\x00", "en"),
        ("\u0661", "en"),
        ("de-*", "en"),
    ],
)
def test_the_header_decides(header, expected):
    assert choose_page_language(header) == expected


@settings(deadline=None)
@given(st.text(max_size=300) | st.text(st.sampled_from("defr-*;q=01., \t"), max_size=300))
def test_any_header_gives_a_language_of_the_page(header):
    assert choose_page_language(header) in PAGE_LANGUAGES


@given(st.dictionaries(st.sampled_from(PAGE_LANGUAGES), st.integers(0, 1000), max_size=10))
def test_the_highest_weight_wins_and_the_first_of_equals(weights):
    header = ",".join(f"{language};q={weight // 1000}.{weight % 1000:03}" for language, weight in weights.items())
    wanted = [language for language, weight in weights.items() if weight and weight == max(weights.values())]
    assert choose_page_language(header) == (wanted or ["en"])[0]


def test_a_long_header_takes_little_work_and_is_never_cut_within_a_tag():
    assert choose_page_language("cy," * 31 + "de") == "de"
    assert choose_page_language("cy," * 32 + "de") == "en"
    assert choose_page_language("x" * 998 + ",de-AT") == "en"
    assert choose_page_language("cy,de," + "x" * 991 + ",fr-CA;q=1") == "de"
    assert choose_page_language("de" + " " * 997 + "," + "fr") == "de"
    for header in ("de," * 1_000_000, " " * 3_000_000, "a-" * 1_500_000, "de;q=0." + "1" * 3_000_000):
        assert choose_page_language(header) in PAGE_LANGUAGES


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_every_language_has_all_the_page_s_texts(language):
    page = page_texts(language, "Acme & {app}")
    assert page.language == language
    texts = (page.title, page.asks, page.button, page.otherwise, page.success, page.failure)
    assert all(text and text == text.strip() == unicodedata.normalize("NFC", text) for text in texts)
    assert len(set(texts)) == len(texts)
    assert "Acme & {app}" in page.asks
    assert not any("{" in text for text in texts if text != page.asks)


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_the_direction_is_that_of_the_letters(language):
    page = page_texts(language, "Acme")
    first = next(letter for letter in page.failure if letter.isalpha())
    assert page.dir == ("rtl" if unicodedata.bidirectional(first) in ("R", "AL") else "ltr")
    assert ("\u2068Acme\u2069" in page.asks) == (page.dir == "rtl")


def test_an_unknown_language_gives_english():
    assert page_texts("tlh", "Acme") == page_texts("en", "Acme")
