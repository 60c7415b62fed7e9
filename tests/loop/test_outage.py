"""Replies while DynamoDB is not there: tried again; then a call is rejected all the same, and a message comes again."""

import importlib.util
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local.aws import ACCOUNT_SID, AUTH_TOKEN
from local.functions import ROOT
from local.stack import LAPTOP
from local.stage import BASE_URL, EVENTS
from local.template import Template
from otp_feedback.adapters.aws import clients
from tests.loop.driver import SENDER, Loop
from tests.loop.test_reply import EMPTY, REJECTED, status

FORMS: dict[str, Callable[[str], dict[str, str]]] = {
    "message": lambda sender: {"MessageSid": f"SM{uuid4().hex}", "From": sender, "To": SENDER, "Body": "yes"},
    "call": lambda sender: {"CallSid": f"CA{uuid4().hex}", "From": sender, "To": SENDER},
}


@pytest.mark.parametrize(("kind", "answer"), [("message", EMPTY), ("call", REJECTED)])
def test_a_passing_outage_is_waited_out_within_the_request(loop: Loop, kind: str, answer: str):
    started = loop.started("reply")
    lost = iter(range(6))

    def lose(name: str, phase: str) -> None:
        if name.startswith("dynamodb:") and phase == "before" and next(lost, None) is not None:
            raise ConnectionAbortedError

    with loop.stack.observing(lose):
        response = loop.webhook(f"/twilio/{kind}", FORMS[kind](started.to))
    assert next(lost, None) is None
    assert (response.status_code, response.text) == (200, answer)
    assert status(loop, started) == "confirmed"
    loop.report_due()
    assert loop.outcome(started.sid) == "confirmed"


class Dead:
    """An AWS service of which every call fails in one way; the secret alone can be read."""

    def __init__(self, error: Exception, seconds: Callable[[], float]) -> None:
        self._error = error
        self._seconds = seconds
        self.called_at: list[float] = []

    def get_secret_value(self, **_: Any) -> dict[str, Any]:
        """The laptop's."""
        secret = {"root": "r" * 32, "twilio_account_sid": ACCOUNT_SID, "twilio_auth_token": AUTH_TOKEN}
        return {"SecretString": json.dumps(secret), "VersionId": "1", "VersionStages": ["AWSCURRENT"]}

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        def fail(**_: Any) -> Any:
            self.called_at.append(self._seconds())
            raise self._error

        return fail


class Waiting:
    """Lambda's context, and time that passes where the function sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def seconds(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.now += seconds

    def get_remaining_time_in_millis(self) -> int:
        """Of the function's time-out."""
        return round(28_000 - self.now * 1000)


def answered(monkeypatch: pytest.MonkeyPatch, stem: str, error: Exception) -> tuple[dict[str, Any], Waiting, Dead]:
    """What the function answers to an event while DynamoDB fails in one way."""
    settings = Template(ROOT / "template.yaml", LAPTOP).functions({})["confirm_action"].environment
    settings = {**settings, "OTP_PUBLIC_BASE_URL": BASE_URL, "OTP_TWILIO_BASE_URL": "http://127.0.0.1:1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    lambda_context = Waiting()
    dead = Dead(error, lambda_context.seconds)
    monkeypatch.setattr(clients, "client", lambda *_: dead)
    spec = importlib.util.spec_from_file_location("outage_app", ROOT / "functions/confirm_action/app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler = module.make_handler(settings, seconds=lambda_context.seconds, sleep=lambda_context.sleep)
    event = json.loads((EVENTS / f"{stem}.json").read_text())
    return handler(event, lambda_context), lambda_context, dead


THROTTLED = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")
FAULT = ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetItem")


@pytest.mark.parametrize(("kind", "answer"), [("message", 503), ("call", 200)])
def test_in_a_long_outage_a_call_is_rejected_and_a_message_comes_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str, answer: int
):
    response, waited, dead = answered(monkeypatch, f"{kind}-confirmed", THROTTLED)
    assert response["statusCode"] == answer
    assert (response["body"] == REJECTED) == (kind == "call")
    assert 11 <= waited.now < 12
    assert len(dead.called_at) > 10
    assert '"Unavailable":[1.0]' in capsys.readouterr().out


def test_in_a_long_outage_calls_are_made_almost_to_its_end(monkeypatch: pytest.MonkeyPatch):
    """A call may take 3 s, and 14.5 are to suffice for the answer."""
    _, _, dead = answered(monkeypatch, "call-confirmed", THROTTLED)
    assert 10 <= dead.called_at[-1] <= 11.5


@pytest.mark.parametrize(("kind", "answer"), [("message", 503), ("call", 200)])
def test_a_fault_rejects_a_call_and_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str, answer: int
):
    response, waited, dead = answered(monkeypatch, f"{kind}-confirmed", FAULT)
    assert response["statusCode"] == answer
    assert (response["body"] == REJECTED) == (kind == "call")
    assert dead.called_at == [waited.now] == [0]
    assert '"Fault":[1.0]' in capsys.readouterr().out


def test_a_forged_call_is_refused_as_ever(monkeypatch: pytest.MonkeyPatch):
    response, _, dead = answered(monkeypatch, "call-forged-refused", THROTTLED)
    assert (response["statusCode"], dead.called_at) == (403, [])
