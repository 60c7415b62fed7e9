"""The phone page in a browser: what a developer tries first."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_code_is_received_entered_and_reported_while_another_window_watches(visit, number):
    with visit() as visitor:
        visitor.open_phone(number).start("code", Language="en")
        visitor.fail_feedback(times=1)
        watcher = visitor.context.new_page()
        watcher.goto(visitor.page.url)
        watcher.evaluate("window.neverReloaded = true")
        visitor.expect_steps("✓ sent", "✓ delivered", "○ confirmed", "○ feedback: unconfirmed", page=watcher)
        assert visitor.feedback(number) == ["unconfirmed"]

        visitor.check(visitor.code())
        visitor.expect_result("Confirmed.")
        visitor.expect_fact("Status", "confirmed, proof: secret")
        visitor.expect_steps("✓ sent", "✓ delivered", "✓ confirmed", "○ feedback: unconfirmed", page=watcher)

        # The report that failed is the outbox's now, whose turn comes when the inline attempt's lease is over.
        visitor.stack.advance_clock(31)
        done = ("✓ sent", "✓ delivered", "✓ confirmed", "✓ feedback: confirmed")
        visitor.expect_steps(*done, page=watcher)
        visitor.expect_steps(*done)
        expect(watcher.locator("#funnel")).to_contain_text("confirmed")
        assert watcher.evaluate("window.neverReloaded")
        assert visitor.feedback(number) == ["confirmed"]


def test_a_message_that_arrives_later_shows_without_a_reload(visit, number):
    with visit() as visitor:
        visitor.open_phone(number)
        expect(visitor.page.get_by_text("No message yet.")).to_be_visible()
        body = {"to": number, "action": "code", "locale": "en"}
        started = visitor.context.request.post(f"{visitor.stack.api_url}/verifications", data=body).json()
        expect(visitor.page.get_by_text("is your Acme code")).to_be_visible()
        visitor.page.get_by_label("Code", exact=True).fill(visitor.code())
        visitor.expect_steps("✓ sent", "✓ delivered", "○ confirmed", "○ feedback: unconfirmed")
        # What was typed outlives the updates around it.
        visitor.press("Check")
        visitor.expect_result("Confirmed.")
        assert visitor.status(started["verification_id"]) == "confirmed"


def test_what_was_typed_outlives_the_form_around_it(visit, number):
    with visit() as visitor:
        visitor.open_phone(number).start("code")
        typed = visitor.page.get_by_label("Code", exact=True)
        typed.fill("12345")
        typed.press("End")
        url = f"{visitor.stack.api_url}/verifications/{visitor.shown_verification()}/cancel"
        assert visitor.context.request.post(url, data={}).ok
        expect(visitor.page.get_by_role("button", name="Cancel")).to_have_count(0)
        expect(typed).to_have_value("12345")
        expect(typed).to_be_focused()


def test_a_wrong_code_shows_the_attempts_left(visit, number):
    with visit() as visitor:
        visitor.open_phone(number).start("code")
        visitor.check(f"{(int(visitor.code()) + 1) % 10**6:06d}")
        visitor.expect_result("Refused: The secret is wrong. Attempts left: 4.")
        visitor.expect_fact("Attempts left", "4")
        visitor.expect_steps("✓ sent", "✓ delivered", "○ confirmed", "○ feedback: unconfirmed")
        assert visitor.feedback(number) == ["unconfirmed"]


def test_what_was_typed_is_kept_when_it_is_refused(visit, number):
    with visit() as visitor:
        visitor.open_phone(number)
        visitor.page.get_by_label("Action to track").select_option("caller")
        visitor.page.get_by_label("Your own code").fill("abc")
        visitor.page.get_by_label("Language").fill("de")
        visitor.page.get_by_role("button", name="Start for").click()
        expect(visitor.page.locator("#result")).to_contain_text("Refused: secret ")
        expect(visitor.page.get_by_label("Action to track")).to_have_value("caller")
        expect(visitor.page.get_by_label("Your own code")).to_have_value("abc")
        expect(visitor.page.get_by_label("Language")).to_have_value("de")


def test_an_expired_code_says_so(visit, number):
    with visit() as visitor:
        visitor.open_phone(number).start("code")
        code = visitor.code()
        visitor.press("Let ten minutes pass")
        visitor.expect_fact("Status", "expired")
        visitor.check(code)
        visitor.expect_result("Refused: The verification has expired.")


def test_an_undelivered_message_says_so(visit):
    with visit() as visitor:
        visitor.open_phone("+15005550147").start("code")
        visitor.expect_steps("✓ sent", "✗ undelivered 30003", "○ confirmed", "○ feedback: unconfirmed")


@pytest.mark.parametrize("button", ["Reply", "Call"])
def test_a_reply_confirms(visit, number, button):
    with visit() as visitor:
        visitor.open_phone(number).start("reply")
        visitor.expect_steps("✓ sent", "✓ delivered", "○ confirmed", "○ feedback: unconfirmed")
        visitor.page.get_by_label("Reply to").fill("Yes")
        visitor.press(button)
        visitor.expect_result("The webhook answered 200.")
        visitor.expect_fact("Status", "confirmed, proof: sender")
        visitor.expect_steps("✓ sent", "✓ delivered", "✓ confirmed", "✓ feedback: confirmed")


def test_the_callers_own_code_has_its_field_only_where_it_counts(visit, number):
    with visit() as visitor:
        visitor.open_phone(number)
        own = visitor.page.get_by_label("Your own code")
        expect(own).to_be_hidden()
        visitor.page.get_by_label("Action to track").select_option("caller")
        own.fill("Q7X2M9")
        visitor.page.get_by_role("button", name="Start for").click()
        expect(visitor.page.locator("article .body")).to_contain_text("Q7X2M9")
        visitor.press("I saw the action")
        visitor.expect_result("Confirmed.")
        visitor.expect_fact("Status", "confirmed, proof: caller")


def test_a_message_that_is_written_from_the_right_is_shown_so(visit, number):
    with visit() as visitor:
        visitor.open_phone(number).start("code", Language="ar")
        body = visitor.page.locator("article .body")
        assert body.evaluate("element => getComputedStyle(element).direction") == "rtl"


def test_it_works_without_script(visit, number):
    with visit(java_script_enabled=False) as visitor:
        visitor.open_phone(number).start("code")
        visitor.check(visitor.code())
        visitor.expect_result("Confirmed.")
        assert visitor.feedback(number) == ["confirmed"]


def test_it_works_by_keyboard_alone(visit, number):
    with visit() as visitor:
        visitor.open_phone(number)
        keyboard = visitor.page.keyboard
        for key in ("Tab", "Tab", "Tab", "Tab", "e", "n", "Tab", "Enter"):
            keyboard.press(key)
        visitor.expect_result("Message sent.")
        assert "is your Acme code" in visitor.message()
        for key in ("Tab",) * 6:
            keyboard.press(key)
        keyboard.type(visitor.code())
        keyboard.press("Enter")
        visitor.expect_result("Confirmed.")


def test_what_has_the_focus_is_seen_and_keeps_it_while_the_page_is_kept_up_to_date(visit, number):
    with visit() as visitor:
        visitor.open_phone(number).start("code")
        visitor.expect_steps("✓ sent", "✓ delivered", "○ confirmed", "○ feedback: unconfirmed")
        reached = []
        for _ in range(30):
            visitor.page.keyboard.press("Tab")
            where, style, width = visitor.page.evaluate(
                """() => {
                    const { activeElement: at } = document;
                    const { outlineStyle, outlineWidth } = getComputedStyle(at);
                    return [at.innerText || at.id || at.tagName, outlineStyle, parseFloat(outlineWidth)];
                }"""
            )
            if where in reached or at_the_end(where):
                break
            assert (style, width) == ("solid", 3), where
            reached.append(where)
        assert reached[:2] == ["number", "Show"]
        assert reached[-5:] == ["Let ten minutes pass", "reply", "Reply", "Call", "The API"]


def at_the_end(where: str) -> bool:
    return where.startswith("OTP Feedback") or where == "BODY"
