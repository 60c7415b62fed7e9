"""A function that dies between two of its calls strands nobody and loses no feedback."""

from typing import Any

import pytest

from tests.loop.driver import Loop, Started, fresh_number, problem_of


class Killer:
    """Kills a function at one of its outward calls, once.

    Parameters: `calls`, the calls in their order, up to the one at which it dies: `before` or `after` that one acts.
    """

    def __init__(self, loop: Loop, function: str, phase: str, calls: tuple[str, ...]) -> None:
        self._loop, self._function, self._phase = loop, function, phase
        self._left = list(calls)
        self.struck = False

    def __call__(self, name: str, phase: str) -> None:
        if self.struck or not self._left or name != self._left[0]:
            return
        if len(self._left) == 1 and phase == self._phase:
            self.struck = True
            assert self._loop.stack.functions.kill(self._function) == 1
            raise ConnectionAbortedError("the caller was killed")
        if len(self._left) > 1 and phase == "after":
            self._left.pop(0)


RESERVED, WRITTEN, SENT = "dynamodb:UpdateItem", "dynamodb:PutItem", "twilio:create_message"
ATTACHED = "dynamodb:UpdateItem"


def start_and_die(loop: Loop, to: str, phase: str, *calls: str, **start: Any) -> None:
    """Start a verification whose function dies; API Gateway then answers 500."""
    killer = Killer(loop, "send_otp", phase, calls)
    with loop.stack.observing(killer):
        assert loop.start(to, **start).status_code == 500
    assert killer.struck


def verification_of(loop: Loop, to: str) -> str:
    """The id of the one verification for a number."""
    (found,) = [pk for pk, item in loop.scan().items() if pk.startswith("V#") and item["to"]["S"] == to]
    return found.removeprefix("V#")


@pytest.mark.parametrize(
    ("phase", "calls"),
    [("after", (RESERVED, WRITTEN, SENT)), ("before", (RESERVED, WRITTEN, SENT, ATTACHED))],
    ids=["as Twilio answers", "before the SID is stored"],
)
class TestKilledBetweenTwiliosAnswerAndTheSidsStorage:
    """The user's code works at once; the SID comes with the status callback, and then the feedback."""

    def strand(self, loop: Loop, phase: str, calls: tuple[str, ...]) -> Started:
        to = fresh_number()
        start_and_die(loop, to, phase, *calls)
        (message,) = loop.messages(to)
        return Started(verification_of(loop, to), to, {"message": {"sid": message["sid"]}})

    def test_the_code_works_at_once_and_the_feedback_follows_the_callback(
        self, loop: Loop, phase: str, calls: tuple[str, ...]
    ):
        started = self.strand(loop, phase, calls)
        assert "sid" not in loop.view(started.verification_id)["messages"][0]
        assert loop.check(started.verification_id, loop.code(started.to)).status_code == 200
        (message,) = loop.view(started.verification_id)["messages"]
        assert (message["feedback"], message.get("sid")) == ("due", None)
        loop.deliver(started.sid, "delivered")
        assert loop.view(started.verification_id)["messages"][0]["sid"] == started.sid
        assert loop.reports(started.sid) == []
        loop.report_due()
        assert loop.outcome(started.sid) == "confirmed"
        assert loop.view(started.verification_id)["messages"][0]["feedback"] == "reported"

    def test_a_callback_before_the_code_lets_the_feedback_go_out_at_once(
        self, loop: Loop, phase: str, calls: tuple[str, ...]
    ):
        started = self.strand(loop, phase, calls)
        loop.deliver(started.sid, "sent")
        assert loop.check(started.verification_id, loop.code(started.to)).status_code == 200
        assert loop.outcome(started.sid) == "confirmed"


def test_a_lost_message_is_found_by_a_callers_secret_with_symbols_and_reported(loop: Loop):
    to, own = fresh_number(), "(vK3$w!r9)<Qe."
    start_and_die(loop, to, "after", RESERVED, WRITTEN, SENT, action="caller", secret=own)
    assert loop.check(verification_of(loop, to), own).status_code == 200
    loop.report_due()
    (message,) = loop.messages(to)
    assert loop.outcome(message["sid"]) == "confirmed"


