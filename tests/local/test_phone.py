"""The phone page, as a browser without script uses it."""

import html
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.local.conftest import PLAIN


@pytest.fixture
def browser(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"Origin": stack.api_url}
    with httpx.Client(
        base_url=stack.api_url, headers=headers, follow_redirects=True, trust_env=False, verify=PLAIN
    ) as client:
        yield client


def inbox(browser: httpx.Client, number: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = browser.get("/_local/phone", params={"number": number}).json()["messages"]
    return messages


def holds(browser: httpx.Client, number: str, name: str, value: object) -> bool:
    return bool(inbox(browser, number)[0][name] == value)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 8
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def press(browser: httpx.Client, number: str, do: str, **fields: str) -> str:
    answer = browser.post("/_local/phone", data={"number": number, "do": do, **fields})
    assert answer.status_code == 200, answer.text
    assert answer.history[0].status_code == 303
    return answer.text


def result(page: str) -> str:
    found = re.search(r'role="status"[^>]*>([^<]*)<', page)
    assert found
    return html.unescape(found[1])


def shown_verification(page: str) -> str:
    found = re.search(r'name="verification" value="([^"]+)"', page)
    assert found
    return found[1]


def secret(message: dict[str, Any], pattern: str) -> str:
    found = re.search(pattern, "".join(part["text"] for part in message["parts"]))
    assert found
    return found[0]


def test_a_code_is_received_entered_and_reported(browser: httpx.Client):
    number = "+14155550131"
    page = press(browser, number, "start", action="code")
    assert result(page) == "Message sent."
    verification = shown_verification(page)
    code = secret(inbox(browser, number)[0], "[0-9]{6}")
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    refused = press(browser, number, "check", verification=verification, secret=wrong)
    assert result(refused) == "Refused: The secret is wrong. Attempts left: 4."
    page = press(browser, number, "check", verification=verification, secret=f" {code} ")
    assert result(page) == "Confirmed."
    until(partial(holds, browser, number, "feedback", "confirmed"))
    until(partial(holds, browser, number, "status", "delivered"))
    page = browser.get("/", params={"number": number}).text
    assert "<strong>confirmed</strong>, proof: secret" in page
    assert len(re.findall(r'<li class="done">', page)) == 4


def test_a_link_can_be_tapped(browser: httpx.Client):
    number = "+14155550132"
    press(browser, number, "start", action="link")
    (link,) = [part["text"] for part in inbox(browser, number)[0]["parts"] if part["link"]]
    page = browser.get("/", params={"number": number}).text
    assert f'href="{link}"' in html.unescape(page)
    assert browser.get(link).status_code == 200


def test_a_reply_and_a_call_go_to_the_webhooks(browser: httpx.Client):
    for number, do in (("+14155550133", "reply"), ("+14155550134", "call")):
        press(browser, number, "start", action="reply")
        until(partial(holds, browser, number, "status", "delivered"))
        page = press(browser, number, do, sender=inbox(browser, number)[0]["sender"], body="yes")
        assert result(page) == "The webhook answered 200."
        until(partial(holds, browser, number, "confirmed", True))


def test_the_callers_own_word(browser: httpx.Client):
    number = "+14155550135"
    page = press(browser, number, "start", action="caller", secret="Q7X2M9")
    assert result(press(browser, number, "confirm", verification=shown_verification(page))) == "Confirmed."


def test_the_other_buttons(browser: httpx.Client, stack: Stack):
    number = "+14155550136"
    verification = shown_verification(press(browser, number, "start", action="code"))
    refused = result(press(browser, number, "another", verification=verification))
    assert re.fullmatch(r"Refused: Too many messages were sent\. Try again in [0-9]+ s\.", refused)
    assert result(press(browser, number, "cancel", verification=verification)) == "Canceled."
    offset = stack.clock.offset_ms
    assert "Ten minutes" in result(press(browser, number, "later", verification=verification))
    assert stack.clock.offset_ms == offset + 601_000


def test_what_was_typed_is_kept_when_it_is_refused(browser: httpx.Client):
    number = "+14155550141"
    page = press(browser, number, "start", action="caller", locale='"xx"', secret="a b")
    assert result(page).startswith("Refused: secret ")
    assert '<option value="caller" selected>' in page
    assert 'name="locale" value="&#34;xx&#34;"' in page
    assert 'id="own-secret" name="secret" value="a b"' in page
    page = press(browser, number, "start", action="link", locale="xx")
    assert result(page).startswith("Refused: locale must ")
    assert '<option value="link" selected>' in page
    verification = shown_verification(press(browser, number, "start", action="code"))
    page = press(browser, number, "check", verification=verification, action="code", secret="12 34")
    assert result(page).startswith("Refused: The secret is wrong.")
    assert 'id="secret" name="secret" value="12 34"' in page
    assert 'id="own-secret" name="secret" value=""' in page
    page = press(browser, number, "cancel", verification=verification)
    assert 'value="12 34"' not in page


def test_an_undelivered_message_says_so(browser: httpx.Client):
    number = "+15005550137"
    press(browser, number, "start", action="code")
    until(partial(holds, browser, number, "status", "undelivered"))
    assert "undelivered 30003" in browser.get("/", params={"number": number}).text


def test_what_a_message_says_is_no_markup(browser: httpx.Client, stack: Stack):
    message = {"To": "+14155550138", "From": "+14155550100", "Body": "<script>alert(1)</script> http://evil.example/x"}
    stack.twilio.account.create(message)
    page = browser.get("/", params={"number": "+14155550138"}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert 'href="http://evil' not in page


@pytest.mark.parametrize("path", ["/", "/_local/phone", "/_local/phone.js", "/_local/phone.css", "/_local/phone.svg"])
def test_the_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(browser: httpx.Client, path: str):
    answer = browser.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["referrer-policy"] == "same-origin"
    if path == "/":
        assert re.findall(r'(?:src|href)="(?!/_local/)([^"]*)"', answer.text) == ["/docs"]
        assert re.search(r"\son\w+=|<style|javascript:|style=", answer.text) is None


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_another_page_cannot_press_its_buttons(browser: httpx.Client, stack: Stack, origin: str):
    held = len(stack.twilio.account.all())
    answer = browser.post(
        "/_local/phone",
        data={"number": "+14155550139", "do": "start", "action": "code"},
        headers={"Origin": origin},
    )
    assert answer.status_code == 403
    assert len(stack.twilio.account.all()) == held


def test_an_unknown_button_is_refused(browser: httpx.Client):
    assert browser.post("/_local/phone", data={"number": "+1", "do": "explode"}).status_code == 400


def test_every_field_has_a_label(browser: httpx.Client):
    press(browser, "+14155550140", "start", action="code")
    page = browser.get("/", params={"number": "+14155550140"}).text
    labelled = set(re.findall(r'<label for="([^"]+)"', page))
    fields = re.findall(r'<(?:input|select)(?![^>]*type="hidden")[^>]*id="([^"]+)"', page)
    assert fields
    assert set(fields) <= labelled
    assert len(re.findall(r'\sid="([^"]+)"', page)) == len(set(re.findall(r'\sid="([^"]+)"', page)))
