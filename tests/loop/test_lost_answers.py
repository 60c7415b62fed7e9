"""A lost acknowledgement of DynamoDB's, through boto3's own repetition; the promises lose each write's in turn."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.loop.driver import Loop, fresh_number

WRITES = ("dynamodb:UpdateItem", "dynamodb:PutItem")


@contextmanager
def losing(loop: Loop, nth: int) -> Iterator[None]:
    """The nth write within the block is made, and its acknowledgement lost; so it is made again."""
    seen = 0

    def lose(name: str, phase: str) -> None:
        nonlocal seen
        if name in WRITES and phase == "after":
            seen += 1
            if seen == nth:
                raise ConnectionAbortedError

    with loop.stack.observing(lose):
        yield
    assert seen > nth


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
