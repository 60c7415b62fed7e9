"""The API's page, by keyboard and without script."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_route_is_found_and_its_examples_are_opened_by_keyboard(visit, script: bool):
    with visit(java_script_enabled=script) as visitor:
        page = visitor.page
        page.goto(f"{visitor.stack.api_url}/docs")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the routes")).to_be_focused()
        page.get_by_role("navigation").get_by_role("link", name="POST /verifications", exact=True).focus()
        page.keyboard.press("Enter")
        assert page.url.endswith("/docs#startVerification")
        route = page.get_by_role("article", name="Start a verification")
        expect(route.get_by_role("heading", level=3)).to_be_in_viewport()
        example = route.get_by_role("group").filter(has=page.get_by_text("Example: own secret", exact=True))
        expect(example.locator("pre")).to_be_hidden()
        example.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(example.locator("pre")).to_contain_text('"secret": "7QX2M9"')
        route.get_by_role("link", name="too-many-messages").click()
        expect(page.get_by_role("article", name="too-many-messages")).to_contain_text("Try again in 30 s.")
