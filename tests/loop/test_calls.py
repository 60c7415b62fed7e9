"""Every outward call has a reason: the count of reads and writes in `docs/architecture.md`, request by request."""

import pytest

from tests.loop.driver import fresh_number

WRITE, READ, PUT = "dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:PutItem"
CREATE, REPORT = "twilio:create_message", "twilio:feedback"


@pytest.fixture
def warm(running):
    """A stack whose functions have read their secret; of its own, since one right guess in 25 looks at all outcomes."""
    loop = running(OTP_APP_NAME="Counted")
    started = loop.started()
    loop.check(started.verification_id, "000000")
    loop.deliver(started.sid, "sent")
    return loop


def test_a_start_makes_three_writes_and_no_read(warm):
    with warm.watching() as calls:
        warm.started()
    assert calls == [WRITE, PUT, CREATE, WRITE]


def test_a_start_with_a_key_reads_its_record_first(warm):
    with warm.watching() as calls:
        warm.start(fresh_number(), key="calls-1")
    assert calls == [READ, WRITE, PUT, CREATE, WRITE]


@pytest.mark.parametrize("key", [None, "calls-2"])
def test_another_message_reads_its_record_and_makes_three_writes(warm, key):
    started = warm.started()
    warm.advance(31)
    with warm.watching() as calls:
        assert warm.another(started.verification_id, key=key).status_code == 202
    assert calls == [READ, WRITE, WRITE, CREATE, WRITE]


def test_a_replay_reads_its_record_alone(warm):
    to = fresh_number()
    started = warm.start(to, key="calls-3").json()
    warm.advance(31)
    warm.another(started["verification_id"], key="calls-4")
    with warm.watching() as calls:
        warm.start(to, key="calls-3")
        warm.another(started["verification_id"], key="calls-4")
    assert calls == [READ, READ]


def test_a_message_that_the_caller_sent_itself_takes_one_write(warm):
    started = warm.started("caller")
    with warm.watching() as calls:
        assert warm.another(started.verification_id, {"sid": "SM" + "4" * 32}).status_code == 202
    assert calls == [READ, WRITE]


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


@pytest.mark.parametrize("kind", ["message", "call"])
def test_a_reply_makes_three_reads_and_three_writes(warm, kind):
    """What it was put to, whom it may answer, and that record; then the binding, the confirmation and the report."""
    started = warm.started("reply")
    with warm.watching() as calls:
        warm.inbound(kind, started.to, body="yes")
    assert calls == [READ, READ, READ, PUT, WRITE, REPORT, WRITE]


@pytest.mark.parametrize("kind", ["message", "call"])
def test_a_reply_that_comes_again_reads_what_it_was_put_to_and_changes_nothing(warm, kind):
    started = warm.started("reply")
    sid = warm.inbound(kind, started.to, body="yes")["sid"]
    with warm.watching() as calls, warm.unchanged():
        warm.inbound(kind, started.to, body="yes", sid=sid)
    assert calls == [READ, WRITE]


def test_a_reply_from_a_number_that_nothing_was_sent_to_makes_two_reads_and_a_write(warm):
    with warm.watching() as calls:
        warm.inbound("message", fresh_number(), body="hello")
    assert calls == [READ, READ, PUT]


def test_the_callers_word_makes_three_writes_and_no_read(warm):
    started = warm.started("caller")
    with warm.watching() as calls:
        warm.confirm(started.verification_id)
    assert calls == [WRITE, WRITE, REPORT, WRITE]


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
