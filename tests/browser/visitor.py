"""A person at a real browser, who notices what must not happen there: errors, and requests to anywhere else."""

import ipaddress
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect

from local.stack import Stack

TIMEOUT_MS = 15_000


def is_own(url: str) -> bool:
    """Whether a URL stays on this machine."""
    parts = urlsplit(url)
    if parts.scheme in ("about", "data", "blob"):
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


@dataclass
class Seen:
    """What a browser reported."""

    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        """Take in a line of the console; Chromium writes one for a page whose status is an error."""
        if re.fullmatch(r"Failed to load resource: the server responded with a status of 400 \(.*\)", message.text):
            self.refused.append(urlsplit(message.location["url"]).path)
        else:
            self.console.append(f"{message.type}: {message.text}")


@contextmanager
def visiting(browser: Browser, stack: Stack, *, refusals: int = 0, **options: Any) -> Iterator["Visitor"]:
    """A visitor with a profile of its own.

    Fails at the end if the browser asked for anything elsewhere, or wrote to its console.

    Parameters
    ----------
    refusals
        How often the confirm page will say no.
    options
        Those of the browser's context.
    """
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | options)
    context.set_default_timeout(TIMEOUT_MS)
    seen = Seen()
    context.on("request", lambda request: None if is_own(request.url) else seen.foreign.append(request.url))
    context.on("console", seen.hear)
    context.on("weberror", lambda error: seen.errors.append(str(error.error)))

    def refuse(route: Route) -> None:
        seen.foreign.append(route.request.url)
        route.abort()

    context.route(lambda url: not is_own(url), refuse)
    try:
        yield Visitor(context, context.new_page(), stack, seen)
    finally:
        context.close()
    assert seen.foreign == []
    assert seen.errors == []
    assert seen.console == []
    assert seen.refused == ["/confirm"] * refusals


@dataclass
class Visitor:
    """Uses the phone page and the links it shows, as anybody would: by what can be read there."""

    context: BrowserContext
    page: Page
    stack: Stack
    seen: Seen

    def open_phone(self, number: str) -> Self:
        """Look at a phone."""
        self.page.goto(f"{self.stack.api_url}/?number={quote(number)}")
        return self

    def start(self, action: str, **fields: str) -> Self:
        """Have the application start a verification for the phone that is shown; `fields` by their labels."""
        self.page.get_by_label("Action to track").select_option(action)
        for label, value in fields.items():
            self.page.get_by_label(label).fill(value)
        self.page.get_by_role("button", name="Start for").click()
        self.expect_result("Message sent.")
        return self

    def press(self, name: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def check(self, secret: str, label: str = "Code") -> None:
        """Enter a secret and have it checked."""
        self.page.get_by_label(label, exact=True).fill(secret)
        self.press("Check")

    def message(self) -> str:
        """The newest message's text."""
        return self.page.locator("article .body").first.inner_text()

    def code(self) -> str:
        """The code in the newest message."""
        found = re.search(r"\b[0-9]{6}\b", self.message())
        assert found
        return found[0]

    def open_link(self) -> str:
        """Tap the link in the newest message; its URL."""
        link = self.page.locator("article .body a").first
        url = link.get_attribute("href")
        assert url
        link.click()
        self.page.wait_for_url(url)
        return url

    def tap(self) -> None:
        """Tap the confirm page's one button."""
        self.page.get_by_role("button").click()

    def expect_result(self, text: str) -> None:
        """Wait for what the application says came of it."""
        expect(self.page.locator("#result")).to_have_text(text)

    def expect_fact(self, term: str, value: str) -> None:
        """Wait until the verification that is shown says so."""
        row = self.page.locator("#verification dl > div").filter(has=self.page.get_by_text(term, exact=True))
        expect(row.get_by_role("definition")).to_have_text(value)

    def expect_steps(self, *labels: str, page: Page | None = None) -> None:
        """Wait until the newest message's steps read so, as a sighted person sees them."""
        steps = (page or self.page).locator("article").first.get_by_role("listitem")
        expect(steps).to_have_text([re.compile(rf"^\s*{re.escape(label)}( not yet)?\s*$") for label in labels])

    def expect_heading(self, text: str) -> None:
        """Wait for a page that says so, in its heading."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(text)

    def status(self, verification_id: str) -> str:
        """The verification's status, as its caller is told."""
        view = self.context.request.get(f"{self.stack.api_url}/verifications/{verification_id}").json()
        return str(view["status"])

    def shown_verification(self) -> str:
        """The id of the verification that the page shows."""
        return self.page.locator("#verification code").inner_text()

    def feedback(self, number: str) -> list[Any]:
        """What Twilio holds for a number's messages, oldest first."""
        messages = self.context.request.get(f"{self.stack.twilio_url}/_emulator/messages").json()
        return [message["feedback"] for message in messages if message["to"] == number]

    def fail_feedback(self, times: int) -> None:
        """Have Twilio fail the next reports."""
        fault = {"operation": "feedback", "fault": "status", "status": 503, "times": times}
        assert self.context.request.post(f"{self.stack.twilio_url}/_emulator/faults", data=fault).ok
