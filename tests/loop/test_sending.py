"""What may be sent, to whom, how often, and what Twilio's refusals come to."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from otp_feedback.adapters.aws.items import sends_key
from otp_feedback.domain.recipient import HOUR_MS
from tests.loop.conftest import CAP
from tests.loop.driver import SENDER, Loop, fresh_number, problem_of


def test_two_messages_to_a_recipient_are_30_seconds_apart_and_the_wait_is_exact(loop: Loop):
    to = fresh_number()
    assert loop.start(to).status_code == 202
    with loop.unchanged():
        refused = loop.start(to)
    assert (refused.status_code, problem_of(refused)) == (429, "too-many-messages")
    wait = int(refused.headers["retry-after"])
    assert 28 <= wait <= 30
    loop.advance(wait - 2)
    assert loop.start(to).status_code == 429
    loop.advance(2)
    assert loop.start(to).status_code == 202


def test_a_verification_has_three_messages_and_waiting_does_not_help(loop: Loop):
    started = loop.started()
    for number in (2, 3):
        loop.advance(31)
        assert loop.another(started.verification_id).json()["message"]["number"] == number
    loop.advance(31)
    with loop.unchanged():
        refused = loop.another(started.verification_id)
    assert (refused.status_code, problem_of(refused)) == (429, "too-many-messages")
    assert "retry-after" not in refused.headers
    assert len(loop.messages(started.to)) == 3


def test_the_windows_of_a_limit_key_hold_across_recipients(custom: Loop):
    loop = custom
    for _ in range(3):
        assert loop.start(fresh_number(), limit_key="198.51.100.7").status_code == 202
    with loop.unchanged():
        refused = loop.start(fresh_number(), limit_key="198.51.100.7")
    assert (refused.status_code, problem_of(refused)) == (429, "too-many-messages")
    assert 3590 <= int(refused.headers["retry-after"]) <= 3600
    assert loop.start(fresh_number(), limit_key="198.51.100.8").status_code == 202
    assert loop.start(fresh_number()).status_code == 202
    assert "198.51.100.7" not in str(loop.scan())


def next_hour(loop: Loop) -> int:
    """Go to the beginning of the next hour, in which nothing is counted yet; returns it."""
    now = loop.stack.clock.now_ms()
    hour = now - now % HOUR_MS + HOUR_MS
    loop.advance((hour - now) // 1000 + 1)
    return hour


@contextmanager
def at_the_cap(loop: Loop) -> Iterator[None]:
    """Within the block the stack has sent all that its cap allows in an hour."""
    hour = next_hour(loop)
    try:
        with closing(loop.stack.aws.dynamodb()) as dynamodb:
            counted = {"pk": {"S": sends_key(hour)}, "sends": {"N": str(CAP)}}
            dynamodb.put_item(TableName=loop.stack.table_name, Item=counted)
        yield
    finally:
        next_hour(loop)


def confirmed_recipient(loop: Loop) -> str:
    """A number that has confirmed something, and may be sent to again."""
    started = loop.started()
    assert loop.check(started.verification_id, loop.code(started.to)).status_code == 200
    loop.advance(31)
    return started.to


def test_over_the_cap_strangers_wait_for_the_next_hour_and_the_known_are_sent_to(custom: Loop):
    known, stranger = confirmed_recipient(custom), fresh_number()
    with at_the_cap(custom):
        for _ in range(4):
            refused = custom.start(stranger, limit_key="198.51.100.10")
            assert (refused.status_code, problem_of(refused)) == (429, "too-many-messages")
            assert 3300 <= int(refused.headers["retry-after"]) <= 3600
        assert custom.messages(stranger) == []
        assert custom.start(known).status_code == 202
    assert custom.start(stranger).status_code == 202


def test_a_country_that_is_not_allowed_is_refused(custom: Loop):
    loop = custom
    assert loop.start(fresh_number()).status_code == 202
    assert loop.start("+33612345678").status_code == 202
    with loop.unchanged():
        for to in ("+16135550123", "+8613812345678", "+551155256325", "+77011234567", "+88312345678"):
            refused = loop.start(to)
            assert (refused.status_code, problem_of(refused)) == (422, "country-not-allowed"), to


def test_a_recipient_who_opted_out_is_refused(loop: Loop):
    to = fresh_number()
    loop.inbound("message", to, SENDER, body="STOP")
    refused = loop.start(to)
    assert (refused.status_code, problem_of(refused)) == (422, "recipient-opted-out")
    assert loop.messages(to) == []


def test_a_message_that_twilio_refuses_names_its_code(loop: Loop):
    loop.fault("create_message", "status", status=400)
    refused = loop.start(fresh_number())
    assert (refused.status_code, problem_of(refused)) == (502, "message-rejected")
    assert refused.json()["code"] == 20001


def test_a_refused_message_can_be_followed_by_another(loop: Loop):
    to = fresh_number()
    loop.fault("create_message", "status", status=400)
    loop.start(to)
    (verification_id,) = [pk[2:] for pk in loop.scan() if pk.startswith("V#")]
    assert loop.view(verification_id)["messages"][0]["status"] == "rejected"
    loop.advance(31)
    assert loop.another(verification_id).status_code == 202
    assert loop.check(verification_id, loop.code(to)).json()["message"] == 2


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failing_twilio_leaves_it_unknown_and_the_callback_brings_the_sid(loop: Loop, status: int):
    to = fresh_number()
    loop.fault("create_message", "status", status=status)
    response = loop.start(to)
    assert response.status_code == 202
    assert response.json()["message"] == {"number": 1, "status": "unknown"}
    verification_id = response.json()["verification_id"]
    target = f"/twilio/status?message=1&verification={verification_id}"
    sid = "SM" + "d" * 32
    assert loop.webhook(target, {"MessageSid": sid, "MessageStatus": "sent"}).status_code == 204
    assert loop.view(verification_id)["messages"][0]["sid"] == sid


def test_a_message_whose_answer_was_lost_is_sent_once_and_its_code_works(loop: Loop):
    to = fresh_number()

    def lose(name: str, phase: str) -> None:
        if (name, phase) == ("twilio:create_message", "after"):
            raise ConnectionAbortedError

    with loop.stack.observing(lose):
        response = loop.start(to)
    assert response.json()["message"] == {"number": 1, "status": "unknown"}
    (message,) = loop.messages(to)
    assert loop.check(response.json()["verification_id"], loop.code(to)).status_code == 200
    loop.deliver(message["sid"], "delivered")
    loop.report_due()
    assert loop.outcome(message["sid"]) == "confirmed"


def test_twilio_asking_for_patience_is_asked_again_and_sends_once(loop: Loop):
    to = fresh_number()
    loop.fault("create_message", "status", status=429, times=1)
    assert loop.start(to).json()["message"]["status"] == "accepted"
    assert len(loop.messages(to)) == 1


def test_a_message_that_never_reached_twilio_gives_its_slot_and_its_key_back(loop: Loop):
    to = fresh_number()
    loop.fault("create_message", "status", status=429, times=1000)
    refused = loop.start(to, key="given-back")
    assert (refused.status_code, problem_of(refused)) == (503, "unavailable")
    assert [pk for pk in loop.scan() if pk.startswith("V#")] == []
    loop.fault("create_message", "none")
    assert loop.start(to, key="given-back").status_code == 202
    assert len(loop.messages(to)) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_no_refused_message(loop: Loop, status: int):
    """An expired key: all is given back, so that the same request goes out as soon as the key is right."""
    to, key = fresh_number(), f"credentials-{status}"
    loop.fault("create_message", "status", status=status)
    refused = loop.start(to, key=key)
    assert (refused.status_code, problem_of(refused)) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert len(loop.rest_calls()) == 1
    assert [pk for pk in loop.scan() if pk.startswith("V#")] == []
    verification_id = loop.start(to, key=key).json()["verification_id"]
    loop.advance(31)
    loop.fault("create_message", "status", status=status)
    assert loop.another(verification_id).status_code == 503
    assert [message["number"] for message in loop.view(verification_id)["messages"]] == [1]
    assert loop.another(verification_id).json()["message"]["number"] == 2
    assert len(loop.messages(to)) == 2


def test_nothing_is_sent_where_the_record_cannot_be_written(loop: Loop):
    def refuse(name: str, phase: str) -> None:
        if (name, phase) == ("dynamodb:PutItem", "before"):
            raise ConnectionAbortedError

    to = fresh_number()
    with loop.stack.observing(refuse):
        assert problem_of(loop.start(to)) == "unavailable"
    assert loop.messages(to) == []


def test_nothing_is_sent_where_the_budget_cannot_be_counted(loop: Loop):
    def refuse(name: str, phase: str) -> None:
        if (name, phase) == ("dynamodb:UpdateItem", "before"):
            raise ConnectionAbortedError

    to = fresh_number()
    with loop.stack.observing(refuse):
        assert problem_of(loop.start(to)) == "unavailable"
    assert loop.messages(to) == []


def test_an_undeliverable_number_is_shown_as_such(loop: Loop):
    started = loop.started(to="+15005550009")
    loop.deliver(started.sid, "undelivered", error_code=30003)
    message = loop.view(started.verification_id)["messages"][0]
    assert (message["status"], message["error_code"], message["feedback"]) == ("undelivered", 30003, "none")


def test_no_log_line_holds_a_secret_a_full_number_or_a_body(loop: Loop):
    logged = len(loop.stack.logs())
    numbers, secrets = [], []
    for action in ("code", "link", "password", "caller", "reply"):
        started = loop.started(action, limit_key="203.0.113.9")
        numbers.append(started.to)
        if action != "reply":
            secrets.append(loop.secret(started, action))
        if action == "link":
            secrets.append(loop.link_id(started.to))
            loop.tap(loop.link_id(started.to))
        elif action == "reply":
            loop.inbound("message", started.to, body="My secret answer")
        else:
            loop.check(started.verification_id, "Wrong999", expect={"to": started.to})
            loop.check(started.verification_id, loop.secret(started, action))
        loop.deliver(started.sid, "undelivered", error_code=30003)
        loop.start(started.to)
    loop.start("+1555")
    loop.report_due()
    lines = loop.stack.logs()[logged:]
    assert lines.count('"message":"request"') > 20
    for hidden in (*numbers, *(number[1:] for number in numbers), *secrets, "My secret answer", "Acme", "203.0.113.9"):
        assert hidden not in lines
