"""Both pages in every state: no violation that axe finds, nothing wider than a small screen, a picture to look at."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from otp_feedback.adapters.web.page import asking_page, result_page
from otp_feedback.domain.texts import PAGE_LANGUAGES, page_texts
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOOKS = [(scheme, width) for scheme in SCHEMES for width in (320, 1280)]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LONG_NAME = "Donaudampfschifffahrtsgesellschaftskapitän"


def looks_right(page: Page, name: str, screenshots: Path) -> None:
    """Run all rules of axe (https://github.com/dequelabs/axe-core) on a page, light and dark, small and wide."""
    page.evaluate(AXE)
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 640 if width == 320 else 800})
        page.screenshot(path=screenshots / f"{name}-{scheme}-{width}.png", full_page=True)
        found = page.evaluate("axe.run({ resultTypes: ['violations'], iframes: false })")
        problems = [(problem["id"], [node["html"] for node in problem["nodes"]]) for problem in found["violations"]]
        assert problems == [], (name, scheme, width)
        assert len(found["passes"]) > 10
        assert page.evaluate(OVERFLOW) <= 0, (name, scheme, width)


@pytest.fixture
def inspected(visit):
    """A visitor whose pages let axe in."""
    with visit(bypass_csp=True) as visitor:
        yield visitor


@pytest.mark.parametrize("action", ["link", "caller"])
def test_the_phone_with_a_message(inspected: Visitor, number: str, screenshots: Path, action: str):
    inspected.open_phone(number)
    inspected.start(action, **{"Your own code": "Q7X2M9"} if action == "caller" else {})
    inspected.expect_steps("✓ sent", "✓ delivered", "○ confirmed", "○ feedback: unconfirmed")
    looks_right(inspected.page, f"phone-{action}", screenshots)


def test_the_phone_before_and_after(inspected: Visitor, number: str, screenshots: Path):
    inspected.open_phone(number)
    looks_right(inspected.page, "phone-empty", screenshots)
    inspected.start("code", Language="ar")
    inspected.check("000000x")
    inspected.expect_result("Refused: The secret is wrong. Attempts left: 4.")
    looks_right(inspected.page, "phone-wrong", screenshots)
    inspected.check(inspected.code())
    inspected.expect_result("Confirmed.")
    inspected.expect_steps("✓ sent", "✓ delivered", "✓ confirmed", "✓ feedback: confirmed")
    looks_right(inspected.page, "phone-confirmed", screenshots)


def test_the_phone_with_an_undelivered_message(inspected: Visitor, screenshots: Path):
    inspected.open_phone("+15005550148").start("code")
    inspected.expect_steps("✓ sent", "✗ undelivered 30003", "○ confirmed", "○ feedback: unconfirmed")
    inspected.press("Cancel")
    looks_right(inspected.page, "phone-undelivered", screenshots)


def test_the_link_asks_confirms_and_refuses(visit, number: str, screenshots: Path):
    with visit(bypass_csp=True, refusals=1) as visitor:
        visitor.open_phone(number).start("link")
        link = visitor.open_link()
        looks_right(visitor.page, "link-asks", screenshots)
        visitor.tap()
        visitor.expect_heading("Confirmed")
        looks_right(visitor.page, "link-confirmed", screenshots)
        visitor.page.goto(link[:-1])
        visitor.expect_heading("This could not be confirmed")
        looks_right(visitor.page, "link-refused", screenshots)


def test_the_link_asks_from_right_to_left(visit, number: str, screenshots: Path):
    with visit(bypass_csp=True, locale="ar-EG") as visitor:
        visitor.open_phone(number).start("link")
        visitor.open_link()
        looks_right(visitor.page, "link-arabic", screenshots)


def test_the_link_fits_a_small_screen_in_every_language(chromium: Browser):
    context = chromium.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    for language in PAGE_LANGUAGES:
        texts = page_texts(language, LONG_NAME)
        for html in (asking_page(texts, "W" * 44), *(result_page(texts, confirmed=good) for good in (True, False))):
            page.set_content(html)
            assert page.evaluate(OVERFLOW) <= 0, language
            # A page is announced by its title, so title and heading say the same; more follows in the text.
            assert page.locator("h1").inner_text() == page.title()
            assert page.locator("p").first.inner_text().strip()
            assert page.title()[-1] not in ".。"
    context.close()
