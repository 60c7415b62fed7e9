"""Each confirming route confirms its own actions alone; the rest is `wrong-action` and costs no attempt."""

from collections.abc import Callable

import pytest

from tests.loop.driver import SENDER, Loop, Started, forged_link_id, fresh_number, problem_of

ACTIONS = ("code", "link", "password", "reply", "caller")
UNKNOWN = "A" * 22


def by_check(loop: Loop, started: Started, action: str) -> str:
    response = loop.check(started.verification_id, loop.secret(started, action))
    return "confirmed" if response.status_code == 200 else problem_of(response)


def by_callers_word(loop: Loop, started: Started, action: str) -> str:
    response = loop.confirm(started.verification_id)
    return "confirmed" if response.status_code == 200 else problem_of(response)


def by_link(loop: Loop, started: Started, action: str) -> str:
    link = loop.link_id(started.to) if action == "link" else forged_link_id(started.verification_id)
    return "confirmed" if loop.tap(link).status_code == 200 else "failed"


def by_message(loop: Loop, started: Started, action: str) -> str:
    body = loop.secret(started, action)
    return str(loop.inbound("message", started.to, body=body)["twiml"])


def by_answering_message(loop: Loop, started: Started, action: str) -> str:
    answered = {"OriginalRepliedMessageSid": started.sid}
    return str(loop.inbound("message", started.to, body=loop.secret(started, action), parameters=answered)["twiml"])


def by_call(loop: Loop, started: Started, action: str) -> str:
    return str(loop.inbound("call", started.to)["twiml"])


Way = Callable[[Loop, Started, str], str]
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
REJECTED = '<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy"/></Response>'
ROUTES: dict[Way, tuple[set[str], str, str]] = {
    by_check: ({"code", "password", "caller"}, "confirmed", "wrong-action"),
    by_callers_word: ({"caller"}, "confirmed", "wrong-action"),
    by_link: ({"link"}, "confirmed", "failed"),
    by_message: ({"reply"}, EMPTY, EMPTY),
    by_answering_message: ({"reply"}, EMPTY, EMPTY),
    by_call: ({"reply"}, REJECTED, REJECTED),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("way", ROUTES, ids=lambda way: way.__name__)
def test_a_route_confirms_only_its_own_actions_and_the_rest_costs_no_attempt(loop: Loop, way: Way, action: str):
    confirmable, success, refusal = ROUTES[way]
    started = loop.started(action)
    answer = way(loop, started, action)
    view = loop.view(started.verification_id)
    if action in confirmable:
        assert answer == success
        assert view["status"] == "confirmed"
        assert len(loop.reports(started.sid)) == 1
        return
    assert answer == refusal
    assert view["status"] == "pending"
    assert view["attempts_left"] == 5
    loop.report_due()
    assert loop.reports(started.sid) == []


@pytest.mark.parametrize("action", ["link", "reply"])
def test_a_wrong_action_is_a_conflict_and_writes_nothing(loop: Loop, action: str):
    started = loop.started(action)
    with loop.unchanged():
        response = loop.check(started.verification_id, "123456")
    assert response.status_code == 409
    assert problem_of(response) == "wrong-action"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/verifications/{UNKNOWN}", None),
        ("POST", f"/verifications/{UNKNOWN}/check", {"secret": "123456"}),
        ("POST", f"/verifications/{UNKNOWN}/confirm", {}),
        ("POST", f"/verifications/{UNKNOWN}/cancel", {}),
        ("POST", f"/verifications/{UNKNOWN}/messages", {}),
        ("POST", "/verifications/x/check", {"secret": "123456"}),
        ("POST", f"/verifications/{UNKNOWN}A/check", {"secret": "123456"}),
        ("GET", "/verifications/" + "-" * 22, None),
        ("GET", "/verifications/" + "é" * 22, None),
    ],
)
def test_an_unknown_id_is_unknown_everywhere(loop: Loop, method: str, path: str, body: object):
    with loop.unchanged():
        response = loop.request(method, path, json=body) if body is not None else loop.request(method, path)
    assert response.status_code == 404
    assert problem_of(response) == "unknown-verification"


