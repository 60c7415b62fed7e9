"""Replies: the keyword is found in what people type, and opting out is recognised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.domain.replies import holds_keyword, is_keyword, normalized, opts_out

OPT_OUTS = ["stop", "unsubscribe", "end", "quit", "stopall", "stop all", "cancel", "revoke", "optout", "opt out"]
OTHERS = ["help", "info", "start", "unstop"]
"""What Twilio answers by itself, or takes for opting in."""


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        ("yes", "YES"),
        ("  Yes!  ", "yes"),
        ("oh yes, please", "YES"),
        ("Sí", "si"),
        ("SI", "sí"),
        ("GRÜSSE", "grüße"),
        ("Ja, das war ich", "JA"),
        ("да!", "ДА"),
        ("はい。", "はい"),
        ("I  AGREE\nto this", "i agree"),
        ("ｙｅｓ", "yes"),  # noqa: RUF001 - full-width letters are letters
        ("yes👍", "yes"),
        ("जी हाँ!", "हाँ"),
        ("ใช่ ครับ", "ใช่"),
    ],
)
def test_the_keyword_is_found_in_what_hurried_people_type(body: str, keyword: str):
    assert holds_keyword(body, keyword)


@pytest.mark.parametrize(
    ("body", "keyword"),
    [("", "yes"), ("no", "yes"), ("yesterday", "yes"), ("y e s", "yes"), ("agree I", "i agree"), ("हूँ", "हाँ")],
)
def test_part_of_a_word_is_not_the_keyword(body: str, keyword: str):
    assert not holds_keyword(body, keyword)


@pytest.mark.parametrize("word", ["yes", "YES1", "Sí", "Si\u0301", "はい", "हाँ", "ใช่", "نعم", "x" * 20])
def test_a_word_of_any_script_can_be_the_keyword_and_is_found_as_it_is(word: str):
    assert is_keyword(word)
    assert holds_keyword(f"- {word} -", word)


@pytest.mark.parametrize(
    "word", ["", " ", "\u0301", "👍", "yes!", "¿sí", "yes please", "a_b", "yes-please", "x" * 21, "Stop", "INFO"]
)
def test_what_is_no_word_or_is_for_twilio_cannot_be_the_keyword(word: str):
    assert not is_keyword(word)


@given(st.text(max_size=50))
def test_without_a_keyword_any_body_will_do(body: str):
    assert holds_keyword(body, None)


@pytest.mark.parametrize("around", ["", " ", ".", "!", " . ", "\n"])
@pytest.mark.parametrize("word", OPT_OUTS + OTHERS)
def test_a_word_that_is_for_twilio_is_recognised_as_it_is_typed(word: str, around: str):
    for typed in (word, word.upper(), word.title()):
        assert opts_out(f"{around}{typed}{around}")


@pytest.mark.parametrize("body", ["", "yes", "stop it", "please stop", "nonstop", "endless", "started", "helpful"])
def test_other_texts_do_not_opt_out(body: str):
    assert not opts_out(body)


@given(st.text(max_size=50))
def test_normalising_twice_changes_nothing_more(text: str):
    once = normalized(text)
    assert normalized(once) == once
