"""A code: sent, entered, reported."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urldefrag, urlsplit

import pytest

from tests.loop.driver import Loop, fresh_number, problem_of


def leaves(value: Any) -> Iterator[str]:
    """Every string, number and binary in an item of DynamoDB's typed JSON."""
    match value:
        case dict():
            for each in value.values():
                yield from leaves(each)
        case list():
            for each in value:
                yield from leaves(each)
        case bytes():
            yield value.decode("latin-1")
        case _:
            yield str(value)


def test_start_sends_one_message_that_asks_for_feedback(loop: Loop):
    started = loop.started()
    (message,) = loop.messages(started.to)
    assert message["sid"] == started.sid
    assert message["provide_feedback"] is True
    assert message["feedback"] == "unconfirmed"
    assert message["validity_period"] <= 600
    address, fragment = urldefrag(message["status_callback"])
    assert urlsplit(address).path == "/twilio/status"
    assert address.startswith(loop.stack.api_url)
    assert parse_qs(urlsplit(address).query) == {"verification": [started.verification_id], "message": ["1"]}
    assert parse_qs(fragment) == {"rc": ["5"], "rp": ["all"]}


def test_start_asks_for_a_risk_check_and_counts_the_attempt(loop: Loop):
    started = loop.started()
    (call,) = [call for call in loop.rest_calls() if call["parameters"].get("To") == started.to]
    assert call["parameters"]["RiskCheck"] == "enable"
    assert call["parameters"]["Attempt"] == "1"
    assert call["parameters"]["From"] == "+14155550100"


def test_start_answers_what_was_sent_and_never_the_secret(loop: Loop):
    to = fresh_number()
    response = loop.start(to, reference="order:17")
    assert response.status_code == 202
    answer = response.json()
    assert answer["status"] == "pending"
    assert answer["message"] == {"number": 1, "status": "accepted", "sid": loop.messages(to)[0]["sid"]}
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["expires_at"])
    assert answer.keys() == {"verification_id", "status", "expires_at", "message"}
    assert loop.code(to) not in answer["verification_id"]
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("action", ["code", "link", "password", "caller"])
def test_the_table_holds_the_sid_under_the_verification_and_no_plain_secret_anywhere(loop: Loop, action: str):
    started = loop.started(action)
    table = loop.scan()
    assert table[f"V#{started.verification_id}"]["ms"]["M"]["1"]["M"]["s"] == {"S": started.sid}
    secret = loop.secret(started, action)
    numbers = {started.to, "+14155550100"}
    for item in table.values():
        for leaf in leaves(item):
            # Six digits in a row may stand in a moment or a number by chance, so that those must equal the code.
            chance = leaf.isdigit() or leaf in numbers
            assert leaf != secret if chance else secret not in leaf


def test_the_right_code_confirms_and_reports_exactly_that_sid(loop: Loop):
    other, started = loop.started(), loop.started(reference="order-1")
    before = len(loop.rest_calls())
    response = loop.check(started.verification_id, loop.code(started.to))
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("confirmed_at").endswith("Z")
    assert answer == {
        "verification_id": started.verification_id,
        "status": "confirmed",
        "proof": "secret",
        "message": 1,
        "reference": "order-1",
    }
    (report,) = loop.rest_calls()[before:]
    assert report["path"].endswith(f"/Messages/{started.sid}/Feedback.json")
    assert report["parameters"] == {"Outcome": "confirmed"}
    assert loop.outcome(started.sid) == "confirmed"
    assert loop.outcome(other.sid) == "unconfirmed"
    view = loop.view(started.verification_id)
    assert view["status"] == "confirmed"
    assert view["messages"][0]["feedback"] == "reported"


def test_a_wrong_code_tells_the_attempts_left_and_reports_nothing(loop: Loop):
    started = loop.started()
    response = loop.check(started.verification_id, loop.wrong_code(started.to))
    assert response.status_code == 422
    assert problem_of(response) == "wrong-secret"
    assert response.json()["attempts_left"] == 4
    loop.report_due()
    assert loop.reports(started.sid) == []
    assert loop.view(started.verification_id)["status"] == "pending"


