"""What a function makes at init, and what waits until it is needed."""

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from local.functions import ROOT
from otp_feedback.adapters.aws import clients
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.request_log import RequestLog
from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.wiring import Wiring, sending_service

ENVIRON = {
    "OTP_TABLE": "verifications",
    "OTP_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:root",
    "OTP_SENDER": "+14155550100",
    "OTP_APP_NAME": "Acme",
    "OTP_TWILIO_BASE_URL": "http://127.0.0.1:1",
    "OTP_BASE_URL_PARAMETER": "/otp/base-url",
}
CONTEXT = SimpleNamespace(aws_request_id="invocation-1", get_remaining_time_in_millis=lambda: 28_000)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """The clients that were made, each with its settings."""
    made: list[tuple[str, Any]] = []

    class Ssm:
        def get_parameter(self, *, Name: str) -> Any:  # noqa: N803
            return {"Parameter": {"Value": f"https://otp.example.com{Name}"}}

    def client(service: str, config: Any = clients.CLIENT_CONFIG) -> Any:
        made.append((service, config))
        return Ssm()

    monkeypatch.setattr(clients, "client", client)
    return made


def test_what_every_request_needs_is_made_at_init_and_once(made: list[tuple[str, Any]]):
    wiring = Wiring("send_otp", ENVIRON)
    assert sending_service(wiring).verifications is wiring.service.verifications is wiring.stores.verifications
    assert wiring.vault is wiring.service.vault
    assert sorted(made) == [("dynamodb", clients.CLIENT_CONFIG), ("secretsmanager", clients.CLIENT_CONFIG)]


def test_the_client_that_tries_once_waits_for_the_first_webhook(made: list[tuple[str, Any]]):
    wiring = Wiring("confirm_action", ENVIRON)
    service = wiring.service
    made.clear()
    once = wiring.service_trying_once
    assert wiring.service_trying_once is once
    assert made == [("dynamodb", clients.ONE_TRY_CONFIG)]
    assert (once.breaker, once.outcomes, once.twilio) == (service.breaker, service.outcomes, service.twilio)
    stores = {once.verifications, once.budgets, once.inbound, once.outbox}
    assert not stores & {service.verifications, service.budgets, service.inbound, service.outbox}


def test_the_address_is_asked_for_where_no_setting_fixes_it(made: list[tuple[str, Any]]):
    fixed = Wiring("send_otp", {**ENVIRON, "OTP_PUBLIC_BASE_URL": "https://fixed.example.com"})
    assert fixed.base_url.of_stack() == "https://fixed.example.com"
    assert made == []
    asked = Wiring("send_otp", ENVIRON)
    assert [asked.base_url.of_stack() for _ in range(2)] == ["https://otp.example.com/otp/base-url"] * 2
    assert made == [("ssm", clients.CLIENT_CONFIG)]


@pytest.mark.usefixtures("made")
def test_only_who_sends_has_the_cap_on_messages():
    wiring = Wiring("send_otp", {**ENVIRON, "OTP_HOURLY_CAP": "100"})
    assert sending_service(wiring).hourly_cap is not None
    assert wiring.service.hourly_cap is None
    assert sending_service(Wiring("send_otp", ENVIRON)).hourly_cap is None


def test_a_setting_that_is_missing_is_named_at_init():
    with pytest.raises(ConfigurationError) as raised:
        Wiring("send_otp", {**ENVIRON, "OTP_SENDER": ""})
    assert raised.value.variable == "OTP_SENDER"


@pytest.mark.parametrize(("redacts", "imports"), [("false", False), ("true", True)])
def test_who_asks_twilio_nothing_does_not_import_its_client(redacts: str, imports: bool):
    done = subprocess.run(
        [sys.executable, "-c", "import app, sys; print('httpx' in sys.modules)"],
        cwd=ROOT / "functions/track_delivery",
        env={
            **ENVIRON,
            "OTP_REDACT_BODIES": redacts,
            "AWS_DEFAULT_REGION": "us-east-1",
            "PYTHONPATH": str(ROOT / "layers/otp_feedback"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(imports)


def test_the_line_of_an_invocation_is_written_however_it_ends(capsys: pytest.CaptureFixture[str]):
    seconds = iter((0.0, 10.0, 10.25))
    log = RequestLog("test-wiring", Invocation(lambda: next(seconds)))

    def fail() -> None:
        with log.invoked(CONTEXT) as journal:
            journal.count("Sent")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    line, metrics = capsys.readouterr().out.splitlines()
    facts = json.loads(line)
    assert (facts["message"], facts["correlation_id"], facts["duration_ms"]) == ("request", "invocation-1", 250)
    assert json.loads(metrics)["Sent"] == [1.0]
