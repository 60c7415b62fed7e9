"""A link: opening it shows a page and changes nothing, tapping its button confirms."""

import base64
import re
from typing import Any

import pytest

from otp_feedback.domain.ids import encode_id
from otp_feedback.domain.links import link_id
from otp_feedback.domain.secret import Secret
from tests.loop.driver import Loop, forged_link_id, problem_of

USER_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15",
    "WhatsApp/2.24",
    "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "TelegramBot (like TwitterBot)",
    "Slackbot-LinkExpanding 1.0",
    "Googlebot/2.1",
    "Mozilla/5.0 (Windows NT 10.0) SafeLinks",
    "curl/8.9",
    "-",
    "x" * 2000,
)


A_LINK = link_id("A" * 22, 1, Secret("0f" * 16))


def policy_of(response: Any) -> dict[str, str]:
    """The Content-Security-Policy's directives."""
    directives = (part.strip().partition(" ") for part in response.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in directives}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_it_twenty_times_with_any_user_agent_reads_and_changes_nothing(loop: Loop, method: str):
    started = loop.started("link")
    link = loop.link_id(started.to)
    with loop.unchanged(), loop.watching() as calls:
        answers = [
            loop.request(method, "/confirm", params={"id": link}, headers={"User-Agent": agent})
            for agent in USER_AGENTS * 2
        ]
    assert [call for call in calls if not call.startswith("secretsmanager")] == []
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text == "" for answer in answers} == {method == "HEAD"}
    loop.report_due()
    assert loop.reports(started.sid) == []
    assert loop.view(started.verification_id)["status"] == "pending"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_page_may_not_be_kept_framed_or_leak_its_address(loop: Loop, method: str):
    started = loop.started("link")
    response = loop.request(method, "/confirm", params={"id": loop.link_id(started.to)})
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = policy_of(response)
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "script-src" not in policy
    assert "unsafe" not in response.headers["content-security-policy"]


def test_every_answer_of_the_page_carries_the_same_protection(loop: Loop):
    started = loop.started("link")
    link = loop.link_id(started.to)
    answers = [
        loop.request("GET", "/confirm", params={"id": link}),
        loop.request("GET", "/confirm"),
        loop.tap("nonsense"),
        loop.tap(link),
        loop.tap(link),
        loop.request("POST", "/confirm", content=b"\xff\xfe"),
    ]
    kept = ("cache-control", "referrer-policy", "content-security-policy", "x-content-type-options", "x-frame-options")
    assert len({tuple(answer.headers[name] for name in kept) for answer in answers}) == 1


def test_tapping_confirms_once_and_reports_once(loop: Loop):
    started = loop.started("link")
    link = loop.link_id(started.to)
    assert loop.tap(link).status_code == 200
    view = loop.view(started.verification_id)
    assert (view["status"], view["proof"], view["message"]) == ("confirmed", "secret", 1)
    with loop.unchanged():
        loop.tap(link)
    loop.report_due()
    assert len(loop.reports(started.sid)) == 1
    assert loop.outcome(started.sid) == "confirmed"


def test_whoever_holds_the_very_link_that_confirmed_is_shown_success_again(loop: Loop):
    """A double tap, a reload, the back button; after its expiry, too."""
    started = loop.started("link")
    link = loop.link_id(started.to)
    first = loop.tap(link)
    for wait_s in (0, 601):
        loop.advance(wait_s)
        with loop.unchanged(), loop.watching() as calls:
            again = loop.tap(link)
        assert (again.status_code, again.text) == (200, first.text)
        assert [call for call in calls if not call.startswith("secretsmanager")] == ["dynamodb:UpdateItem"]
    assert loop.view(started.verification_id)["attempts_left"] == 4


def test_another_link_of_a_confirmed_verification_is_refused_as_ever(loop: Loop):
    started = loop.started("link")
    first = loop.link_id(started.to)
    loop.advance(31)
    loop.another(started.verification_id)
    second = loop.link_id(started.to)
    assert loop.tap(second).status_code == 200
    with loop.unchanged():
        answers = [loop.tap(first), loop.tap(forged_link_id(started.verification_id))]
    assert {(answer.status_code, answer.text) for answer in answers} == {(400, loop.tap("").text)}


