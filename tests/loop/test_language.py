"""The language of a text: the caller's, else the stack's, else that of the number's country."""

import pytest

from tests.loop.driver import fresh_number, problem_of


@pytest.mark.parametrize(
    ("settings", "asked", "begins"),
    [
        ({}, {}, "ist Ihr Code"),
        ({}, {"locale": "fr"}, "est votre code"),
        ({"OTP_LANGUAGE": "es"}, {}, "es tu código"),
        ({"OTP_LANGUAGE": "es"}, {"locale": "en"}, "is your"),
        ({}, {"locale": "fr_CA.UTF-8"}, "est votre code"),
        ({}, {"locale": "cy, en_US"}, "is your"),
    ],
    ids=["country", "caller", "stack", "caller before stack", "as devices write it", "this or English"],
)
def test_the_text_is_in_the_language_that_was_chosen(running, settings, asked, begins):
    loop = running(**settings)
    started = loop.started(**asked)
    (message,) = loop.messages(started.to)
    assert begins in message["body"]


def test_another_message_speaks_the_same_language_of_several(loop):
    started = loop.started("link", locale="th, cy, fr_FR, en")
    assert loop.record(started.verification_id)["lo"] == {"S": "fr-FR"}
    loop.advance(31)
    assert loop.another(started.verification_id).status_code == 202
    first, second = (message["body"].partition("http")[0] for message in loop.messages(started.to))
    assert first == second
    assert "confirmez" in first


def test_the_same_key_with_another_spelling_of_the_locale_is_another_body(loop):
    to = fresh_number()
    assert loop.start(to, key="locale", locale="fr_FR").status_code == 202
    assert loop.start(to, key="locale", locale="fr_FR").status_code == 202
    assert problem_of(loop.start(to, key="locale", locale="fr-FR")) == "idempotency-conflict"