def test_the_sixth_guess_is_locked_and_compared_with_nothing(loop: Loop):
    started = loop.started()
    code, wrong = loop.code(started.to), loop.wrong_code(started.to)
    left = [loop.check(started.verification_id, wrong).json()["attempts_left"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    with loop.unchanged():
        sixth = loop.check(started.verification_id, code)
    assert sixth.status_code == 423
    assert problem_of(sixth) == "locked"
    assert loop.view(started.verification_id)["status"] == "locked"
    loop.report_due()
    assert loop.reports(started.sid) == []


def test_after_ten_minutes_a_code_is_expired(loop: Loop):
    started = loop.started()
    loop.advance(601)
    assert loop.view(started.verification_id)["status"] == "expired"
    response = loop.check(started.verification_id, loop.wrong_code(started.to))
    assert response.status_code == 410
    assert problem_of(response) == "expired"
    loop.report_due()
    assert loop.reports(started.sid) == []


def test_a_late_right_code_is_reported_and_answered_as_a_wrong_one(loop: Loop):
    started = loop.started()
    loop.advance(601)
    wrong = loop.check(started.verification_id, loop.wrong_code(started.to))
    right = loop.check(started.verification_id, loop.code(started.to))
    assert (right.status_code, right.text) == (wrong.status_code, wrong.text)
    assert right.headers.keys() == wrong.headers.keys()
    assert loop.reports(started.sid) == []
    loop.stack.run_schedules()
    assert len(loop.reports(started.sid)) == 1
    assert loop.outcome(started.sid) == "confirmed"
    view = loop.view(started.verification_id)
    assert view["status"] == "expired"
    assert view["messages"][0]["feedback"] == "reported"
    assert "confirmed_at" not in view


def test_each_message_carries_a_secret_and_an_expiry_of_its_own(loop: Loop):
    started = loop.started()
    first_code = loop.code(started.to)
    loop.advance(31)
    answer = loop.another(started.verification_id).json()
    assert loop.code(started.to) != first_code
    assert answer["expires_at"] > started.answer["expires_at"]
    (call,) = [c for c in loop.rest_calls() if c["parameters"].get("To") == started.to][1:]
    assert call["parameters"]["Attempt"] == "2"


def test_a_confirmed_verification_confirms_no_second_time(loop: Loop):
    started = loop.started()
    code = loop.code(started.to)
    assert loop.check(started.verification_id, code).status_code == 200
    with loop.unchanged():
        again = loop.check(started.verification_id, code)
    assert again.status_code == 409
    assert problem_of(again) == "already-confirmed"
    assert len(loop.reports(started.sid)) == 1


def test_the_callers_own_secret_confirms_as_it_was_made_with_white_space_around_it_at_most(loop: Loop):
    own = "vK3$w!r9<Q{e}`" + "~" * 50
    started = loop.started("caller", secret=own)
    assert own in loop.messages(started.to)[-1]["body"]
    for typed in (own.lower(), own.replace("!", ""), own[:-1]):
        assert problem_of(loop.check(started.verification_id, typed)) == "wrong-secret"
    assert loop.check(started.verification_id, own).status_code == 200
    again = loop.started("caller", secret="p@ss-W0rd")
    assert loop.check(again.verification_id, "\n p@ss-W0rd\u00a0").status_code == 200


def test_what_has_no_character_left_tells_nothing_of_another_verification(loop: Loop):
    started = loop.started(reference="order:1")
    ended, link = loop.started(), loop.started("link")
    loop.cancel(ended.verification_id)
    with loop.unchanged():
        unexpected = loop.check(started.verification_id, "...", expect={"reference": "order:2"})
        problems = [problem_of(loop.check(each.verification_id, "...")) for each in (ended, link)]
    assert problem_of(unexpected) == "unknown-verification"
    assert problems == ["canceled", "wrong-action"]


def forget_key(loop: Loop, verification_id: str, number: str) -> None:
    """Let a message's MAC be of a key that the stack's secret does not hold."""
    with closing(loop.stack.aws.dynamodb()) as dynamodb:
        dynamodb.update_item(
            TableName=loop.stack.table_name,
            Key={"pk": {"S": f"V#{verification_id}"}},
            UpdateExpression="SET #ms.#n.#k = :gone",
            ExpressionAttributeNames={"#ms": "ms", "#n": number, "#k": "k"},
            ExpressionAttributeValues={":gone": {"S": "gone"}},
        )


@pytest.mark.parametrize("guess", ["right", "wrong"])
def test_a_code_whose_key_is_gone_is_neither_confirmed_nor_called_wrong(loop: Loop, guess: str):
    started = loop.started()
    forget_key(loop, started.verification_id, "1")
    code = loop.code(started.to) if guess == "right" else loop.wrong_code(started.to)
    with loop.unchanged(besides=("V#", "R#")):
        response = loop.check(started.verification_id, code)
    assert (response.status_code, problem_of(response)) == (503, "unavailable")
    assert "retry-after" in response.headers
    view = loop.view(started.verification_id)
    assert (view["status"], view["attempts_left"]) == ("pending", 4)
    loop.report_due()
    assert loop.reports(started.sid) == []


def test_a_second_messages_code_confirms_though_the_first_ones_key_is_gone(loop: Loop):
    started = loop.started()
    loop.advance(31)
    loop.another(started.verification_id)
    forget_key(loop, started.verification_id, "1")
    confirmed = loop.check(started.verification_id, loop.code(started.to))
    assert (confirmed.status_code, confirmed.json()["message"]) == (200, 2)


@pytest.mark.parametrize("guess", ["right", "wrong"])
def test_an_expired_code_is_answered_as_any_other_while_another_ones_key_is_gone(loop: Loop, guess: str):
    started = loop.started()
    expired = loop.code(started.to)
    loop.advance(590)
    loop.another(started.verification_id)
    forget_key(loop, started.verification_id, "2")
    loop.advance(20)
    wrong = next(code for code in ("000000", "111111", "222222") if code not in (expired, loop.code(started.to)))
    answer = loop.check(started.verification_id, expired if guess == "right" else wrong)
    assert (answer.status_code, problem_of(answer)) == (503, "unavailable")
