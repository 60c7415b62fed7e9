"""One lost acknowledgement of DynamoDB's, wherever it strikes: the answer is the same, and everything happened once."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.loop.driver import Loop, fresh_number

WRITES = ("dynamodb:UpdateItem", "dynamodb:PutItem")


@contextmanager
def losing(loop: Loop, nth: int, *, repeated: bool = True) -> Iterator[None]:
    """The nth write within the block is made, and its acknowledgement lost; so it is made again, where it must be."""
    seen = 0

    def lose(name: str, phase: str) -> None:
        nonlocal seen
        if name in WRITES and phase == "after":
            seen += 1
            if seen == nth:
                raise ConnectionAbortedError

    with loop.stack.observing(lose):
        yield
    assert seen > nth if repeated else seen == nth


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_start_is_answered_with_its_sid_and_sends_one_message(loop: Loop, nth: int):
    to = fresh_number()
    with losing(loop, nth):
        answer = loop.start(to)
    (message,) = loop.messages(to)
    assert answer.status_code == 202
    assert answer.json()["message"] == {"number": 1, "status": "accepted", "sid": message["sid"]}
    (recipient,) = [item for pk, item in loop.scan().items() if pk.startswith("R#")]
    assert recipient["s1"] == {"N": "0"}
    assert loop.check(answer.json()["verification_id"], loop.code(to)).status_code == 200


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_another_message_is_sent_once(loop: Loop, nth: int):
    started = loop.started()
    loop.advance(31)
    with losing(loop, nth):
        answer = loop.another(started.verification_id)
    assert answer.status_code == 202
    assert len(loop.messages(started.to)) == 2
    assert answer.json()["message"]["sid"] == loop.messages(started.to)[1]["sid"]


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_the_right_code_is_answered_as_confirmed_and_reported_once(loop: Loop, nth: int):
    started = loop.started()
    with losing(loop, nth):
        answer = loop.check(started.verification_id, loop.code(started.to))
    assert (answer.status_code, answer.json()["status"]) == (200, "confirmed")
    view = loop.view(started.verification_id)
    assert (view["attempts_left"], view["messages"][0]["feedback"]) == (4, "reported")
    loop.report_due()
    assert len(loop.reports(started.sid)) == 1


def test_a_wrong_code_costs_one_attempt(loop: Loop):
    started = loop.started()
    with losing(loop, 1):
        answer = loop.check(started.verification_id, loop.wrong_code(started.to))
    assert answer.json()["attempts_left"] == 4
    assert loop.view(started.verification_id)["attempts_left"] == 4


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_the_callers_word_is_taken_once(loop: Loop, nth: int):
    started = loop.started("caller")
    with losing(loop, nth):
        answer = loop.confirm(started.verification_id)
    assert (answer.status_code, answer.json()["proof"]) == (200, "caller")
    loop.report_due()
    assert len(loop.reports(started.sid)) == 1


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_reply_confirms_once(loop: Loop, nth: int):
    started = loop.started("reply")
    with losing(loop, nth, repeated=nth < 3):  # the third settles the report, which was the last thing to do
        answer = loop.inbound("message", started.to, body="yes")
    assert answer["response_status"] == 200
    assert loop.view(started.verification_id)["status"] == "confirmed"
    loop.report_due()
    assert len(loop.reports(started.sid)) == 1


def test_cancelling_is_answered_as_canceled(loop: Loop):
    started = loop.started()
    with losing(loop, 1):
        assert loop.cancel(started.verification_id).json()["status"] == "canceled"


def test_a_callback_is_stored_once(loop: Loop):
    started = loop.started()
    with losing(loop, 1):
        assert loop.deliver(started.sid, "delivered")["response_status"] == 204
    assert loop.view(started.verification_id)["messages"][0]["status"] == "delivered"


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_the_outbox_reports_once(loop: Loop, nth: int):
    started = loop.started()
    loop.fault("feedback", "status", status=503)
    loop.check(started.verification_id, loop.code(started.to))
    loop.advance(31)
    with losing(loop, nth):
        loop.stack.run_schedules()
    assert len(loop.reports(started.sid)) == 2
    assert loop.view(started.verification_id)["messages"][0]["feedback"] == "reported"
    loop.advance(301)
    loop.stack.run_schedules()
    assert len(loop.reports(started.sid)) == 2
