"""One Idempotency-Key, one message, whoever repeats it and however fast."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.loop.driver import Loop, fresh_number, problem_of

_keys = itertools.count()


@pytest.fixture
def key() -> str:
    """A key that no other test of this process has."""
    return f"key-{next(_keys)}"


def slots_taken(loop: Loop, to: str) -> int:
    """Messages that the recipient's budget still counts: found by sending until the hour's limit of five."""
    sent = 0
    loop.advance(31)
    while (response := loop.start(to)).status_code == 202:
        sent += 1
        loop.advance(31)
    assert problem_of(response) == "too-many-messages"
    return 5 - sent


def test_a_replay_gets_the_same_answer_one_message_and_one_slot(loop: Loop, key: str):
    to = fresh_number()
    first = loop.start(to, key=key, reference="a")
    with loop.unchanged():
        again = [loop.start(to, key=key, reference="a") for _ in range(3)]
    assert first.status_code == 202
    assert {(response.status_code, response.text) for response in again} == {(202, first.text)}
    assert len(loop.messages(to)) == 1
    loop.advance(31)
    with loop.unchanged():
        assert loop.start(to, key=key, reference="a").text == first.text
    assert slots_taken(loop, to) == 1


@pytest.mark.parametrize("action", ["code", "reply"])
def test_eight_at_once_send_one_message_and_take_one_slot(loop: Loop, key: str, action: str):
    to = fresh_number()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: loop.start(to, action, key=key), range(8)))
    sent = [answer for answer in answers if answer.status_code == 202]
    assert sent
    assert {answer.json()["verification_id"] for answer in sent} == {sent[0].json()["verification_id"]}
    for refused in (answer for answer in answers if answer.status_code != 202):
        assert (refused.status_code, problem_of(refused)) == (503, "unavailable")
        assert refused.headers["retry-after"] == "1"
    (message,) = loop.messages(to)
    final = loop.start(to, action, key=key)
    assert final.json()["message"] == {"number": 1, "status": "accepted", "sid": message["sid"]}
    assert slots_taken(loop, to) == 1


def test_the_same_key_of_two_callers_is_two_verifications(loop: Loop, key: str):
    to = fresh_number()
    first = loop.start(to, key=key, caller="AIDAFIRST").json()
    loop.advance(31)
    second = loop.start(to, key=key, caller="AIDASECOND").json()
    assert first["verification_id"] != second["verification_id"]
    assert len(loop.messages(to)) == 2


def test_the_sessions_of_a_role_are_one_caller(loop: Loop, key: str):
    to = fresh_number()
    first = loop.start(to, key=key, caller="AROAROLE:one")
    with loop.unchanged():
        second = loop.start(to, key=key, caller="AROAROLE:two")
    assert first.text == second.text


@pytest.mark.parametrize("bad", ["", "a b", "x" * 256, "tab\tbed", "\x7f"])
def test_a_key_that_is_none_is_refused(loop: Loop, bad: str):
    with loop.unchanged():
        response = loop.start(fresh_number(), key=bad)
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", "Idempotency-Key")


def test_another_message_eight_times_at_once_is_one(loop: Loop, key: str):
    started = loop.started()
    loop.advance(31)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: loop.another(started.verification_id, key=key), range(8)))
    assert {answer.status_code for answer in answers} <= {202, 503}
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 503} <= {"1"}
    assert {answer.json()["message"]["number"] for answer in answers if answer.status_code == 202} == {2}
    assert len(loop.messages(started.to)) == 2


def test_a_message_that_twilio_refused_is_refused_again_without_asking(loop: Loop, key: str):
    to = fresh_number()
    loop.fault("create_message", "status", status=400)
    first = loop.start(to, key=key)
    assert (first.status_code, problem_of(first)) == (502, "message-rejected")
    with loop.unchanged():
        again = loop.start(to, key=key)
    assert (again.status_code, again.text) == (first.status_code, first.text)


def test_a_message_that_never_went_out_is_a_conflict_once_its_request_is_over(loop: Loop, key: str):
    """Neither the record's write nor its undo is answered; no callback will ever come."""
    to = fresh_number()

    def fail(name: str, phase: str) -> None:
        if (name, phase) in {("dynamodb:PutItem", "after"), ("dynamodb:DeleteItem", "before")}:
            raise ConnectionAbortedError

    with loop.stack.observing(fail):
        assert problem_of(loop.start(to, key=key)) == "unavailable"
    assert loop.start(to, key=key).json()["message"] == {"number": 1, "status": "unknown"}
    loop.advance(28)
    with loop.unchanged():
        again = loop.start(to, key=key)
    assert (again.status_code, problem_of(again)) == (409, "idempotency-conflict")
    assert loop.messages(to) == []
    assert slots_taken(loop, to) == 0


def test_eight_at_once_take_one_slot_of_their_limit_key_and_none_waits_for_an_hour(custom: Loop, key: str):
    loop, to, client = custom, fresh_number(), "198.51.100.77"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: loop.start(to, key=key, limit_key=client), range(8)))
    assert any(answer.status_code == 202 for answer in answers)
    for refused in (answer for answer in answers if answer.status_code != 202):
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert len(loop.messages(to)) == 1
    statuses = [loop.start(fresh_number(), limit_key=client).status_code for _ in range(3)]
    assert statuses == [202, 202, 429]
