"""How the functions are set up."""

import re
from contextlib import closing

import pytest

from otp_feedback.adapters.aws import clients
from otp_feedback.adapters.settings import Settings
from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.usecases.send import REQUEST_ENDS_MS
from tests.template.expanded import FUNCTIONS, ROOT, choose, environment, resources, source

SHARED = {
    "OTP_TABLE",
    "OTP_SECRET_ARN",
    "OTP_PUBLIC_BASE_URL",
    "OTP_BASE_URL_PARAMETER",
    "OTP_TWILIO_BASE_URL",
    "OTP_TWILIO_REGION",
    "OTP_TWILIO_EDGE",
    "OTP_UNSIGNED_CALLERS",
}
"""Variables that every function has."""

GIVEN = {
    "Sender": "+14155550100",
    "AppName": "Acme",
    "Countries": "US,DE",
    "VerificationsTable": "t",
    "StackSecret": "s",
}


def resolved(function):
    """A function's environment with the template's defaults."""
    parameters = {name: p.get("Default") for name, p in source()["Parameters"].items()} | GIVEN
    values = {}
    for name, value in choose(environment(function), {}).items():
        chosen = value if isinstance(value, str) else parameters.get(value.get("Ref", ""), value.get("Fn::Sub"))
        values[name] = str(chosen)
    return values


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_has_what_every_function_has(function):
    variables = environment(function)
    assert set(variables) >= SHARED
    assert variables["POWERTOOLS_SERVICE_NAME"] == FUNCTIONS[function]
    assert variables["RES_OPTIONS"] == "timeout:1 attempts:2"


@pytest.mark.parametrize(
    ("conditions", "address"),
    [
        ({}, ""),
        ({"HasPublicBaseUrl": True}, {"Ref": "PublicBaseUrl"}),
        ({"HasCustomDomain": True}, {"Fn::Sub": "https://${CustomDomain}"}),
    ],
)
def test_the_address_of_the_stack_is_a_setting_where_it_closes_no_circle(conditions, address):
    for function in ("SendOtpFunction", "StartDirectlyFunction", "ConfirmActionFunction", "TrackDeliveryFunction"):
        variables = choose(environment(function), conditions)
        assert variables["OTP_PUBLIC_BASE_URL"] == address
        assert "base-url" in variables["OTP_BASE_URL_PARAMETER"]["Fn::Sub"]
        assert variables["OTP_UNSIGNED_CALLERS"] == ""


def test_no_setting_is_read_that_the_template_does_not_set():
    package = (ROOT / "layers/otp_feedback/otp_feedback").rglob("*.py")
    read = {name for file in package for name in re.findall(r"\"(OTP_[A-Z_]+)\"", file.read_text())}
    assert read == {name for function in FUNCTIONS for name in environment(function) if name.startswith("OTP_")}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_the_defaults_are_settings_that_the_functions_accept(function):
    read = Settings.from_environ(resolved(function), needs=())
    assert read == Settings.from_environ(
        {name: value for name, value in resolved(function).items() if name in CHOSEN}, needs=()
    ), "but for what only a deployed stack needs, the template's defaults are the code's"


CHOSEN = {
    "OTP_HOURLY_CAP",
    "OTP_TABLE",
    "OTP_SECRET_ARN",
    "OTP_SENDER",
    "OTP_APP_NAME",
    "OTP_COUNTRIES",
    "OTP_BASE_URL_PARAMETER",
    "OTP_STAGE",
}


def test_the_template_takes_the_senders_that_the_code_takes():
    pattern = re.compile(source()["Parameters"]["Sender"]["AllowedPattern"])
    for sender in ("+14155550100", "MG" + "0a" * 16, "Acme", "Acme 24", "whatsapp:+14155550100"):
        assert pattern.fullmatch(sender)
        Settings.from_environ(resolved("SendOtpFunction") | {"OTP_SENDER": sender})
    for sender in ("14155550100", "AC" + "0" * 32, "SM" + "0" * 32, "TwelveLetter", "+0123456789", ""):
        assert not pattern.fullmatch(sender)
        with pytest.raises(ConfigurationError):
            Settings.from_environ(resolved("SendOtpFunction") | {"OTP_SENDER": sender})


