"""What a stack's owner chooses, seen from outside: links, senders, texts, passwords, test recipients."""

import json
import re
from urllib.parse import urlsplit

import pytest

from tests.loop.conftest import MESSAGING_SERVICE, SUCCESS_URL, TEST_RECIPIENTS
from tests.loop.driver import Loop, fresh_number, problem_of


def test_a_password_is_one_readable_token_of_at_least_60_bits_and_works_once(loop: Loop):
    started = loop.started("password")
    password = loop.password(started.to)
    assert re.fullmatch(r"[A-Za-z0-9-]+", password)
    assert not set(password) & set("01iIlLoO")
    assert len(password.replace("-", "")) * 4.95 >= 60
    answer = loop.check(started.verification_id, password).json()
    assert (answer["proof"], answer["change_password"]) == ("secret", True)
    assert loop.outcome(started.sid) == "confirmed"
    with loop.unchanged():
        assert problem_of(loop.check(started.verification_id, password)) == "already-confirmed"


def test_a_wrong_or_late_password_is_as_a_code(loop: Loop):
    started = loop.started("password")
    wrong = loop.check(started.verification_id, "abcd-efgh-jkmnp")
    assert (problem_of(wrong), wrong.json()["attempts_left"]) == ("wrong-secret", 4)
    loop.advance(601)
    assert problem_of(loop.check(started.verification_id, loop.password(started.to))) == "expired"
    loop.stack.run_schedules()
    assert loop.outcome(started.sid) == "confirmed"


@pytest.mark.parametrize("user_agent", ["Mozilla/5.0", "WhatsApp/2.24"])
def test_a_stack_that_chose_open_confirms_on_get(contrary: Loop, user_agent: str):
    loop = contrary
    started = loop.started("link")
    link = loop.link_id(started.to)
    response = loop.request("GET", "/confirm", params={"id": link}, headers={"User-Agent": user_agent})
    assert response.status_code == 200
    assert "<form" not in response.text
    assert loop.view(started.verification_id)["status"] == "confirmed"
    loop.report_due()
    assert loop.outcome(started.sid) == "confirmed"
    for header, value in (("cache-control", "no-store"), ("referrer-policy", "no-referrer")):
        assert response.headers[header] == value
    assert "default-src 'none'" in response.headers["content-security-policy"]
    with loop.unchanged():
        again = loop.request("GET", "/confirm", params={"id": link})
    assert (again.status_code, again.text) == (200, response.text)


def test_a_stack_that_chose_open_confirms_nothing_on_head(contrary: Loop):
    loop = contrary
    started = loop.started("link")
    with loop.unchanged():
        loop.request("HEAD", "/confirm", params={"id": loop.link_id(started.to)})
    assert loop.view(started.verification_id)["status"] == "pending"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_stack_that_chose_open_answers_what_is_no_link_alike(contrary: Loop, method: str):
    assert contrary.request(method, "/confirm?id=A").status_code == 400


def test_after_a_tap_the_page_goes_to_the_success_url_and_takes_no_id_along(custom: Loop):
    loop = custom
    started = loop.started("link")
    link = loop.link_id(started.to)
    asking = loop.request("GET", "/confirm", params={"id": link})
    assert "form-action 'self' https://app.example.com;" in asking.headers["content-security-policy"]
    done = loop.tap(link)
    assert (done.status_code, done.headers["location"]) == (303, SUCCESS_URL)
    assert done.headers["referrer-policy"] == "no-referrer"
    assert link not in done.text
    assert started.verification_id not in done.text
    again = loop.tap(link)
    assert (again.status_code, again.headers["location"]) == (303, SUCCESS_URL)


def test_a_failed_tap_does_not_go_to_the_success_url(custom: Loop):
    loop = custom
    failed = loop.tap("nonsense")
    assert failed.status_code == 400
    assert "location" not in failed.headers


