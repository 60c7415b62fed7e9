"""The body of one message."""

from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otp_feedback.domain.actions import Action
from otp_feedback.domain.texts import Body, Content, languages, parse_templates, render

TEMPLATES = parse_templates(
    """{
        "one": {"body": "Hi from {app}: {secret}"},
        "many": {"body": {"de": "{app}: {secret} ({minutes} Min.)", "en": "{app}: {secret} ({minutes} min)"}},
        "german": {"body": {"de": "{secret}!"}},
        "reply": {"action": "reply", "body": "Reply {keyword}"},
        "content": {
            "content_sid": "HX00000000000000000000000000000000",
            "variables": {"1": "{secret}", "2": "at {app}"}
        }
    }""",
    keyword="YES",
)


def test_a_code_in_english():
    body = render(action="code", language="en", app="Acme", minutes=10, secret="123456")
    assert body == Body("123456 is your Acme code. It expires in 10 min. Don't share it with anyone.")


def test_a_link_has_no_last_lines():
    body = render(
        action="link",
        language="en",
        app="Acme",
        minutes=10,
        link="https://example.com/confirm?id=x",
        secret="x",
        domain="example.com",
        app_hash="FA+9qCX9VSu",
    )
    assert body == Body("Acme: confirm your request within 10 min: https://example.com/confirm?id=x")


def test_a_reply_asks_for_the_keyword_where_there_is_one():
    assert render(action="reply", language="en", app="Acme", minutes=10, domain="example.com") == Body(
        "Acme: to confirm, reply to this message within 10 min."
    )
    assert render(action="reply", language="en", app="Acme", minutes=10, keyword="YES") == Body(
        "Acme: to confirm, reply YES within 10 min."
    )


@pytest.mark.parametrize(
    ("domain", "app_hash", "last_lines"),
    [
        (None, None, []),
        ("", "", []),
        ("example.com", None, ["@example.com #4F7K2Q"]),
        (None, "FA+9qCX9VSu", ["FA+9qCX9VSu"]),
        ("example.com", "FA+9qCX9VSu", ["FA+9qCX9VSu", "@example.com #4F7K2Q"]),
    ],
)
@pytest.mark.parametrize("action", ["code", "password", "caller"])
@pytest.mark.parametrize("template", [None, "one", "many"])
def test_the_last_lines(action, template, domain, app_hash, last_lines):
    def rendered(**last):
        body = render(
            action=action,
            language="de",
            app="Acme",
            minutes=10,
            secret="4F7K2Q",
            template=TEMPLATES[template] if template else None,
            **last,
        )
        assert isinstance(body, Body)
        return body.text

    assert rendered(domain=domain, app_hash=app_hash).split("\n") == rendered().split("\n") + last_lines


@pytest.mark.parametrize(
    ("template", "language", "text"),
    [
        ("one", "und", "Hi from Acme: 1"),
        ("one", "de", "Hi from Acme: 1"),
        ("many", "de", "Acme: 1 (5 Min.)"),
        ("many", "en", "Acme: 1 (5 min)"),
        ("many", "fr", "Acme: 1 (5 min)"),
        ("german", "en", "1!"),
    ],
)
def test_a_custom_body(template, language, text):
    template = TEMPLATES[template]
    assert render(action="code", language=language, app="Acme", minutes=5, secret="1", template=template) == Body(text)


def test_a_content_template():
    content = render(
        action="code",
        language="und",
        app="Acme",
        minutes=5,
        secret="123456",
        domain="example.com",
        app_hash="FA+9qCX9VSu",
        template=TEMPLATES["content"],
    )
    assert content == Content("HX00000000000000000000000000000000", MappingProxyType({"1": "123456", "2": "at Acme"}))


def test_a_language_without_a_text_gives_english():
    assert render(action="link", language="th", app="A", minutes=1, link="L") == render(
        action="link", language="en", app="A", minutes=1, link="L"
    )


def test_a_value_is_never_searched_for_placeholders():
    body = render(action="code", language="en", app="{secret}{minutes}{x}\\1", minutes=10, secret="{app}")
    assert body == Body("{app} is your {secret}{minutes}{x}\\1 code. It expires in 10 min. Don't share it with anyone.")


def test_a_repr_shows_no_secret():
    body = render(action="code", language="en", app="Acme", minutes=10, secret="123456")
    content = render(
        action="code", language="en", app="Acme", minutes=10, secret="123456", template=TEMPLATES["content"]
    )
    assert "123456" not in repr(body) + repr(content)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


@settings(deadline=None)
@given(data=st.data())
def test_no_value_raises(data):
    action = data.draw(st.sampled_from(list(Action)))
    secret = data.draw(st.none() | ANY_TEXT)
    domain = data.draw(st.none() | st.just("example.com"))
    rendered = render(
        action=action,
        language=data.draw(st.sampled_from(languages(action)) | ANY_TEXT),
        app=data.draw(ANY_TEXT),
        minutes=data.draw(st.integers()),
        secret=secret,
        link=data.draw(st.none() | ANY_TEXT),
        keyword=data.draw(st.none() | ANY_TEXT),
        domain=domain,
        app_hash=data.draw(st.none() | ANY_TEXT),
        template=data.draw(st.none() | st.sampled_from(list(TEMPLATES.values()))),
    )
    if isinstance(rendered, Body) and domain and secret and action.traits.autofill:
        assert rendered.text.endswith(f"\n@example.com #{secret}")
