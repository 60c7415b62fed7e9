"""The link's page in a browser: asks in the reader's language, confirms by its one button, with and without script."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from local.stack import Stack
from tests.browser.conftest import PATIENT, QUICK
from tests.browser.shop import Shop
from tests.browser.visitor import Visitor, visiting
from tests.loop.driver import forged_link_id

pytestmark = pytest.mark.browser

FAILURE = "This could not be confirmed"


class Visit(Protocol):
    def __call__(self, **options: Any) -> AbstractContextManager[Visitor]: ...


@pytest.mark.parametrize("script", [True, False])
def test_opening_it_confirms_nothing_and_tapping_confirms_once(visit: Visit, number: str, script: bool):
    with visit(java_script_enabled=script) as visitor:
        visitor.open_phone(number).start("link", Language="en")
        verification = visitor.shown_verification()
        link = visitor.open_link()
        visitor.expect_heading("Confirm your request")
        expect(visitor.page.get_by_text("Acme asks you to confirm your request.")).to_be_visible()
        expect(visitor.page.get_by_role("button")).to_have_count(1)
        visitor.page.reload()
        visitor.page.goto(link)
        assert visitor.status(verification) == "pending"
        assert visitor.feedback(number) == ["unconfirmed"]

        visitor.tap()
        visitor.expect_heading("Confirmed")
        expect(visitor.page).to_have_title("Confirmed")
        expect(visitor.page.get_by_role("button")).to_have_count(0)
        assert visitor.page.url == f"{visitor.stack.api_url}/confirm"
        assert visitor.status(verification) == "confirmed"
        assert visitor.feedback(number) == ["confirmed"]

        visitor.page.goto(link)
        visitor.tap()
        visitor.expect_heading("Confirmed")
        expect(visitor.page).to_have_title("Confirmed")
        assert visitor.feedback(number) == ["confirmed"]


def test_a_double_tap_a_reload_and_the_back_button_show_success(visit: Visit, number: str):
    with visit() as visitor:
        visitor.open_phone(number).start("link", Language="en")
        verification = visitor.shown_verification()
        visitor.open_link()
        visitor.page.get_by_role("button").dblclick()
        visitor.expect_heading("Confirmed")
        assert visitor.status(verification) == "confirmed"
        visitor.page.reload()
        visitor.expect_heading("Confirmed")
        visitor.page.go_back()
        visitor.tap()
        visitor.expect_heading("Confirmed")
        assert visitor.feedback(number) == ["confirmed"]


def test_whatever_is_wrong_with_a_link_its_page_says_the_same(visit: Visit, number: str):
    with visit(refusals=4) as visitor:
        visitor.open_phone(number).start("link")
        link = visitor.open_link()
        visitor.stack.advance_clock(601)
        said = []
        for url in (link, f"{visitor.stack.api_url}/confirm?id={forged_link_id('A' * 22)}"):
            visitor.page.goto(url)
            visitor.tap()
            visitor.expect_heading(FAILURE)
            said.append(visitor.page.content())
        for url in (link[:-1], f"{visitor.stack.api_url}/confirm"):
            visitor.page.goto(url)
            visitor.expect_heading(FAILURE)
            said.append(visitor.page.content())
        assert said == said[:1] * 4


@pytest.mark.parametrize(
    ("locale", "language", "direction", "button", "done"),
    [
        ("de-AT", "de", "ltr", "Bestätigen", "Bestätigt"),
        ("ja-JP", "ja", "ltr", "確認する", "確認が完了しました"),
        ("ar-EG", "ar", "rtl", "تأكيد", "تم التأكيد"),
        ("cy-GB", "en", "ltr", "Confirm", "Confirmed"),
    ],
)
def test_it_speaks_the_browsers_language(
    visit: Visit, number: str, locale: str, language: str, direction: str, button: str, done: str
):
    with visit(locale=locale) as visitor:
        visitor.open_phone(number).start("link")
        visitor.open_link()
        root = visitor.page.locator("html")
        expect(root).to_have_attribute("lang", language)
        expect(root).to_have_css("direction", direction)
        expect(visitor.page.locator("main")).to_contain_text("Acme")
        visitor.press(button)
        visitor.expect_heading(done)
        expect(root).to_have_attribute("lang", language)


def test_it_works_by_keyboard_alone(visit: Visit, number: str):
    with visit() as visitor:
        visitor.open_phone(number).start("link")
        visitor.open_link()
        visitor.page.keyboard.press("Tab")
        button = visitor.page.get_by_role("button")
        expect(button).to_be_focused()
        expect(button).to_have_css("outline-style", "solid")
        expect(button).to_have_css("outline-width", "3px")
        visitor.page.keyboard.press("Enter")
        visitor.expect_heading("Confirmed")


def test_its_policy_lets_no_script_in(visit: Visit, number: str):
    with visit() as visitor:
        visitor.open_phone(number).start("link")
        visitor.open_link()
        added = visitor.page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.ran = true";
                document.body.append(script);
                return window.ran === true;
            }"""
        )
        assert not added
        assert any("Content Security Policy" in line for line in visitor.seen.console)
        visitor.seen.console.clear()


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


