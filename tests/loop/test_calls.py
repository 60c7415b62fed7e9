"""Every outward call has a reason: DESIGN's count of reads and writes, request by request."""

import pytest

from tests.loop.driver import fresh_number

WRITE, READ = "dynamodb:UpdateItem", "dynamodb:GetItem"
CREATE, REPORT = "twilio:create_message", "twilio:feedback"


@pytest.fixture
def warm(loop):
    """A stack whose functions have read their secret."""
    started = loop.started()
    loop.check(started.verification_id, "000000")
    loop.deliver(started.sid, "sent")
    return loop


def test_a_start_makes_three_writes_and_no_read(warm):
    with warm.watching() as calls:
        warm.started()
    assert calls == [WRITE, "dynamodb:PutItem", CREATE, WRITE]


def test_a_start_with_a_key_reads_its_record_first(warm):
    with warm.watching() as calls:
        warm.start(fresh_number(), key="calls-1")
    assert calls == [READ, WRITE, "dynamodb:PutItem", CREATE, WRITE]


def test_a_wrong_guess_makes_two_writes_and_no_read(warm):
    started = warm.started()
    with warm.watching() as calls:
        warm.check(started.verification_id, warm.wrong_code(started.to))
    assert calls == [WRITE, WRITE]


def test_a_right_guess_makes_four_writes_and_no_read(warm):
    started = warm.started()
    code = warm.code(started.to)
    with warm.watching() as calls:
        warm.check(started.verification_id, code)
    assert calls == [WRITE, WRITE, WRITE, REPORT, WRITE]


def test_a_late_code_costs_a_guesser_the_same_calls_as_a_wrong_one(warm):
    started = warm.started()
    code, wrong = warm.code(started.to), warm.wrong_code(started.to)
    warm.advance(601)
    seen = []
    for guess in (code, wrong):
        with warm.watching() as calls:
            warm.check(started.verification_id, guess)
        seen.append(calls)
    assert seen[0] == seen[1] == [WRITE, WRITE]


def test_a_status_callback_makes_one_write(warm):
    started = warm.started()
    with warm.watching() as calls:
        warm.deliver(started.sid, "delivered")
    assert calls == [WRITE]


def test_a_reply_reads_what_it_may_answer_and_is_bound_before_it_confirms(warm):
    started = warm.started("reply")
    with warm.watching() as calls:
        warm.inbound("message", started.to, body="yes")
    assert calls == [READ, READ, READ, "dynamodb:PutItem", WRITE, REPORT, WRITE]


def test_what_confirms_nothing_while_a_reply_is_awaited_is_noted_in_one_write_more(warm):
    started = warm.started("reply")
    for body in ("no", "STOP"):
        with warm.watching() as calls:
            warm.inbound("message", started.to, body=body)
        assert calls == [READ, READ, READ, WRITE, "dynamodb:PutItem"]


def test_what_says_nothing_to_nobody_writes_nothing(warm):
    with warm.watching() as calls:
        warm.inbound("message", fresh_number(), body="STOP")
    assert calls == [READ, READ]


def test_opening_a_link_makes_no_call(warm):
    started = warm.started("link")
    link_id = warm.link_id(started.to)
    with warm.watching() as calls:
        warm.request("GET", f"/confirm?id={link_id}")
    assert calls == []