@pytest.mark.parametrize("service", ["dynamodb", "secretsmanager", "ssm"])
def test_the_empty_endpoint_is_awss_own(service, monkeypatch):
    for function in FUNCTIONS:
        monkeypatch.setenv("AWS_ENDPOINT_URL", environment(function)["AWS_ENDPOINT_URL"])
        with closing(clients.client(service)) as client:
            assert client.meta.endpoint_url == f"https://{service}.us-east-1.amazonaws.com"


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_logs_to_its_own_group_for_a_limited_time(function):
    properties = resources("AWS::Lambda::Function")[function]
    group = f"{function.removesuffix('Function')}LogGroup"
    assert properties["LoggingConfig"]["LogGroup"] == {"Ref": group}
    assert resources("AWS::Logs::LogGroup")[group]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_every_log_group_has_a_retention():
    groups = resources("AWS::Logs::LogGroup")
    assert len(groups) == len(FUNCTIONS) + 1
    assert all("RetentionInDays" in group for group in groups.values())


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_runs_on_the_chosen_processor_with_both_layers(function):
    properties = resources("AWS::Lambda::Function")[function]
    assert properties["Runtime"] == "python3.13"
    assert properties["Architectures"] == [{"Ref": "Architecture"}]
    assert source()["Parameters"]["Architecture"]["Default"] == "arm64"
    assert [re.sub(r"[0-9a-f]{10}$", "", layer["Ref"]) for layer in properties["Layers"]] == [
        "DependenciesLayer",
        "OtpFeedbackLayer",
    ]


@pytest.mark.parametrize("function", ["SendOtpFunction", "ConfirmActionFunction", "TrackDeliveryFunction"])
def test_a_function_ends_before_whoever_waits_for_it(function):
    waits = 15 if function == "TrackDeliveryFunction" else 30
    assert resources("AWS::Lambda::Function")[function]["Timeout"] < waits


@pytest.mark.parametrize("function", ["SendOtpFunction", "StartDirectlyFunction"])
def test_what_a_sending_request_has_not_sent_when_its_function_ends_is_never_sent(function):
    assert resources("AWS::Lambda::Function")[function]["Timeout"] * 1000 == REQUEST_ENDS_MS


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("SendOtpFunction", "Send"),
        ("StartDirectlyFunction", "Send"),
        ("ConfirmActionFunction", "Confirm"),
        ("TrackDeliveryFunction", "Track"),
    ],
)
def test_concurrency_is_reserved_only_where_asked_for(function, name):
    properties = resources("AWS::Lambda::Function")[function]
    assert "ReservedConcurrentExecutions" not in choose(properties, {})
    chosen = choose(properties, {f"Reserves{name}": True})
    assert chosen["ReservedConcurrentExecutions"] == {"Ref": f"{name}ReservedConcurrency"}


def test_what_is_invoked_asynchronously_is_not_tried_again():
    configs = resources("AWS::Lambda::EventInvokeConfig")
    for function in ("SendOtpFunction", "StartDirectlyFunction", "RetryFeedbackFunction"):
        config = configs[f"{function}EventInvokeConfig"]
        assert config["MaximumRetryAttempts"] == 0
        assert config["FunctionName"] == {"Ref": function}
        assert config["Qualifier"] == "$LATEST"


def test_the_outbox_is_worked_through_every_minute():
    rule = resources("AWS::Events::Rule")["RetryFeedbackFunctionEveryMinute"]
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert [target["Arn"] for target in rule["Targets"]] == [{"Fn::GetAtt": ["RetryFeedbackFunction", "Arn"]}]
