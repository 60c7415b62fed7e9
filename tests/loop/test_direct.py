"""`send_otp` invoked directly, as Step Functions and other Lambdas do."""

from contextlib import closing

import boto3
import pytest

from local.functions import FunctionError
from tests.loop.conftest import Running
from tests.loop.driver import Loop, fresh_number, problem_of

KEY = "execution-17"


def test_it_sends_as_over_http_and_answers_plainly(loop: Loop):
    to = fresh_number()
    answer = loop.stack.invoke("send_otp", {"to": to, "action": "code", "reference": "run-1"})
    (message,) = loop.messages(to)
    assert answer.keys() == {"verification_id", "status", "expires_at", "message"}
    assert answer["message"] == {"number": 1, "status": "accepted", "sid": message["sid"]}
    assert message["status_callback"].startswith(loop.stack.api_url)
    checked = loop.check(answer["verification_id"], loop.code(to), expect={"reference": "run-1"})
    assert checked.json()["status"] == "confirmed"


def test_the_key_in_the_body_makes_a_repeated_invocation_harmless(loop: Loop):
    event = {"to": fresh_number(), "action": "code", "idempotency_key": KEY}
    first = loop.stack.invoke("send_otp", event)
    with loop.unchanged():
        assert loop.stack.invoke("send_otp", event) == first
    with pytest.raises(FunctionError, match="IdempotencyConflict"):
        loop.stack.invoke("send_otp", {**event, "reference": "other"})
    assert len(loop.messages(event["to"])) == 1


def test_a_caller_over_http_does_not_share_its_keys(loop: Loop):
    to = fresh_number()
    first = loop.stack.invoke("send_otp", {"to": to, "action": "code", "idempotency_key": KEY})
    loop.advance(31)
    second = loop.start(to, key=KEY)
    assert second.json()["verification_id"] != first["verification_id"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"to": "+1555"}, "MalformedRequest"),
        ({"to": None}, "MalformedRequest"),
        ({"action": "dance"}, "MalformedRequest"),
        ({"unknown": 1}, "MalformedRequest"),
        ({"idempotency_key": 17}, "MalformedRequest"),
        ({"idempotency_key": "a b"}, "MalformedRequest"),
        ({"idempotency_key": ""}, "MalformedRequest"),
        ({"secret": "abc"}, "MalformedRequest"),
        ({"template": "none"}, "MalformedRequest"),
    ],
    ids=str,
)
def test_what_is_wrong_is_raised_as_an_error_that_echoes_nothing(loop: Loop, change: dict[str, object], error: str):
    event = {"to": fresh_number(), "action": "code", **change}
    with loop.unchanged(), pytest.raises(FunctionError, match=error) as raised:
        loop.stack.invoke("send_otp", event)
    for value in (*change.values(), event["to"]):
        assert value in (None, "", 1, 17) or str(value) not in str(raised.value)


@pytest.mark.parametrize("event", [{}, [], "text", None, 7, {"Records": []}, {"detail": {}}], ids=str)
def test_an_event_that_is_no_request_is_an_error(loop: Loop, event: object):
    with loop.unchanged(), pytest.raises(FunctionError, match="MalformedRequest"):
        loop.stack.invoke("send_otp", event)


def test_a_limit_is_raised_as_an_error(loop: Loop):
    event = {"to": fresh_number(), "action": "code"}
    loop.stack.invoke("send_otp", event)
    with loop.unchanged(), pytest.raises(FunctionError, match="TooManyMessages"):
        loop.stack.invoke("send_otp", event)


def test_without_a_fixed_address_it_is_read_from_the_parameter_once(running: Running):
    loop = running(OTP_PUBLIC_BASE_URL="", OTP_BASE_URL_PARAMETER="/tests/base-url")
    address = loop.stack.api_url.replace("127.0.0.1", "localhost")
    with closing(boto3.client("ssm", endpoint_url=loop.stack.aws_url)) as parameters:
        parameters.put_parameter(Name="/tests/base-url", Value=f"{address}/", Type="String")
    to = fresh_number()
    with loop.watching() as calls:
        answer = loop.stack.invoke("send_otp", {"to": to, "action": "link"})
        loop.stack.invoke("send_otp", {"to": fresh_number(), "action": "link"})
    assert calls.count("ssm:GetParameter") == 1
    (message,) = loop.messages(to)
    assert message["status_callback"].startswith(f"{address}/twilio/status?")
    assert f"{address}/confirm?id=" in message["body"]
    assert problem_of(loop.check(answer["verification_id"], "123456")) == "wrong-action"