def test_the_page_posts_the_id_that_it_was_opened_with(loop: Loop):
    started = loop.started("link")
    link = loop.link_id(started.to)
    page = loop.request("GET", "/confirm", params={"id": link}).text
    assert re.search(r'<form method="post" action="confirm">', page)
    assert f'<input type="hidden" name="id" value="{link}">' in page
    assert page.count("<button") == 1
    assert "<script" not in page


def test_a_link_works_whatever_is_wrong_with_its_id_in_one_way(loop: Loop):
    started = loop.started("link")
    link = loop.link_id(started.to)
    loop.tap(link)
    canceled = loop.started("link")
    loop.cancel(canceled.verification_id)
    expired = loop.started("link")
    loop.advance(601)
    answers = [
        loop.tap(loop.link_id(canceled.to)),
        loop.tap(loop.link_id(expired.to)),
        loop.tap(forged_link_id(started.verification_id)),
        loop.tap(forged_link_id("A" * 22)),
        loop.tap(""),
        loop.tap("x" * 5000),
        loop.request("POST", "/confirm"),
        loop.request("POST", "/confirm", content=b"\xff" * 10),
        loop.request("POST", "/confirm", content=b"id=" + b"a" * 1_000_000),
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(400, answers[0].text)}


def test_a_late_tap_is_reported_but_does_not_confirm(loop: Loop):
    started = loop.started("link")
    loop.advance(601)
    assert loop.tap(loop.link_id(started.to)).status_code == 400
    loop.stack.run_schedules()
    assert loop.outcome(started.sid) == "confirmed"
    assert loop.view(started.verification_id)["status"] == "expired"


def test_guessing_link_secrets_is_limited_as_codes_are(loop: Loop):
    started = loop.started("link")
    for _ in range(5):
        loop.tap(forged_link_id(started.verification_id))
    assert loop.view(started.verification_id)["status"] == "locked"
    assert loop.tap(loop.link_id(started.to)).status_code == 400
    assert loop.view(started.verification_id)["status"] == "locked"


NO_LINK_IDS = (
    "",
    "id=",
    "id=<script>alert(1)</script>",
    "id=%22%3E%3Cimg%20src=x%3E",
    f"id={A_LINK}&id={A_LINK}",
    "id=" + "%22" * 44,
    "id=" + "A" * 44,
    "id=" + "z" * 44,
    f"id={A_LINK[:-1]}",
    f"id={A_LINK}.",
    "%FF%FE",
    "&&&==",
)


@pytest.mark.parametrize("query", NO_LINK_IDS)
def test_an_address_that_holds_no_link_id_is_answered_as_a_failure_without_a_button(loop: Loop, query: str):
    failure = loop.tap("").text
    with loop.watching() as calls:
        page, head = (loop.request(method, f"/confirm?{query}") for method in ("GET", "HEAD"))
    assert calls == []
    assert (page.status_code, page.text) == (400, failure)
    assert (head.status_code, head.text) == (400, "")
    assert "<button" not in page.text


def test_a_link_that_was_sent_before_ids_were_letters_and_digits_confirms(loop: Loop):
    started = loop.started("link")
    raw = base64.urlsafe_b64decode(started.verification_id + "==")
    link = encode_id(raw + b"\x01" + bytes.fromhex(loop.secret(started, "link")))
    assert f'value="{link}"' in loop.request("GET", "/confirm", params={"id": link}).text
    assert loop.tap(link).status_code == 200
    assert loop.view(started.verification_id)["status"] == "confirmed"


@pytest.mark.parametrize(
    ("accepted", "language", "direction"),
    [("de-AT,de;q=0.9,en;q=0.5", "de", "ltr"), ("ar", "ar", "rtl"), ("tlh", "en", "ltr"), ("", "en", "ltr")],
)
def test_the_page_speaks_the_browsers_language(loop: Loop, accepted: str, language: str, direction: str):
    started = loop.started("link")
    link = loop.link_id(started.to)
    headers = {"Accept-Language": accepted}
    asking = loop.request("GET", "/confirm", params={"id": link}, headers=headers)
    assert f'<html lang="{language}" dir="{direction}">' in asking.text
    assert "Acme" in asking.text
    assert asking.headers["vary"] == "Accept-Language"
    result = loop.request("POST", "/confirm", data={"id": link}, headers=headers)
    assert f'<html lang="{language}" dir="{direction}">' in result.text


def test_the_route_of_a_link_confirms_nothing_by_check(loop: Loop):
    started = loop.started("link")
    response = loop.check(started.verification_id, loop.secret(started, "link"))
    assert problem_of(response) == "wrong-action"