@pytest.mark.parametrize(
    "query", ["next=https://evil.example", "id=x&url=//evil.example", "success=javascript:alert(1)"]
)
def test_nobody_but_the_owner_chooses_where_it_goes(custom: Loop, query: str):
    loop = custom
    started = loop.started("link")
    done = loop.request(
        "POST", f"/confirm?{query}", data={"id": loop.link_id(started.to), "next": "https://evil.example"}
    )
    assert done.headers["location"] == SUCCESS_URL


def test_a_callers_template_is_used_and_its_code_works(custom: Loop):
    started = custom.started(template="plain")
    body = custom.messages(started.to)[0]["body"]
    assert re.fullmatch(r"Acme: [0-9]{6} \(10\)", body)
    assert custom.check(started.verification_id, custom.code(started.to)).status_code == 200


def test_another_message_keeps_the_template_and_the_locale(custom: Loop):
    started = custom.started(template="langs", locale="de-AT")
    custom.advance(31)
    custom.another(started.verification_id)
    assert [m["body"].startswith("Ihr Code: ") for m in custom.messages(started.to)] == [True, True]


@pytest.mark.parametrize(("locale", "start"), [("de", "Ihr Code"), ("en-GB", "Your code"), (None, "Ihr Code")])
def test_a_template_speaks_the_locale_or_the_numbers_language(custom: Loop, locale: str | None, start: str):
    started = custom.started(template="langs", **({"locale": locale} if locale else {}))
    assert custom.messages(started.to)[0]["body"].startswith(start)


def test_a_templates_link_confirms(custom: Loop):
    started = custom.started("link", template="tap")
    assert custom.messages(started.to)[0]["body"].startswith("Open http")
    assert custom.tap(custom.link_id(started.to)).status_code == 303
    assert custom.view(started.verification_id)["status"] == "confirmed"


def test_a_content_template_is_sent_with_its_variables(custom: Loop):
    started = custom.started(template="content")
    (call,) = [call for call in custom.rest_calls() if call["parameters"].get("To") == started.to]
    assert call["parameters"]["ContentSid"] == "HX" + "0" * 32
    assert "Body" not in call["parameters"]
    variables = json.loads(call["parameters"]["ContentVariables"])
    assert variables["2"] == "Acme"
    assert custom.check(started.verification_id, variables["1"]).status_code == 200


@pytest.mark.parametrize(
    ("action", "template"),
    [("link", "plain"), ("code", "tap"), ("reply", "plain"), ("code", "no")],
)
def test_a_template_that_is_not_for_the_action_is_refused(custom: Loop, action: str, template: str):
    with custom.unchanged():
        response = custom.start(fresh_number(), action, template=template)
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", "template")
    names = {"link": "tap", "code": "content, langs, plain", "reply": "hi"}[action]
    assert response.json()["detail"] == f"template must be one of {names}."


def test_a_template_is_refused_where_the_stack_has_none(loop: Loop):
    response = loop.start(fresh_number(), template="plain")
    assert response.json()["detail"] == "template is not taken: the stack has no template for this action."


def test_a_language_that_there_is_no_text_in_is_refused(custom: Loop):
    with custom.unchanged():
        response = custom.start(fresh_number(), locale="tlh")
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", "locale")


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        (None, {"from": "+14155550100"}),
        ("+14155550100", {"from": "+14155550100"}),
        ("Acme", {"from": "Acme"}),
        ("+14155550177", {"from": "+14155550177"}),
        (MESSAGING_SERVICE, {"messaging_service_sid": MESSAGING_SERVICE}),
    ],
)
def test_a_caller_chooses_among_the_allowed_senders(custom: Loop, sender: str | None, shown: dict[str, str]):
    started = custom.started(**({"sender": sender} if sender else {}))
    (message,) = custom.messages(started.to)
    assert {name: message[name] for name in shown} == shown
    custom.advance(31)
    custom.another(started.verification_id)
    assert {name: custom.messages(started.to)[1][name] for name in shown} == shown


@pytest.mark.parametrize("sender", ["+14155550188", "acme", "MG" + "3" * 32, "whatsapp:+14155550101", ""])
def test_a_sender_that_is_not_allowed_is_refused(custom: Loop, sender: str):
    with custom.unchanged():
        response = custom.start(fresh_number(), sender=sender)
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", "sender")


