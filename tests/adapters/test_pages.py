"""The page behind a link: well-formed, one button, no script, nothing unescaped, one look for every failure."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import override

import pytest

from otp_feedback.adapters.web.page import asking_page, html_response, result_page, security_headers
from otp_feedback.adapters.web.twiml import redirect_verb, twiml_response
from otp_feedback.domain.texts import PAGE_LANGUAGES, page_texts

LINK = "0" * 22 + "7" + "z" * 21
VOID = {"meta", "input", "path", "circle", "link", "br"}


class Page(HTMLParser):
    """The elements of a page; fails where one is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "title"}:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_the_asking_page_has_one_form_one_button_and_no_script(language: str):
    html = asking_page(page_texts(language, "Acme"), LINK)
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert page.all("html")[0]["lang"] == language
    assert page.all("form") == [{"method": "post", "action": "confirm"}]
    assert page.all("input") == [{"type": "hidden", "name": "id", "value": LINK}]
    assert len(page.all("button")) == len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    assert not page.all("script")
    assert not any(name.startswith("on") for _, attributes in page.found for name in attributes)
    assert not any(name in {"src", "href", "style"} for _, attributes in page.found for name in attributes)
    assert "Acme" in "".join(page.words)


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
@pytest.mark.parametrize("confirmed", [True, False])
def test_the_result_page_tells_and_asks_for_nothing(language: str, *, confirmed: bool):
    page = Page(result_page(page_texts(language, "Acme"), confirmed=confirmed))
    assert len(page.all("h1")) == len(page.all("title")) == 1
    assert not page.all("form")
    assert not page.all("script")
    assert "".join(page.words).strip()


def test_success_and_failure_read_differently():
    texts = page_texts("en", "Acme")
    assert result_page(texts, confirmed=True) != result_page(texts, confirmed=False)


@pytest.mark.parametrize("app", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "A & B", "\u202eemca"])
def test_the_applications_name_is_escaped(app: str):
    page = Page(asking_page(page_texts("en", app), LINK))
    assert not page.all("script")
    assert not page.all("img")
    assert app in "".join(page.words)


@pytest.mark.parametrize("link", ['"><script>', "'", "<", "&amp;"])
def test_the_id_is_escaped(link: str):
    page = Page(asking_page(page_texts("en", "Acme"), link))
    assert page.all("input")[0]["value"] == link
    assert not page.all("script")


def test_the_policy_allows_this_style_and_nothing_else():
    html = asking_page(page_texts("en", "Acme"), LINK)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = security_headers(None)["Content-Security-Policy"]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://app.example.com/done?x=1", "https://app.example.com"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
    ],
)
def test_the_policy_lets_the_form_go_on_to_the_success_urls_origin(url: str, origin: str):
    assert f"form-action 'self' {origin};" in security_headers(url)["Content-Security-Policy"]


def test_a_page_is_html_in_utf_8_with_every_protection():
    reply = html_response(303, "<p>", "https://a.example/", {"Location": "https://a.example/"})
    assert (reply.status, reply.content_type) == (303, "text/html; charset=utf-8")
    assert reply.headers == {**security_headers("https://a.example/"), "Location": "https://a.example/"}


def test_twiml_is_xml_and_a_url_in_it_is_escaped():
    reply = twiml_response(redirect_verb("https://bot.example/?a=1&b=<2>"))
    assert (reply.status, reply.content_type) == (200, "text/xml; charset=utf-8")
    assert reply.body == (
        '<?xml version="1.0" encoding="UTF-8"?><Response>'
        '<Redirect method="POST">https://bot.example/?a=1&amp;b=&lt;2&gt;</Redirect></Response>'
    )
    assert twiml_response().body == '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
