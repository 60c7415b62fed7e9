"""Nothing that the functions do, seen from the laptop's services, lacks its permission in the template."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.twilio_emulator import Delays
from tests.loop.driver import Loop, fresh_number
from tests.loop.table import stack_in_memory
from tests.template.test_permissions import ALLOWED

NEVER = Delays(queued=3600, sent=3600, delivered=3600)


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with stack_in_memory(period_s=None, delays=NEVER) as stack, Loop(stack) as client:
        yield client


@pytest.fixture
def may(loop):
    """Fails where the calls of a block need more than a function's role allows."""

    @contextmanager
    def watch(function):
        with loop.watching() as calls:
            yield
        made = {call for call in calls if not call.startswith("twilio:")}
        assert made
        assert made - {action for action, _ in ALLOWED[function]} <= {"secretsmanager:GetSecretValue"}

    return watch


def test_send_otp(loop, may):
    with may("SendOtp"):
        started = loop.started("code")
        assert loop.start(fresh_number(), key="a-key-of-mine").status_code == 202
        assert loop.start(started.to).status_code == 429
        loop.advance(31)
        assert loop.another(started.verification_id).status_code == 202
        assert loop.start(fresh_number(), "reply").status_code == 202


def test_start_directly(loop, may):
    to = fresh_number()
    with may("StartDirectly"):
        loop.stack.invoke("start_directly", {"to": to, "action": "code", "idempotency_key": "a-key-of-mine"})
        assert loop.stack.invoke("start_directly", {"to": to, "action": "link"})["status"] == 429
    loop.fault("create_message", "status", status=400)
    with may("StartDirectly"):
        assert loop.stack.invoke("start_directly", {"to": fresh_number(), "action": "code"})["status"] == 502
    loop.fault("create_message", "none")


def test_send_otp_takes_back_what_was_not_sent(loop, may):
    loop.fault("create_message", "status", status=400)
    with may("SendOtp"):
        assert loop.start(fresh_number()).status_code == 502
    loop.fault("create_message", "none")


def test_confirm_action(loop, may):
    code, link, caller, reply, dropped = (loop.started(a) for a in ("code", "link", "caller", "reply", "code"))
    with may("ConfirmAction"):
        assert loop.check(code.verification_id, loop.wrong_code(code.to)).status_code == 422
        assert loop.check(code.verification_id, loop.code(code.to)).status_code == 200
        assert loop.tap(loop.link_id(link.to)).status_code == 200
        assert loop.confirm(caller.verification_id).status_code == 200
        assert loop.cancel(dropped.verification_id).status_code == 200
        assert loop.view(code.verification_id)["status"] == "confirmed"
        loop.inbound("message", reply.to, body="yes")
        assert loop.view(reply.verification_id)["status"] == "confirmed"


def test_track_delivery(loop, may):
    started = loop.started("code")
    with may("TrackDelivery"):
        assert loop.deliver(started.sid, "delivered")["response_status"] == 204


def test_retry_feedback(loop, may):
    started = loop.started("code")
    loop.fault("feedback", "status", status=503, times=2)
    assert loop.check(started.verification_id, loop.code(started.to)).status_code == 200
    with may("RetryFeedback"):
        loop.report_due()
    loop.fault("feedback", "none")
    loop.advance(3600)
    with may("RetryFeedback"):
        loop.stack.run_schedules()
    assert loop.outcome(started.sid) == "confirmed"
