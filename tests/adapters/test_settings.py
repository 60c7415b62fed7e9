"""Settings: defaults, ranges, and errors that name the variable and never its value."""

import json

import pytest

from otp_feedback.adapters.settings import Settings
from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.domain.recipient import Limits, Windows

LEAST = {"OTP_TABLE": "T", "OTP_SECRET_ARN": "arn:aws:x", "OTP_SENDER": "+14155550100", "OTP_APP_NAME": "Acme"}
MARK = "s3cr3t-VALUE"


def read(**variables: str) -> Settings:
    """The settings of the least environment and these variables."""
    return Settings.from_environ({**LEAST, **variables})


def test_the_defaults_are_those_of_the_design():
    settings = read()
    policy = settings.policy
    assert (policy.code_digits, policy.lifetime_s, policy.max_messages, policy.record_days) == (6, 600, 3, 7)
    assert policy.limits == Limits(recipient=Windows(30, 5, 10), max_attempts=5)
    assert policy.limits.max_failures == 75
    assert (policy.feedback_timeout_ms, policy.report_late_actions) == (1000, True)
    assert policy.countries is None
    assert policy.senders == {"+14155550100"}
    assert (policy.domain, policy.app_hash, policy.reply_keyword) == (None, None, None)
    assert not policy.templates
    assert not policy.test_recipients
    assert not settings.link_confirms_on_get
    assert settings.success_url is settings.public_base_url is settings.fallback_call_url is None
    assert not settings.twilio_is_emulated


def test_an_empty_variable_counts_as_unset():
    empty = dict.fromkeys(
        ("OTP_CODE_DIGITS", "OTP_COUNTRIES", "OTP_TEMPLATES", "OTP_SUCCESS_URL", "OTP_STAGE", "OTP_TEST_RECIPIENTS"), ""
    )
    assert read(**empty) == read()


@pytest.mark.parametrize("variable", LEAST)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_missing_is_named(variable: str, value: str | None):
    environ = {**LEAST, variable: value}
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_environ({name: text for name, text in environ.items() if text is not None})
    assert raised.value.variable == variable
    assert variable in str(raised.value)


RANGES = {
    "OTP_CODE_DIGITS": (6, 10),
    "OTP_LIFETIME_S": (60, 600),
    "OTP_MAX_ATTEMPTS": (1, 5),
    "OTP_MAX_MESSAGES": (1, 3),
    "OTP_MESSAGE_INTERVAL_S": (0, 3600),
    "OTP_HOURLY_LIMIT": (1, 10),
    "OTP_DAILY_LIMIT": (1, 10),
    "OTP_FEEDBACK_TIMEOUT_MS": (0, 5000),
    "OTP_RECORD_DAYS": (1, 90),
}


@pytest.mark.parametrize("variable", RANGES)
def test_a_number_keeps_to_its_range(variable: str):
    least, most = RANGES[variable]
    for value in (least, most):
        read(**{variable: str(value)})
    for wrong in (str(least - 1), str(most + 1), "x", "1.5", "٦", "1e2", "0x6", "+6", "9" * 5000):
        with pytest.raises(ConfigurationError) as raised:
            read(**{variable: wrong})
        assert raised.value.variable == variable
        assert str(least) in raised.value.reason
        assert str(most) in raised.value.reason


