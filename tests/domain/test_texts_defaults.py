"""The default texts: what each costs, and what all of them must keep."""

import re
import unicodedata
from itertools import product

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.texts import (
    PAGE_LANGUAGES,
    Body,
    default_text,
    languages,
    page_texts,
    render,
    segments,
)
from otp_feedback.domain.texts.data.countries import BY_LANGUAGE, LANGUAGE_OF_COUNTRY
from tests.tables import for_each

# A link as long as API Gateway's own host name in eu-central-1 makes it; a password of 60 bits in groups of four.
LINK = "https://abcdefghij.execute-api.eu-central-1.amazonaws.com/confirm?id=" + "x" * 44
SECRETS = {"code": "123456", "caller": "A1B2C3", "password": "abcd-efgh-jkmn"}

# Segments and the alphabet's units, by language, for an application of four letters, six digits, ten minutes and no
# domain line: code, caller, password, reply, reply with the keyword YES, link.
COSTS = """
language  code   caller password reply  reply+ link
en        1:75g  1:53g  1:81g  1:54g  1:42g  1:155g
af        1:87g
ar        1:44u  1:46u  1:67u  1:54u  1:48u  3:148u
bg        1:41u
bs        1:61g
ca        1:77g
cs        1:41u  1:49u  1:64u  1:55u  1:44u  3:151u
da        1:75g  1:52g  1:98g  1:60g  1:49g  1:157g
de        1:73g  1:57g  1:92g  1:84g  1:74g  1:152g
el        1:40u  1:55u  1:67u  1:64u  1:50u  3:147u
es        1:45u  1:55u  1:84g  1:65g  1:54g  1:148g
et        1:73g
fa        1:38u  1:51u  1:64u  1:59u  1:66u  3:171u
fi        1:89g  1:60g  1:100g 1:58g  1:46g  1:154g
fil       1:90g
fr        1:80g  1:57g  1:104g 1:57g  1:48g  1:158g
he        1:49u  1:50u  1:60u  1:45u  1:39u  3:149u
hi        1:42u
hr        1:61g
hu        1:37u  1:39u  1:70u  1:68u  1:58u  3:157u
id        1:80g  1:62g  1:99g  1:54g  1:48g  1:157g
is        1:41u
it        1:76g  1:58g  1:87g  1:63g  1:48g  1:155g
ja        1:41u  1:32u  1:42u  1:34u  1:32u  2:134u
ko        1:47u  1:38u  1:56u  1:37u  1:41u  3:135u
lt        1:43u
lv        1:40u
ms        1:78g
nb        1:75g  1:52g  1:95g  1:58g  1:43g  1:155g
nl        1:84g  1:54g  1:94g  1:60g  1:50g  1:154g
pl        1:58g  1:40g  1:68u  1:64u  1:52u  1:151g
pt-BR     1:43u  1:54u  1:69u  1:61g  1:49g  1:153g
pt-PT     1:45u  1:55u  1:68u  1:66g  1:54g  1:157g
ro        1:56g  1:61u  1:65u  1:61u  1:50u  1:155g
ru        1:40u  1:47u  1:68u  1:67u  1:54u  3:156u
sk        1:41u
sl        1:59g
sr        1:33u
sr-Latn   1:33u
sv        1:73g  1:52g  1:92g  1:64g  1:45g  1:153g
th        1:41u
tr        1:75g  1:44g  1:69u  1:59u  1:59u  1:145g
uk        1:37u  1:51u  1:66u  1:63u  1:65u  3:153u
vi        1:47u  1:62u  1:67u  1:62u  1:53u  3:152u
zh-Hans   1:34u  1:26u  1:44u  1:22u  1:24u  2:134u
zh-Hant   1:36u  1:27u  1:45u  1:24u  1:26u  2:134u
"""

REQUIRED = {"code": {"secret"}, "caller": {"secret"}, "password": {"secret"}, "link": {"link"}, "reply": set()}
ALLOWED = {
    "code": {"app", "secret", "minutes"},
    "caller": {"app", "secret"},
    "password": {"app", "secret", "minutes"},
    "link": {"app", "link", "minutes"},
    "reply": {"app", "minutes"},
    "reply+": {"app", "minutes", "keyword"},
}
SCRIPTS = {
    "ar": {"ARABIC"},
    "bg": {"CYRILLIC"},
    "el": {"GREEK"},
    "fa": {"ARABIC"},
    "he": {"HEBREW"},
    "hi": {"DEVANAGARI"},
    "ja": {"HIRAGANA", "KATAKANA", "CJK", "KATAKANA-HIRAGANA"},
    "ko": {"HANGUL"},
    "ru": {"CYRILLIC"},
    "sr": {"CYRILLIC"},
    "th": {"THAI"},
    "uk": {"CYRILLIC"},
    "zh-Hans": {"CJK"},
    "zh-Hant": {"CJK"},
}
RIGHT_TO_LEFT = ("ar", "fa", "he")