@pytest.fixture(scope="module")
def going_on(chromium: Browser, shop: Shop) -> Iterator[Visit]:
    """Visits to a stack that leads to the shop when a link was confirmed."""
    with Stack(delays=QUICK, parameters={"SuccessUrl": shop.url, **PATIENT}) as stack:
        yield partial(visiting, chromium, stack, ignore_https_errors=True)


def test_after_confirming_it_goes_where_the_stack_says_and_takes_nothing_along(
    going_on: Visit, shop: Shop, number: str
):
    with going_on() as visitor:
        visitor.open_phone(number).start("link")
        (link_id,) = parse_qs(urlsplit(visitor.open_link()).query)["id"]
        shop.visits.clear()
        visitor.tap()
        visitor.expect_heading("Welcome back")
        assert visitor.page.url == shop.url
        assert [(visit.method, visit.target) for visit in shop.visits] == [("GET", "/welcome?from=link")]
        assert "referer" not in shop.visits[0].headers
        assert link_id not in str(shop.visits)
        assert visitor.feedback(number) == ["confirmed"]


def test_the_browser_would_not_go_there_had_the_page_not_named_it(going_on: Visit, shop: Shop, number: str):
    with going_on() as visitor:

        def forget(route: Route) -> None:
            answer = route.fetch()
            policy = re.sub(
                r"form-action 'self' [^;]*", "form-action 'self'", answer.headers["content-security-policy"]
            )
            route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})

        visitor.context.route("**/confirm?*", forget)
        visitor.open_phone(number).start("link")
        visitor.open_link()
        shop.visits.clear()
        with visitor.page.expect_console_message(lambda message: "form-action" in message.text):
            visitor.tap()
        assert shop.visits == []
        visitor.seen.console.clear()


def test_an_address_that_asks_to_go_elsewhere_is_not_obeyed(going_on: Visit, shop: Shop, number: str):
    with going_on() as visitor:
        visitor.open_phone(number).start("link")
        visitor.page.goto(f"{visitor.open_link()}&next=https://127.0.0.1:1/&SuccessUrl=https://127.0.0.1:1/")
        visitor.tap()
        visitor.expect_heading("Welcome back")
        assert visitor.page.url == shop.url


def test_a_stack_may_choose_that_opening_confirms(chromium: Browser, number: str):
    with (
        Stack(delays=QUICK, parameters={"LinkConfirmation": "open", **PATIENT}) as stack,
        visiting(chromium, stack) as visitor,
    ):
        visitor.open_phone(number).start("link")
        verification = visitor.shown_verification()
        visitor.open_link()
        visitor.expect_heading("Confirmed")
        assert visitor.status(verification) == "confirmed"
        assert visitor.feedback(number) == ["confirmed"]
        visitor.page.reload()
        visitor.expect_heading("Confirmed")