@pytest.mark.parametrize(
    "path", ["/verifications/R%230000", "/verifications/%00", "/verifications/a%2Fcheck", "/nothing"]
)
def test_what_is_no_route_is_not_found_and_reads_nothing(loop: Loop, path: str):
    with loop.unchanged(), loop.watching() as calls:
        response = loop.request("GET", path)
    assert response.status_code == 404
    assert [call for call in calls if call.startswith("dynamodb:") and call != "dynamodb:Scan"] == []


def test_the_caller_sees_the_action_itself(loop: Loop):
    started = loop.started("caller")
    answer = loop.confirm(started.verification_id).json()
    assert (answer["status"], answer["proof"], answer["message"]) == ("confirmed", "caller", 1)
    assert loop.outcome(started.sid) == "confirmed"


def test_the_callers_word_is_idempotent(loop: Loop):
    started = loop.started("caller")
    first = loop.confirm(started.verification_id)
    with loop.unchanged():
        again = loop.confirm(started.verification_id)
        named = loop.confirm(started.verification_id, message=1)
    assert first.status_code == again.status_code == named.status_code == 200
    assert first.json() == again.json() == named.json()
    assert len(loop.reports(started.sid)) == 1


def test_the_caller_names_the_message_where_several_are_out(loop: Loop):
    started = loop.started("caller")
    loop.advance(31)
    second = loop.another(started.verification_id, {"secret": "Second22"}).json()["message"]["sid"]
    with loop.unchanged():
        unnamed = loop.confirm(started.verification_id)
        no_such = loop.confirm(started.verification_id, message=3)
    assert (problem_of(unnamed), unnamed.json()["field"]) == ("malformed-request", "message")
    assert (problem_of(no_such), no_such.json()["field"]) == ("malformed-request", "message")
    assert loop.confirm(started.verification_id, message=2).json()["message"] == 2
    assert problem_of(loop.confirm(started.verification_id, message=1)) == "already-confirmed"
    loop.report_due()
    assert [loop.outcome(sid) for sid in (started.sid, second)] == ["unconfirmed", "confirmed"]


def test_the_callers_late_word_is_expired_and_reported(loop: Loop):
    started = loop.started("caller")
    loop.advance(601)
    response = loop.confirm(started.verification_id)
    assert (response.status_code, problem_of(response)) == (410, "expired")
    loop.stack.run_schedules()
    assert loop.outcome(started.sid) == "confirmed"
    assert loop.view(started.verification_id)["status"] == "expired"


def test_the_caller_confirms_no_locked_verification(loop: Loop):
    started = loop.started("caller")
    for _ in range(5):
        loop.check(started.verification_id, "Wrong123")
    response = loop.confirm(started.verification_id)
    assert problem_of(response) == "locked"
    loop.report_due()
    assert loop.reports(started.sid) == []


def test_the_callers_own_secret_stands_in_the_text_and_checks(loop: Loop):
    started = loop.started("caller", secret="Zx9Kq4Lm7Pw2")
    assert "Zx9Kq4Lm7Pw2" in loop.messages(started.to)[0]["body"]
    assert problem_of(loop.check(started.verification_id, "zx9kq4lm7pw2")) == "wrong-secret"
    answer = loop.check(started.verification_id, "Zx9Kq4Lm7Pw2").json()
    assert (answer["status"], answer["proof"]) == ("confirmed", "secret")
    assert loop.outcome(started.sid) == "confirmed"


def test_of_two_callers_secrets_the_entered_one_names_the_message(loop: Loop):
    started = loop.started("caller", secret="First111")
    loop.advance(31)
    second = loop.another(started.verification_id, {"secret": "Second22"}).json()["message"]["sid"]
    assert loop.check(started.verification_id, "First111").json()["message"] == 1
    loop.report_due()
    assert [loop.outcome(sid) for sid in (started.sid, second)] == ["confirmed", "unconfirmed"]


def send_ourselves(loop: Loop, to: str) -> str:
    """A message that a caller sends without this service."""
    started = loop.started("code", to)
    return started.sid


def test_a_message_already_sent_is_registered_by_its_sid_and_reported(loop: Loop):
    sid = send_ourselves(loop, fresh_number())
    before = len(loop.rest_calls())
    started = loop.started("caller", sid=sid)
    assert started.sid == sid
    assert loop.rest_calls()[before:] == []
    assert loop.messages(started.to) == []
    answer = loop.confirm(started.verification_id).json()
    assert answer["status"] == "confirmed"
    (report,) = loop.rest_calls()[before:]
    assert report["path"].endswith(f"/Messages/{sid}/Feedback.json")


