"""The language of a text: the caller's, else the stack's, else that of the number's country."""

import pytest


@pytest.mark.parametrize(
    ("settings", "asked", "begins"),
    [
        ({}, {}, "ist Ihr Code"),
        ({}, {"locale": "fr"}, "est votre code"),
        ({"OTP_LANGUAGE": "es"}, {}, "es tu código"),
        ({"OTP_LANGUAGE": "es"}, {"locale": "en"}, "is your"),
    ],
    ids=["country", "caller", "stack", "caller before stack"],
)
def test_the_text_is_in_the_language_that_was_chosen(running, settings, asked, begins):
    loop = running(**settings)
    started = loop.started(**asked)
    (message,) = loop.messages(started.to)
    assert begins in message["body"]
