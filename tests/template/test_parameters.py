"""Bad parameters are refused before anything is created."""

import re

import pytest

from operations.erase import LOG_RETENTION_DAYS
from otp_feedback.adapters.settings import Settings
from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.domain.identifiers import E164, MESSAGING_SERVICE_SID
from otp_feedback.domain.policy import DEFAULT
from otp_feedback.domain.replies import CONTROL_WORDS
from otp_feedback.domain.texts.choice import languages
from tests.template.expanded import FUNCTIONS, environment, source

REFUSED = {
    "AppName": ["", "   ", "x" * 41, "two\nlines"],
    "Sender": ["14155550100", "AC" + "0" * 32, "SM" + "0" * 32, "TwelveLetter", "whatsapp:14155550100", ""],
    "AllowedSenders": ["14155550100", "+14155550100,", "+14155550100;Acme", ",Acme"],
    "Countries": ["", "us", "USA", "US,", "US DE", "US,*"],
    "WebOtpDomain": ["https://example.com", "Example.com", "example"],
    "AndroidAppHash": ["short", "twelve+chars", "elevenchar!"],
    "SuccessUrl": ["http://example.com", "example.com", "https://", 'https://example.com/"', "https://example.com/\\"],
    "FallbackMessageUrl": ["http://example.com"],
    "FallbackCallUrl": ["ftp://example.com"],
    "ReplyKeyword": [
        *("two words", "x" * 21, "yes-please", "YES!", "a_b", "!", "[yes]", "yes~", "¡Sí", "да…", "✔", "STOP", "stop"),
        *(
            "Unsubscribe",
            "cancel",
            "END",
            "quit",
            "Help",
            "INFO",
            "OptOut",
            "REVOKE",
            "start",
            "StopAll",
            "Arrêt",
            "ARRETE",
        ),
    ],
    "TwilioRegion": ["ireland", "IE1"],
    "TwilioEdge": ["dublin1", "-dublin"],
    "JwtIssuer": ["http://issuer.example", "issuer"],
    "JwtAudience": ["a, b", ",a", "a,"],
    "PublicBaseUrl": ["http://example.com", "https://example.com/"],
    "CustomDomain": ["https://otp.example.com"],
    "CertificateArn": ["arn:aws:iam::123456789012:server-certificate/x"],
    "HostedZoneId": ["example.com"],
    "AlarmEmail": ["nobody", "a b@example.com"],
    "AlarmTopicArn": ["arn:aws:sqs:eu-west-1:123456789012:queue"],
    "KmsKeyArn": ["alias/mine", "1234abcd-12ab-34cd-56ef-1234567890ab"],
    "TestRecipients": [
        *("+15005550100=123456", '{"15005550100": "123456"}', '{"+15005550100": "12"}', '{"+14155552671": "123456"}'),
        '{"+15005550100": "123456", "+14155552671": "123456"}',
    ],
    "Templates": ["[]", "{", "{x}", "{}", '{"code": "{secret}"}', '{"a": {"body": "\x01"}}'],
    "TwilioBaseUrl": ["ftp://example.com"],
}
ACCEPTED = {
    "AppName": ["Acme", "Bäckerei Müller"],
    "Sender": ["+14155550100", "MG" + "0f" * 16, "Acme", "24 7 Acme", "whatsapp:+14155550100"],
    "AllowedSenders": ["", "+14155550100", "Acme,+14155550100,MG" + "0" * 32],
    "Countries": ["*", "US", "US,CA,DE"],
    "SuccessUrl": ["", "https://example.com/done?from=otp"],
    "JwtIssuer": ["", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc"],
    "JwtAudience": ["", "one", "one,https://api.example/two"],
    "PublicBaseUrl": ["", "https://example.com", "https://example.com/otp"],
    "CertificateArn": ["", "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234"],
    "HostedZoneId": ["", "Z0123456789ABC"],
    "AlarmEmail": ["", "ops@example.com"],
    "KmsKeyArn": ["", "arn:aws-cn:kms:cn-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
    "TestRecipients": ["", '{"+15005550100": "123456"}', '{"+15005550100":"123456", "+447700900123": "654321"}'],
    "Templates": [
        "",
        '{"short": {"body": "{secret}"}}',
        '{ "a.b": {"body": {"en": "{app}: {secret}"}}, "b": {"body": "{link}"} }',
    ],
    "TwilioBaseUrl": ["", "http://127.0.0.1:8081"],
    "ReplyKeyword": ["", "YES", "Sí", "ДА", "はい", "نعم", "ok2", "हाँ", "ใช่", "Si\u0301"],
}
RANGES = {
    "CodeDigits": (6, 10),
    "LifetimeSeconds": (60, 600),
    "MaxAttempts": (1, 5),
    "MaxMessages": (1, 3),
    "MessageIntervalSeconds": (0, 3600),
    "HourlyLimit": (1, 10),
    "DailyLimit": (1, 10),
    "LimitKeyHourly": (1, 30),
    "LimitKeyDaily": (1, 30),
    "HourlyCap": (0, 1_000_000),
    "RecordDays": (1, 90),
    "FeedbackTimeoutMs": (0, 5000),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_a_value_of_the_wrong_shape_is_refused(name, value):
    assert not re.fullmatch(source()["Parameters"][name]["AllowedPattern"], value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ACCEPTED.items() for value in values])
def test_a_value_of_the_right_shape_is_accepted(name, value):
    assert re.fullmatch(source()["Parameters"][name]["AllowedPattern"], value)


@pytest.mark.parametrize("name", sorted(RANGES))
def test_a_number_has_its_range(name):
    parameter = source()["Parameters"][name]
    assert (parameter["MinValue"], parameter["MaxValue"]) == RANGES[name]
    assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"]


NUMBERS = {
    "CodeDigits": DEFAULT.code_digits,
    "LifetimeSeconds": DEFAULT.lifetime_s,
    "MaxAttempts": DEFAULT.limits.max_attempts,
    "MaxMessages": DEFAULT.max_messages,
    "MessageIntervalSeconds": DEFAULT.limits.recipient.interval_s,
    "HourlyLimit": DEFAULT.limits.recipient.hourly,
    "DailyLimit": DEFAULT.limits.recipient.daily,
    "LimitKeyHourly": DEFAULT.limits.limit_key.hourly,
    "LimitKeyDaily": DEFAULT.limits.limit_key.daily,
    "RecordDays": DEFAULT.record_days,
    "FeedbackTimeoutMs": DEFAULT.feedback_timeout_ms,
}


def test_the_defaults_are_the_codes_own():
    """But for the cap: the code has none where nobody chose one."""
    parameters = source()["Parameters"]
    assert {name: parameters[name]["Default"] for name in RANGES.keys() - {"HourlyCap"}} == NUMBERS
    assert parameters["LogRetentionDays"]["Default"] == LOG_RETENTION_DAYS


def test_a_sender_has_the_forms_that_the_code_knows():
    for name in ("Sender", "AllowedSenders"):
        pattern = source()["Parameters"][name]["AllowedPattern"]
        assert f"(whatsapp:)?{E164}|{MESSAGING_SERVICE_SID}|" in pattern


def test_every_free_text_has_a_pattern_and_says_what_is_wrong():
    for name, parameter in source()["Parameters"].items():
        assert parameter["Description"], name
        if parameter["Type"] == "String" and "AllowedValues" not in parameter:
            assert parameter["AllowedPattern"].startswith("^(")
            assert parameter["AllowedPattern"].endswith(")$")
            assert parameter["ConstraintDescription"], name


def test_defaults_meet_their_own_constraints():
    for name, parameter in source()["Parameters"].items():
        if "Default" not in parameter:
            continue
        if "AllowedPattern" in parameter:
            assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"]), name
        if "AllowedValues" in parameter:
            assert parameter["Default"] in parameter["AllowedValues"], name


def test_only_what_nobody_can_guess_must_be_given():
    parameters = source()["Parameters"]
    assert {name for name, p in parameters.items() if "Default" not in p} == {"AppName", "Sender", "Countries"}


def test_every_parameter_stands_in_one_group():
    interface = source()["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(source()["Parameters"])


def holds(expression, parameters):
    if "Fn::Not" in expression:
        return not holds(expression["Fn::Not"][0], parameters)
    first, second = expression["Fn::Equals"]
    return parameters[first["Ref"]] == second


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ({}, True),
        ({"TwilioRegion": "ie1"}, False),
        ({"TwilioEdge": "dublin"}, False),
        ({"TwilioRegion": "ie1", "TwilioEdge": "dublin"}, True),
        ({"JwtIssuer": "https://issuer.example"}, False),
        ({"JwtAudience": "api"}, False),
        ({"JwtIssuer": "https://issuer.example", "JwtAudience": "api"}, True),
        ({"CustomDomain": "otp.example.com"}, False),
        ({"CustomDomain": "otp.example.com", "CertificateArn": "arn"}, True),
        ({"CustomDomain": "otp.example.com", "CertificateArn": "arn", "PublicBaseUrl": "https://x.example"}, False),
        ({"HostedZoneId": "Z123"}, False),
        ({"TestRecipients": '{"+15005550100": "123456"}'}, False),
        ({"TestRecipients": '{"+15005550100": "123456"}', "Stage": "staging"}, True),
        ({"TwilioBaseUrl": "http://127.0.0.1:8081"}, False),
        ({"TwilioBaseUrl": "http://127.0.0.1:8081", "Stage": "development"}, True),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(given, accepted):
    parameters = {name: p.get("Default", "x") for name, p in source()["Parameters"].items()} | given
    broken = [
        name
        for name, rule in source()["Rules"].items()
        if holds(rule["RuleCondition"], parameters)
        and not all(holds(assertion["Assert"], parameters) for assertion in rule["Assertions"])
    ]
    assert (not broken) is accepted


def test_the_languages_to_choose_from_are_those_that_there_are_texts_in():
    assert source()["Parameters"]["Language"]["AllowedValues"] == ["", *languages("code")]


def variable_of(parameter):
    """The functions' variable that holds a parameter's value; None where none does."""
    found = (item for function in FUNCTIONS for item in environment(function).items())
    return next((name for name, value in found if value == {"Ref": parameter}), None)


def settings_with(parameter, value):
    required = {"OTP_TABLE": "T", "OTP_SECRET_ARN": "arn", "OTP_SENDER": "Acme", "OTP_APP_NAME": "Acme"}
    return Settings.from_environ({**required, "OTP_STAGE": "staging", variable_of(parameter): value})


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ACCEPTED.items() if variable_of(name) for value in values]
)
def test_what_the_template_takes_the_functions_take(name, value):
    settings_with(name, value)


@pytest.mark.parametrize("keyword", sorted({*REFUSED["ReplyKeyword"], *CONTROL_WORDS}))
def test_a_reply_keyword_that_the_template_refuses_the_functions_refuse(keyword):
    assert not re.fullmatch(source()["Parameters"]["ReplyKeyword"]["AllowedPattern"], keyword)
    with pytest.raises(ConfigurationError, match="OTP_REPLY_KEYWORD"):
        settings_with("ReplyKeyword", keyword)


def test_test_recipients_are_of_the_ranges_that_the_functions_know():
    pattern = source()["Parameters"]["TestRecipients"]["AllowedPattern"]
    for number in ("+12125550123", "+15005550006", "+447700900999", "+33639981234", "+491713920000"):
        assert re.fullmatch(pattern, f'{{"{number}": "123456"}}')
        settings_with("TestRecipients", f'{{"{number}": "123456"}}')