def test_the_last_lines_bind_the_code_to_the_domain_and_the_app(contrary: Loop):
    loop = contrary
    started = loop.started(locale="en")
    (message,) = loop.messages(started.to)
    code = re.search(r"^[0-9]{8}\b", message["body"])
    assert code
    assert message["body"].splitlines()[1:] == ["FA+9qCX9VSu", f"@example.com #{code[0]}"]
    assert message["validity_period"] == 120
    loop.advance(121)
    assert problem_of(loop.check(started.verification_id, code[0])) == "expired"


@pytest.mark.parametrize(("to", "code"), list(TEST_RECIPIENTS.items()))
def test_a_test_recipient_is_sent_nothing_and_confirms_with_its_fixed_code(custom: Loop, to: str, code: str):
    answers = [custom.start(to).json() for _ in range(12)]
    assert all(answer["message"] == {"number": 1, "status": "accepted"} for answer in answers)
    verification_id = answers[-1]["verification_id"]
    assert problem_of(custom.check(verification_id, "000000")) == "wrong-secret"
    assert custom.check(verification_id, code).json()["status"] == "confirmed"
    custom.report_due()
    custom.advance(61)
    custom.stack.run_schedules()
    assert custom.rest_calls() == []
    record = custom.record(verification_id)
    assert not {"feedback_shard", "feedback_due_at"} & record.keys()
    assert "ttl" in record


@pytest.mark.parametrize("action", ["code", "password", "caller"])
@pytest.mark.parametrize(("to", "code"), list(TEST_RECIPIENTS.items()))
def test_a_test_recipients_code_confirms_whatever_the_action(custom: Loop, to: str, code: str, action: str):
    fields = {"sid": "SM" + "3" * 32} if action == "caller" else {}
    verification_id = custom.start(to, action, **fields).json()["verification_id"]
    assert problem_of(custom.check(verification_id, f"{code}0")) == "wrong-secret"
    assert custom.check(verification_id, f" {code}\n").json()["status"] == "confirmed"


def test_a_test_recipients_late_code_is_reported_to_nobody(custom: Loop):
    verification_id = custom.start("+15005550100").json()["verification_id"]
    custom.advance(601)
    assert problem_of(custom.check(verification_id, "123456")) == "expired"
    record = custom.record(verification_id)
    assert not {"feedback_shard", "feedback_due_at"} & record.keys()
    assert "ttl" in record
    assert custom.view(verification_id)["messages"][0]["feedback"] == "none"
    custom.report_due()
    assert custom.rest_calls() == []


def test_a_test_recipient_is_locked_as_others_are(custom: Loop):
    verification_id = custom.start("+15005550100").json()["verification_id"]
    for _ in range(5):
        custom.check(verification_id, "000000")
    assert problem_of(custom.check(verification_id, "123456")) == "locked"


@pytest.mark.parametrize("action", ["link", "reply"])
def test_a_test_recipient_takes_no_action_without_a_secret_to_fix(custom: Loop, action: str):
    with custom.unchanged():
        response = custom.start("+15005550100", action)
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", "to")


def test_other_numbers_are_sent_to_all_the_same(custom: Loop):
    started = custom.started()
    assert len(custom.messages(started.to)) == 1
    assert problem_of(custom.check(started.verification_id, "Abc12345")) == "wrong-secret"


def test_without_test_recipients_the_fictional_numbers_are_like_any_other(loop: Loop):
    started = loop.started(to="+447700900123")
    assert len(loop.messages(started.to)) == 1


def test_links_and_callbacks_go_to_the_stacks_own_address_whatever_the_host_header_says(loop: Loop):
    to = fresh_number()
    headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    assert loop.post("/verifications", {"to": to, "action": "link"}, headers=headers).status_code == 202
    (message,) = loop.messages(to)
    assert "evil.example" not in message["body"] + message["status_callback"]
    assert urlsplit(message["status_callback"]).netloc == urlsplit(loop.stack.api_url).netloc
