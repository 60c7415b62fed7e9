"""Status callbacks: late, twice, out of order, foreign; delivery moves forward only and a SID is set once."""

from urllib.parse import urldefrag

import pytest

from local.aws import ACCOUNT_SID
from tests.loop.conftest import Running
from tests.loop.driver import Loop


def message_of(loop: Loop, verification_id: str, number: int = 1) -> dict[str, object]:
    """A message as the API shows it."""
    found: dict[str, object] = loop.view(verification_id)["messages"][number - 1]
    return found


def call_back(loop: Loop, verification_id: str, sid: str, status: str, number: int = 1, **more: str) -> int:
    """A signed status callback; returns the answer's status."""
    target = f"/twilio/status?message={number}&verification={verification_id}"
    return loop.webhook(target, {"MessageSid": sid, "MessageStatus": status, **more}).status_code


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("accepted", "accepted"),
        ("queued", "queued"),
        ("sending", "queued"),
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("undelivered", "undelivered"),
        ("failed", "failed"),
        ("read", "read"),
        ("canceled", "canceled"),
    ],
)
def test_each_status_is_shown(loop: Loop, status: str, shown: str):
    started = loop.started()
    assert call_back(loop, started.verification_id, started.sid, status) == 204
    assert message_of(loop, started.verification_id)["status"] == shown


def test_a_callback_is_taken_in_whichever_order_its_query_was_signed_and_requested(loop: Loop):
    """Ours is alphabetical; Twilio has signed a query as given and requested it sorted (twilio-php #790)."""
    started = loop.started()
    (message,) = loop.messages(started.to)
    given = urldefrag(message["status_callback"]).url.removeprefix(loop.stack.api_url)
    assert given == f"/twilio/status?message=1&verification={started.verification_id}"
    other = f"/twilio/status?verification={started.verification_id}&message=1"
    for status, signed, requested in (("queued", given, other), ("sent", other, given), ("delivered", other, other)):
        fields = {"AccountSid": ACCOUNT_SID, "MessageSid": started.sid, "MessageStatus": status}
        assert loop.webhook(requested, fields, signature=loop.signature(signed, fields)).status_code == 204
        assert message_of(loop, started.verification_id)["status"] == status


def test_an_undelivered_message_keeps_its_error_code(loop: Loop):
    started = loop.started()
    call_back(loop, started.verification_id, started.sid, "undelivered", ErrorCode="30003")
    message = message_of(loop, started.verification_id)
    assert (message["status"], message["error_code"]) == ("undelivered", 30003)


@pytest.mark.parametrize("code", ["", "abc", "٣٠٠٠٣", "-1", "9" * 30, "9" * 5000])
def test_an_error_code_that_is_none_is_left_out(loop: Loop, code: str):
    started = loop.started()
    assert call_back(loop, started.verification_id, started.sid, "failed", ErrorCode=code) == 204
    message = message_of(loop, started.verification_id)
    assert message["status"] == "failed"
    assert "error_code" not in message


def test_a_callback_lost_on_its_way_is_repeated_by_twilio_and_stored_once(loop: Loop):
    started = loop.started()
    loop.fault("status_callback", "timeout_after", times=2)
    callback = loop.deliver(started.sid, "delivered")
    assert callback["attempts"] == 3
    assert callback["response_status"] == 204
    assert message_of(loop, started.verification_id)["status"] == "delivered"


def test_the_table_not_answering_makes_twilio_repeat_the_callback(loop: Loop):
    started = loop.started()
    failures = iter(range(3))

    def fail(name: str, phase: str) -> None:
        if (name, phase) == ("dynamodb:UpdateItem", "before") and next(failures, None) is not None:
            raise ConnectionAbortedError

    with loop.stack.observing(fail):
        callback = loop.deliver(started.sid, "delivered")
    assert callback["attempts"] > 1
    assert message_of(loop, started.verification_id)["status"] == "delivered"


@pytest.fixture
def redacting(running: Running) -> Loop:
    """A stack whose owner has texts emptied at Twilio."""
    return running(OTP_REDACT_BODIES="true")


def body_at_twilio(loop: Loop, to: str) -> str:
    """What Twilio still has of a message's text."""
    return str(loop.messages(to)[-1]["body"])


@pytest.mark.parametrize("status", ["delivered", "undelivered", "failed", "read"])
def test_the_text_is_emptied_at_twilio_when_the_message_has_come_to_its_end(redacting: Loop, status: str):
    loop = redacting
    started = loop.started()
    for underway in ("queued", "sent"):
        loop.deliver(started.sid, underway)
        assert body_at_twilio(loop, started.to)
    code = loop.code(started.to)
    loop.deliver(started.sid, status)
    assert body_at_twilio(loop, started.to) == ""
    assert message_of(loop, started.verification_id)["status"] == status
    assert loop.check(started.verification_id, code).status_code == 200
    assert loop.outcome(started.sid) == "confirmed"


def test_where_emptying_fails_the_callback_that_is_repeated_tries_again(redacting: Loop):
    loop = redacting
    started = loop.started()

    def lose(name: str, phase: str) -> None:
        if (name, phase) == ("twilio:post", "before"):
            raise ConnectionAbortedError

    with loop.stack.observing(lose):
        assert call_back(loop, started.verification_id, started.sid, "delivered") == 503
    assert body_at_twilio(loop, started.to)
    assert message_of(loop, started.verification_id)["status"] == "delivered"
    assert call_back(loop, started.verification_id, started.sid, "delivered") == 204
    assert body_at_twilio(loop, started.to) == ""


def test_by_default_texts_are_left_alone(loop: Loop):
    started = loop.started()
    loop.deliver(started.sid, "delivered")
    assert body_at_twilio(loop, started.to)