EVERY_TEXT = [
    *((action, language, False) for action in list(Action) for language in languages(action)),
    *(("reply", language, True) for language in languages("reply")),
]


def rendered(action, language, *, keyword="", domain=None, app="Acme"):
    body = render(
        action=action,
        language=language,
        app=app,
        minutes=10,
        secret=SECRETS.get(action),
        link=LINK if action == "link" else None,
        keyword=keyword,
        domain=domain,
    )
    assert isinstance(body, Body)
    return body.text


def placeholders(text):
    return set(re.findall(r"\{(\w*)\}", text))


def cost(text):
    counted = segments(text)
    return f"{counted.count}:{counted.units}{'g' if counted.encoding == 'GSM-7' else 'u'}"


def test_what_each_text_costs():
    table = ["language  code   caller password reply  reply+ link"]
    for language in languages("code"):
        cells = [cost(rendered("code", language))]
        if language in languages("link"):
            cells += [cost(rendered(action, language)) for action in ("caller", "password", "reply")]
            cells += [cost(rendered("reply", language, keyword="YES")), cost(rendered("link", language))]
        table.append(f"{language:9} " + " ".join(f"{cell:6}" for cell in cells).rstrip())
    assert "\n".join(table) == COSTS.strip()


@for_each(zip(languages("code"), strict=True))
def test_a_code_takes_one_segment(language):
    assert segments(rendered("code", language)).count == 1


@for_each(zip(languages("code"), strict=True))
def test_a_code_takes_one_segment_with_the_domain_line_too(language):
    assert segments(rendered("code", language, domain="example.com")).count == 1


def test_how_many_languages_there_are():
    assert len(languages("code")) >= 25
    for action in ("link", "password", "reply", "caller"):
        assert set(languages(action)) == set(PAGE_LANGUAGES)
        assert len(languages(action)) >= 10
        assert set(languages(action)) <= set(languages("code"))
        assert languages(action)[0] == "en"


@for_each(EVERY_TEXT)
def test_placeholders_are_complete_and_known(action, language, with_keyword):
    used = placeholders(default_text(action, language, with_keyword=with_keyword))
    assert used >= REQUIRED[action] | {"app"}
    assert used == ALLOWED[action + "+" * with_keyword]


@for_each(EVERY_TEXT)
def test_texts_are_clean(action, language, with_keyword):
    text = default_text(action, language, with_keyword=with_keyword)
    assert text == unicodedata.normalize("NFC", text)
    assert text == text.strip()
    assert "  " not in text
    assert " \n" not in text
    assert text.count("{") == text.count("}") == len(re.findall(r"\{\w+\}", text))


@for_each(EVERY_TEXT)
def test_letters_are_of_the_language_s_script(action, language, with_keyword):
    text = re.sub(r"\{\w+\}", "", default_text(action, language, with_keyword=with_keyword))
    scripts = {unicodedata.name(letter).split()[0] for letter in text if letter.isalpha()}
    assert scripts <= SCRIPTS.get(language, {"LATIN"})


@for_each(EVERY_TEXT)
def test_what_a_phone_may_take_up_stands_alone(action, language, with_keyword):
    text = default_text(action, language, with_keyword=with_keyword)
    alone = {"link": "link", "password": "secret", "reply": "keyword"}.get(action)
    for match in re.finditer(rf"\{{{alone}\}}", text):
        assert text[match.start() - 1].isspace()
        assert match.end() == len(text) or text[match.end()].isspace()


@pytest.mark.parametrize(("action", "language"), list(product(("link", "password", "caller"), RIGHT_TO_LEFT)))
def test_mixed_letters_and_digits_have_a_line_of_their_own_from_right_to_left(action, language):
    lines = default_text(action, language).split("\n")
    assert ("{link}" if action == "link" else "{secret}") in lines
    assert unicodedata.bidirectional(lines[0][0]) in ("R", "AL")


@pytest.mark.parametrize(("language", "charset"), [("zh-Hans", "gb2312"), ("zh-Hant", "big5"), ("ja", "shift_jis")])
def test_han_characters_are_those_of_the_language(language, charset):
    for action in list(Action):
        default_text(action, language).encode(charset)
    page = page_texts(language, "")
    for text in (page.title, page.asks, page.button, page.otherwise, page.success, page.failure):
        text.encode(charset)


def test_every_country_has_one_language_with_a_text():
    assert sum(len(countries.split()) for countries in BY_LANGUAGE.values()) == len(LANGUAGE_OF_COUNTRY)
    assert set(BY_LANGUAGE) <= set(languages("code"))
    assert all(re.fullmatch(r"[A-Z]{2}", country) for country in LANGUAGE_OF_COUNTRY)
