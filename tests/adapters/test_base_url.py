"""The stack's public address: fixed, or as the stack wrote it down."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from otp_feedback.adapters.aws.base_url import CACHE_S, BaseUrl
from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.adapters.settings import Settings
from otp_feedback.domain.errors import ConfigurationError, Unavailable

LEAST = {"OTP_TABLE": "T", "OTP_SECRET_ARN": "arn:aws:x", "OTP_SENDER": "+14155550100", "OTP_APP_NAME": "Acme"}


class Ssm:
    """Gives the parameter, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: Exception | None = None

    def get_parameter(self, *, Name: str) -> Any:  # noqa: N803
        assert Name == "/otp/base-url"
        self.asked += 1
        if self.failure:
            raise self.failure
        return {"Parameter": {"Value": "https://otp.example.com/"}}


def base_url(ssm: Ssm, **variables: str) -> BaseUrl:
    """The address of a stack with these settings."""
    return BaseUrl(Settings.from_environ({**LEAST, **variables}), lambda: ssm)


def test_a_fixed_address_goes_before_everything():
    ssm = Ssm()
    fixed = base_url(ssm, OTP_PUBLIC_BASE_URL="https://fixed.example.com/", OTP_BASE_URL_PARAMETER="/otp/base-url")
    assert fixed.of_stack() == "https://fixed.example.com"
    assert ssm.asked == 0


def test_else_what_the_stack_wrote_down_is_read_once_in_a_while(monkeypatch: pytest.MonkeyPatch):
    now = [1_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    ssm = Ssm()
    stack = base_url(ssm, OTP_BASE_URL_PARAMETER="/otp/base-url")
    for _ in range(3):
        assert stack.of_stack() == "https://otp.example.com"
    assert ssm.asked == 1
    now[0] += CACHE_S + 1
    stack.of_stack()
    assert ssm.asked == 2


def test_without_a_parameter_the_variable_is_named():
    with pytest.raises(ConfigurationError) as raised:
        base_url(Ssm()).of_stack()
    assert raised.value.variable == "OTP_BASE_URL_PARAMETER"


@pytest.mark.parametrize(
    "failure",
    [ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter"), ConnectTimeoutError(endpoint_url="x")],
)
def test_what_cannot_be_read_is_unavailable_and_asked_for_again(failure: Exception):
    ssm = Ssm()
    ssm.failure = failure
    stack = base_url(ssm, OTP_BASE_URL_PARAMETER="/otp/base-url")
    with pytest.raises(Unavailable):
        stack.of_stack()
    ssm.failure = None
    assert stack.of_stack() == "https://otp.example.com"


def test_it_is_not_read_where_that_might_outlast_the_invocation():
    left = LONGEST_CALL_S - 0.1
    ssm = Ssm()
    settings = Settings.from_environ({**LEAST, "OTP_BASE_URL_PARAMETER": "/otp/base-url"})
    stack = BaseUrl(settings, lambda: ssm, lambda: left)
    with pytest.raises(Unavailable):
        stack.of_stack()
    assert ssm.asked == 0
    left = LONGEST_CALL_S
    assert stack.of_stack() == "https://otp.example.com"
    left = 0
    assert stack.of_stack() == "https://otp.example.com"