WRONG = [
    ("OTP_SENDER", MARK * 3),
    ("OTP_SENDER", "123456"),
    ("OTP_SENDER", "+1415"),
    ("OTP_SENDER", "MG" + "1" * 33),
    ("OTP_SENDER", "whatsapp:Acme"),
    ("OTP_SENDER", "Acme\nInc"),
    ("OTP_SENDER", "Äcme"),
    ("OTP_SENDER", "+49015112345678"),
    ("OTP_SENDER", "whatsapp:+49015112345678"),
    ("OTP_ALLOWED_SENDERS", f"+14155550101,{MARK}!"),
    ("OTP_ALLOWED_SENDERS", "Acme,+14155550101,+54111512340026"),
    ("OTP_COUNTRIES", "DE,fr"),
    ("OTP_COUNTRIES", "DEU"),
    ("OTP_COUNTRIES", "DE,*"),
    ("OTP_LINK_CONFIRMATION", "click"),
    ("OTP_REPORT_LATE_ACTIONS", "yes"),
    ("OTP_STAGE", "prod"),
    ("OTP_PUBLIC_BASE_URL", "otp.example.com"),
    ("OTP_PUBLIC_BASE_URL", "ftp://otp.example.com"),
    ("OTP_PUBLIC_BASE_URL", "https://otp.example.com/a b"),
    ("OTP_PUBLIC_BASE_URL", "https://user:pass@otp.example.com"),
    ("OTP_SUCCESS_URL", "http://app.example.com"),
    ("OTP_SUCCESS_URL", "javascript:alert(1)"),
    ("OTP_SUCCESS_URL", "https://app.example.com/\r\nSet-Cookie: a=b"),
    ("OTP_SUCCESS_URL", "https://app.example.com;script-src *"),
    ("OTP_FALLBACK_MESSAGE_URL", "http://bot.example.com"),
    ("OTP_FALLBACK_CALL_URL", "//voice.example.com"),
    ("OTP_DOMAIN", "https://example.com"),
    ("OTP_DOMAIN", "Example.com"),
    ("OTP_DOMAIN", "example"),
    ("OTP_APP_HASH", "short"),
    ("OTP_APP_HASH", "FA+9qCX9VSuX"),
    ("OTP_REPLY_KEYWORD", "yes-please"),
    ("OTP_REPLY_KEYWORD", "YES!"),
    ("OTP_REPLY_KEYWORD", "a_b"),
    ("OTP_REPLY_KEYWORD", "yes please"),
    ("OTP_REPLY_KEYWORD", "x" * 21),
    ("OTP_REPLY_KEYWORD", "Stop"),
    ("OTP_REPLY_KEYWORD", "START"),
    ("OTP_REPLY_KEYWORD", "\u0301"),
    ("OTP_REPLY_KEYWORD", "👍"),
    ("OTP_REPLY_KEYWORD", "!!!!!"),
    ("OTP_TWILIO_REGION", "europe"),
    ("OTP_TWILIO_EDGE", "Dublin"),
    ("OTP_TEMPLATES", "{"),
    ("OTP_TEMPLATES", '{"t": {"body": "no placeholder"}}'),
    ("OTP_TEMPLATES", '{"t": {"body": {"tlh-XX-zz-!!": "{secret}"}}}'),
    ("OTP_TEST_RECIPIENTS", "[]"),
    ("OTP_TEST_RECIPIENTS", "{"),
    ("OTP_TEST_RECIPIENTS", '{"+4915112345678": "123456"}'),
    ("OTP_TEST_RECIPIENTS", '{"+15005550100": 123456}'),
    ("OTP_TEST_RECIPIENTS", '{"+15005550100": "123"}'),
    ("OTP_TEST_RECIPIENTS", '{"+15005550100": "12 456"}'),
    ("OTP_TEST_RECIPIENTS", "[" * 100_000),
]


@pytest.mark.parametrize(("variable", "value"), WRONG, ids=lambda text: text[:40])
def test_what_is_wrong_is_named_and_not_shown(variable: str, value: str):
    others = {"OTP_STAGE": "development"} if variable == "OTP_TEST_RECIPIENTS" else {}
    others |= {"OTP_TWILIO_EDGE": "dublin"} if variable == "OTP_TWILIO_REGION" else {}
    others |= {"OTP_TWILIO_REGION": "ie1"} if variable == "OTP_TWILIO_EDGE" else {}
    if variable == "OTP_STAGE":
        others |= {"OTP_TEST_RECIPIENTS": '{"+15005550100": "123456"}'}
    with pytest.raises(ConfigurationError) as raised:
        read(**others, **{variable: value})
    assert raised.value.variable == variable
    assert len(value) < 5 or value not in str(raised.value)
    assert MARK not in str(raised.value)