def test_the_key_finds_the_message_that_a_killed_start_sent(loop: Loop):
    to, key = fresh_number(), f"key-{fresh_number()}"
    start_and_die(loop, to, "after", RESERVED, WRITTEN, SENT, key=key)
    with loop.unchanged():
        again = loop.start(to, key=key)
    assert again.status_code == 202
    assert again.json()["message"] == {"number": 1, "status": "unknown"}
    assert len(loop.messages(to)) == 1
    assert loop.check(again.json()["verification_id"], loop.code(to)).status_code == 200


def test_killed_before_the_record_nothing_was_sent_and_the_slot_is_spent(loop: Loop):
    to = fresh_number()
    start_and_die(loop, to, "before", RESERVED, WRITTEN)
    assert loop.messages(to) == []
    refused = loop.start(to)
    assert (problem_of(refused), refused.status_code) == ("too-many-messages", 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 30


def test_killed_before_sending_leaves_a_record_that_nothing_confirms(loop: Loop):
    to = fresh_number()
    start_and_die(loop, to, "before", RESERVED, WRITTEN, SENT)
    assert loop.messages(to) == []
    assert loop.view(verification_of(loop, to))["messages"][0]["status"] == "creating"


CHECK = ("dynamodb:UpdateItem",) * 3
REPORTED = (*CHECK, "twilio:feedback")


@pytest.mark.parametrize(
    ("phase", "calls"),
    [
        ("after", CHECK[:2]),
        ("before", CHECK),
        ("after", CHECK),
        ("before", REPORTED),
        ("after", REPORTED),
        ("before", (*REPORTED, "dynamodb:UpdateItem")),
        ("after", (*REPORTED, "dynamodb:UpdateItem")),
    ],
)
def test_killed_after_confirming_it_stays_confirmed_and_is_reported(loop: Loop, phase: str, calls: tuple[str, ...]):
    started = loop.started()
    killer = Killer(loop, "confirm_action", phase, calls)
    with loop.stack.observing(killer):
        assert loop.check(started.verification_id, loop.code(started.to)).status_code == 500
    assert killer.struck
    assert loop.view(started.verification_id)["status"] == "confirmed"
    loop.report_due()
    assert loop.outcome(started.sid) == "confirmed"
    assert loop.view(started.verification_id)["messages"][0]["feedback"] == "reported"


@pytest.mark.parametrize(
    ("phase", "calls", "left"), [("before", CHECK[:1], 5), ("after", CHECK[:1], 4), ("before", CHECK[:2], 4)]
)
def test_killed_before_confirming_the_attempt_is_spent_and_nothing_is_confirmed(
    loop: Loop, phase: str, calls: tuple[str, ...], left: int
):
    started = loop.started()
    killer = Killer(loop, "confirm_action", phase, calls)
    with loop.stack.observing(killer):
        assert loop.check(started.verification_id, loop.code(started.to)).status_code == 500
    view = loop.view(started.verification_id)
    assert (view["status"], view["attempts_left"]) == ("pending", left)
    loop.report_due()
    assert loop.reports(started.sid) == []
    assert loop.check(started.verification_id, loop.code(started.to)).status_code == 200


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("call", ["twilio:feedback", "dynamodb:UpdateItem"])
def test_a_retry_that_is_killed_is_made_up_for(loop: Loop, call: str, phase: str):
    loop.stack.run_schedules()
    started = loop.started()
    loop.fault("feedback", "status", status=503, times=1)
    loop.check(started.verification_id, loop.code(started.to))
    loop.advance(31)
    calls = ("twilio:feedback",) if call == "twilio:feedback" else ("twilio:feedback", call)
    killer = Killer(loop, "retry_feedback", phase, calls)
    with loop.stack.observing(killer), pytest.raises(Exception, match="died"):
        loop.stack.run_schedules()
    assert killer.struck
    loop.advance(61)
    loop.stack.run_schedules()
    assert loop.outcome(started.sid) == "confirmed"
    assert loop.view(started.verification_id)["messages"][0]["feedback"] == "reported"