def test_a_message_already_sent_may_have_a_secret_to_check(loop: Loop):
    sid = send_ourselves(loop, fresh_number())
    started = loop.started("caller", sid=sid, secret="Their123")
    assert problem_of(loop.check(started.verification_id, "Wrong123")) == "wrong-secret"
    assert loop.check(started.verification_id, "Their123").json()["proof"] == "secret"
    assert loop.outcome(sid) == "confirmed"


def test_a_message_registered_by_its_sid_without_a_secret_takes_no_guess_for_right(loop: Loop):
    sid = send_ourselves(loop, fresh_number())
    started = loop.started("caller", sid=sid)
    assert problem_of(loop.check(started.verification_id, "anything")) == "wrong-action"
    assert loop.confirm(started.verification_id).status_code == 200


@pytest.mark.parametrize("given", [{"secret": "Theirs12"}, {"sid": "SM" + "a" * 32}])
@pytest.mark.parametrize("action", ["code", "link", "password", "reply"])
def test_only_the_action_caller_takes_a_secret_or_a_sid(loop: Loop, action: str, given: dict[str, str]):
    with loop.unchanged():
        response = loop.start(fresh_number(), action, **given)
    assert problem_of(response) == "malformed-request"
    assert [response.json()["field"]] == list(given)


def test_the_action_caller_needs_a_secret_or_a_sid(loop: Loop):
    with loop.unchanged():
        response = loop.start(fresh_number(), "caller")
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", "secret")


def test_a_canceled_verification_confirms_by_no_route_and_reports_nothing(loop: Loop):
    started = loop.started("caller")
    assert loop.cancel(started.verification_id).json() == {
        "verification_id": started.verification_id,
        "status": "canceled",
    }
    with loop.unchanged():
        assert problem_of(loop.check(started.verification_id, "Callers1")) == "canceled"
        assert problem_of(loop.confirm(started.verification_id)) == "canceled"
        assert problem_of(loop.another(started.verification_id, {"secret": "Second22"})) == "canceled"
        assert loop.cancel(started.verification_id).status_code == 200
    assert loop.view(started.verification_id)["status"] == "canceled"
    loop.report_due()
    assert loop.reports(started.sid) == []


def test_a_canceled_link_and_a_canceled_reply_confirm_nothing(loop: Loop):
    link, reply = loop.started("link"), loop.started("reply")
    for started in (link, reply):
        loop.cancel(started.verification_id)
    assert loop.tap(loop.link_id(link.to)).status_code == 400
    loop.inbound("message", reply.to, SENDER, body="yes")
    assert {loop.view(started.verification_id)["status"] for started in (link, reply)} == {"canceled"}
    loop.report_due()
    assert loop.reports(link.sid) == loop.reports(reply.sid) == []


def test_a_confirmed_verification_cannot_be_canceled(loop: Loop):
    started = loop.started("caller")
    loop.confirm(started.verification_id)
    with loop.unchanged():
        response = loop.cancel(started.verification_id)
    assert (response.status_code, problem_of(response)) == (409, "already-confirmed")


@pytest.mark.parametrize(
    "expect", [{"to": "+4915199999999"}, {"reference": "other"}, {"to": "+4915199999999", "reference": "order-1"}]
)
def test_somebody_elses_verification_is_unknown_and_costs_no_attempt(loop: Loop, expect: dict[str, str]):
    started = loop.started(reference="order-1")
    with loop.unchanged():
        response = loop.check(started.verification_id, loop.code(started.to), expect=expect)
    assert (response.status_code, problem_of(response)) == (404, "unknown-verification")
    right = {"to": started.to, "reference": "order-1"}
    assert loop.check(started.verification_id, loop.code(started.to), expect=right).status_code == 200


def test_expecting_a_number_in_another_spelling_names_the_field_and_costs_no_attempt(loop: Loop):
    started = loop.started(to="+491511234567")
    with loop.unchanged():
        response = loop.check(started.verification_id, loop.code(started.to), expect={"to": "+4901511234567"})
    assert (response.status_code, response.json()["field"]) == (400, "expect.to")


def test_expecting_a_reference_where_there_is_none_is_unknown(loop: Loop):
    started = loop.started()
    response = loop.check(started.verification_id, loop.code(started.to), expect={"reference": "order-1"})
    assert problem_of(response) == "unknown-verification"