@pytest.mark.parametrize(
    "sender",
    [
        *("+14155550100", "Acme", "Acme 24", "A", "MG" + "a" * 32, "whatsapp:+14155550100", "1A"),
        *("+5215512345678", "+541112340026", "+551162340027"),  # in the other form of two
        *("+1415555", "+999123456789"),  # what may be no number is Twilio's to judge
    ],
)
def test_senders_of_every_kind_are_taken(sender: str):
    policy = read(OTP_SENDER=sender, OTP_ALLOWED_SENDERS=sender).policy
    assert (policy.sender, policy.allowed_senders) == (sender, frozenset({sender}))


def test_lists_are_read_with_spaces_around_their_commas():
    policy = read(OTP_ALLOWED_SENDERS="Acme, +14155550101 ,", OTP_COUNTRIES="DE, FR").policy
    assert policy.allowed_senders == {"Acme", "+14155550101"}
    assert policy.senders == {"Acme", "+14155550101", "+14155550100"}
    assert policy.countries == frozenset({"DE", "FR"})
    assert read(OTP_COUNTRIES="*").policy.countries is None


@pytest.mark.parametrize("one", [{"OTP_TWILIO_REGION": "ie1"}, {"OTP_TWILIO_EDGE": "dublin"}])
def test_region_and_edge_go_together(one: dict[str, str]):
    with pytest.raises(ConfigurationError) as raised:
        read(**one)
    assert raised.value.variable == "OTP_TWILIO_EDGE"
    both = read(OTP_TWILIO_REGION="ie1", OTP_TWILIO_EDGE="dublin")
    assert (both.twilio_region, both.twilio_edge) == ("ie1", "dublin")


def test_the_base_url_ends_without_a_slash():
    assert read(OTP_PUBLIC_BASE_URL="https://otp.example.com/").public_base_url == "https://otp.example.com"
    assert read(OTP_PUBLIC_BASE_URL="https://example.com/otp/").public_base_url == "https://example.com/otp"


@pytest.mark.parametrize(
    ("url", "emulated"), [("", False), ("https://twilio.example.com", False), ("http://127.0.0.1:8081", True)]
)
def test_only_plain_http_is_an_emulator(url: str, *, emulated: bool):
    assert read(OTP_TWILIO_BASE_URL=url).twilio_is_emulated is emulated


@pytest.mark.parametrize("url", ["", "https://twilio.example.com"])
def test_callers_are_unsigned_only_where_twilio_is_emulated(url: str):
    with pytest.raises(ConfigurationError) as refused:
        read(OTP_UNSIGNED_CALLERS="true", OTP_TWILIO_BASE_URL=url)
    assert refused.value.variable == "OTP_UNSIGNED_CALLERS"
    assert read(OTP_UNSIGNED_CALLERS="true", OTP_TWILIO_BASE_URL="http://127.0.0.1:8081").unsigned_callers
    assert not read(OTP_TWILIO_BASE_URL="http://127.0.0.1:8081").unsigned_callers


RECIPIENTS = {"+15005550100": "123456", "+447700900123": "Abc12345"}


@pytest.mark.parametrize("stage", ["staging", "development"])
def test_test_recipients_are_taken_outside_production(stage: str):
    policy = read(OTP_TEST_RECIPIENTS=json.dumps(RECIPIENTS), OTP_STAGE=stage).policy
    assert policy.test_recipients == RECIPIENTS
    assert "123456" not in repr(policy)


@pytest.mark.parametrize("stage", [{}, {"OTP_STAGE": ""}, {"OTP_STAGE": "production"}])
def test_test_recipients_are_refused_in_production_which_is_the_default(stage: dict[str, str]):
    with pytest.raises(ConfigurationError) as raised:
        read(OTP_TEST_RECIPIENTS=json.dumps(RECIPIENTS), **stage)
    assert raised.value.variable == "OTP_TEST_RECIPIENTS"


def test_templates_are_checked_when_configured():
    policy = read(OTP_TEMPLATES='{"short": {"body": "{app} {secret}"}}').policy
    assert policy.templates["short"].allows("code")
    with pytest.raises(ConfigurationError, match=r"OTP_TEMPLATES.*short"):
        read(OTP_TEMPLATES='{"short": {"body": "{app} {sekret}"}}')


def test_settings_cannot_be_changed():
    settings = read()
    with pytest.raises(AttributeError):
        settings.table = "other"  # type: ignore[misc]
