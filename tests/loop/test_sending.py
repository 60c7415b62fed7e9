"""What may be sent, to whom, how often, and what Twilio's refusals come to."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from otp_feedback.adapters.aws.items import sends_key
from otp_feedback.domain.recipient import DAY_MS, HOUR_MS
from tests.loop.conftest import CAP
from tests.loop.driver import SENDER, Loop, fresh_number, problem_of

DAY_S = DAY_MS // 1000


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


def test_the_wait_between_two_messages_holds_for_another_message_too(loop: Loop):
    started = loop.started()
    with loop.unchanged():
        refused = loop.another(started.verification_id)
    assert (refused.status_code, problem_of(refused)) == (429, "too-many-messages")
    assert refused.headers["retry-after"]


def test_five_messages_an_hour_and_the_wait_is_exact(loop: Loop):
    to = fresh_number()
    for _ in range(5):
        assert loop.start(to).status_code == 202
        loop.advance(60)
    with loop.unchanged():
        refused = loop.start(to)
    assert problem_of(refused) == "too-many-messages"
    wait = int(refused.headers["retry-after"])
    assert 3290 <= wait <= 3300
    loop.advance(wait - 5)
    assert loop.start(to).status_code == 429
    loop.advance(5)
    assert loop.start(to).status_code == 202


def test_ten_messages_a_day_and_the_wait_is_exact(loop: Loop):
    to = fresh_number()
    for _ in range(10):
        assert loop.start(to).status_code == 202
        loop.advance(1801)
    refused = loop.start(to)
    assert problem_of(refused) == "too-many-messages"
    wait = int(refused.headers["retry-after"])
    assert 86400 - 18010 - 10 <= wait <= 86400 - 18010
    loop.advance(wait)
    assert loop.start(to).status_code == 202


def test_recipients_do_not_share_their_budget(loop: Loop):
    assert {loop.start(fresh_number()).status_code for _ in range(6)} == {202}


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


def test_an_expired_verification_may_have_another_message(loop: Loop):
    started = loop.started()
    loop.advance(601)
    assert loop.another(started.verification_id).status_code == 202
    assert loop.view(started.verification_id)["status"] == "pending"
    assert loop.check(started.verification_id, loop.code(started.to)).json()["message"] == 2


def test_a_verification_whose_record_goes_before_a_new_message_would_expire_has_none(loop: Loop):
    started = loop.started()
    loop.advance(7 * DAY_S - 660)
    assert loop.another(started.verification_id).status_code == 202
    loop.advance(120)
    with loop.unchanged():
        refused = loop.another(started.verification_id)
    assert (refused.status_code, problem_of(refused)) == (410, "expired")


def test_a_verification_that_has_ended_has_no_further_message(loop: Loop):
    confirmed, locked = loop.started(), loop.started()
    loop.check(confirmed.verification_id, loop.code(confirmed.to))
    for _ in range(5):
        loop.check(locked.verification_id, loop.wrong_code(locked.to))
    loop.advance(31)
    with loop.unchanged():
        assert problem_of(loop.another(confirmed.verification_id)) == "already-confirmed"
        assert problem_of(loop.another(locked.verification_id)) == "locked"


@pytest.mark.parametrize(
    ("first", "then"),
    [("+5491112340011", "+541112340011"), ("+551187650012", "+5511987650012")],
)
def test_a_subscriber_with_two_forms_has_one_budget(loop: Loop, first: str, then: str):
    loop.started(to=first)
    with loop.unchanged():
        assert problem_of(loop.start(then)) == "too-many-messages"


@pytest.mark.parametrize("to", ["+490151123400013", "+820101234001", "+82081101234001", "+5215512340014", "+8656696"])
def test_a_number_in_another_spelling_is_refused(loop: Loop, to: str):
    with loop.unchanged():
        response = loop.start(to)
    assert (response.status_code, problem_of(response), response.json()["field"]) == (400, "malformed-request", "to")


def test_an_address_with_a_port_is_the_same_limit_key(custom: Loop):
    loop = custom
    forms = ("203.0.113.7:1024", "[::ffff:203.0.113.7]:1025", "64:ff9b::203.0.113.7", "203.0.113.7")
    answers = [loop.start(fresh_number(), limit_key=form).status_code for form in forms]
    assert answers == [202, 202, 202, 429]


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


def test_a_limit_key_is_forgotten_two_days_after_it_was_last_used(custom: Loop):
    for _ in range(2):
        custom.advance(60)
        earliest = custom.stack.clock.now_ms()
        assert custom.start(fresh_number(), limit_key="198.51.100.9").status_code == 202
        latest = custom.stack.clock.now_ms()
        (limit_key,) = [item for pk, item in custom.scan().items() if pk.startswith("K#")]
        assert (earliest // 1000) <= int(limit_key["ttl"]["N"]) - 2 * DAY_S <= latest // 1000


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


def test_the_cap_counts_those_who_have_never_confirmed_alone(custom: Loop):
    known = confirmed_recipient(custom)
    hour = next_hour(custom)
    custom.started()
    custom.started(to=known)
    custom.advance(6)
    custom.started()
    assert custom.scan()[sends_key(hour)]["sends"] == {"N": "2"}


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


def test_a_cap_that_cannot_be_counted_sends_nothing_and_gives_every_slot_back(custom: Loop):
    writes = 0

    def refuse(name: str, phase: str) -> None:
        nonlocal writes
        writes += (name, phase) == ("dynamodb:UpdateItem", "before")
        if writes in {3, 4} and (name, phase) == ("dynamodb:UpdateItem", "before"):  # the third, and its repetition
            raise ConnectionAbortedError

    to, limit_key = fresh_number(), "198.51.100.11"
    next_hour(custom)
    with custom.stack.observing(refuse):
        refused = custom.start(to, limit_key=limit_key)
    assert (refused.status_code, problem_of(refused)) == (503, "unavailable")
    assert custom.messages(to) == []
    for each in (to, fresh_number(), fresh_number()):
        assert custom.start(each, limit_key=limit_key).status_code == 202


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
