"""Each confirming route confirms its own actions alone; the rest is `wrong-action` and costs no attempt."""

from collections.abc import Callable

import pytest

from tests.loop.driver import Loop, Started, forged_link_id, fresh_number, problem_of

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


def test_the_callers_own_secret_stands_in_the_text_and_checks(loop: Loop):
    started = loop.started("caller", secret="Zx9Kq4Lm7Pw2")
    assert "Zx9Kq4Lm7Pw2" in loop.messages(started.to)[0]["body"]
    assert problem_of(loop.check(started.verification_id, "zx9kq4lm7pw2")) == "wrong-secret"
    answer = loop.check(started.verification_id, "Zx9Kq4Lm7Pw2").json()
    assert (answer["status"], answer["proof"]) == ("confirmed", "secret")
    assert loop.outcome(started.sid) == "confirmed"


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
