"""The stack's settings, read from the environment once."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.domain.identifiers import E164, MESSAGING_SERVICE_SID
from otp_feedback.domain.phone import channel_and_number, is_fictional, is_respelt
from otp_feedback.domain.policy import DEFAULT, LONGEST_LIFETIME_S, Policy
from otp_feedback.domain.recipient import MOST_ATTEMPTS, SLOTS, Limits, Windows
from otp_feedback.domain.replies import KEYWORD_LENGTH, is_keyword
from otp_feedback.domain.texts import Template, TemplateError, UnsupportedLocale, parse_templates, spoken_language
from otp_feedback.domain.verification import MESSAGE_NUMBERS

_SENDER = re.compile(rf"(whatsapp:)?{E164}|{MESSAGING_SERVICE_SID}|(?=.*[A-Za-z])[A-Za-z0-9 ]{{1,11}}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_REGION = re.compile(r"[a-z]{2}[0-9]", re.ASCII)
_EDGE = re.compile(r"[a-z]+(-[a-z]+)*", re.ASCII)
_URL = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[!-~]*)?", re.ASCII)
_HTTPS_URL = re.compile(r"https://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[!-~]*)?", re.ASCII)
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)
_APP_HASH = re.compile(r"[A-Za-z0-9+/]{11}", re.ASCII)

SENDING = ("OTP_SENDER", "OTP_APP_NAME")
"""Variables without which nothing can be sent."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The stack's settings; `from_environ` names each variable.

    Parameters
    ----------
    public_base_url
        The stack's public address without a slash at its end; None if it is the API's own.
    base_url_parameter
        The SSM parameter that holds the address otherwise.
    unsigned_callers
        Whether callers' routes answer without an authoriser, which `sam local start-api` lacks.
    """

    table: str
    secret_arn: str
    policy: Policy
    public_base_url: str | None = None
    base_url_parameter: str | None = None
    twilio_base_url: str | None = None
    twilio_region: str | None = None
    twilio_edge: str | None = None
    link_confirms_on_get: bool = False
    redact_bodies: bool = False
    success_url: str | None = None
    fallback_message_url: str | None = None
    fallback_call_url: str | None = None
    unsigned_callers: bool = False

    @property
    def twilio_is_emulated(self) -> bool:
        """Whether Twilio's address is the emulator's: plain http, which only a laptop uses."""
        return self.twilio_base_url is not None and self.twilio_base_url.startswith("http://")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], needs: Collection[str] = SENDING) -> "Settings":
        """Read the settings.

        Parameters
        ----------
        needs
            Variables that the function must have, beside those of the table and the secret. A function has only those
            that it reads, since Lambda has room for 4,096 bytes.

        Raises
        ------
        ConfigurationError
            Names the variable that is missing or wrong; never its value.
        """
        read = _Reader(environ)
        for name in needs:
            read.required(name)
        region = read.matching("OTP_TWILIO_REGION", _REGION, "must be a Twilio region such as ie1")
        edge = read.matching("OTP_TWILIO_EDGE", _EDGE, "must be a Twilio edge such as dublin")
        if (region is None) != (edge is None):
            raise ConfigurationError("OTP_TWILIO_EDGE", "goes together with OTP_TWILIO_REGION")
        settings = cls(
            table=read.required("OTP_TABLE"),
            secret_arn=read.required("OTP_SECRET_ARN"),
            policy=_policy(read),
            public_base_url=read.url("OTP_PUBLIC_BASE_URL"),
            base_url_parameter=read.text("OTP_BASE_URL_PARAMETER"),
            twilio_base_url=read.url("OTP_TWILIO_BASE_URL"),
            twilio_region=region,
            twilio_edge=edge,
            link_confirms_on_get=read.choice("OTP_LINK_CONFIRMATION", ("tap", "open")) == "open",
            redact_bodies=read.choice("OTP_REDACT_BODIES", ("false", "true")) == "true",
            success_url=read.matching("OTP_SUCCESS_URL", _HTTPS_URL, "must be an https URL"),
            fallback_message_url=read.matching("OTP_FALLBACK_MESSAGE_URL", _HTTPS_URL, "must be an https URL"),
            fallback_call_url=read.matching("OTP_FALLBACK_CALL_URL", _HTTPS_URL, "must be an https URL"),
            unsigned_callers=read.choice("OTP_UNSIGNED_CALLERS", ("false", "true")) == "true",
        )
        if settings.unsigned_callers and not settings.twilio_is_emulated:
            raise ConfigurationError("OTP_UNSIGNED_CALLERS", "is refused unless Twilio is emulated")
        return settings


def _policy(read: "_Reader") -> Policy:
    limits = Limits(
        recipient=Windows(
            interval_s=read.integer("OTP_MESSAGE_INTERVAL_S", DEFAULT.limits.recipient.interval_s, 0, 3600),
            hourly=read.integer("OTP_HOURLY_LIMIT", DEFAULT.limits.recipient.hourly, 1, SLOTS),
            daily=read.integer("OTP_DAILY_LIMIT", DEFAULT.limits.recipient.daily, 1, SLOTS),
        ),
        limit_key=Windows(
            interval_s=DEFAULT.limits.limit_key.interval_s,
            hourly=read.integer("OTP_LIMIT_KEY_HOURLY", DEFAULT.limits.limit_key.hourly, 1, 30),
            daily=read.integer("OTP_LIMIT_KEY_DAILY", DEFAULT.limits.limit_key.daily, 1, 30),
        ),
        max_attempts=read.integer("OTP_MAX_ATTEMPTS", DEFAULT.limits.max_attempts, 1, MOST_ATTEMPTS),
    )
    return Policy(
        app_name=read.text("OTP_APP_NAME") or "",
        sender=_spelt("OTP_SENDER", read.matching("OTP_SENDER", _SENDER, _SENDER_RULE) or ""),
        allowed_senders=_allowed_senders(read),
        code_digits=read.integer("OTP_CODE_DIGITS", DEFAULT.code_digits, 6, 10),
        lifetime_s=read.integer("OTP_LIFETIME_S", DEFAULT.lifetime_s, 60, LONGEST_LIFETIME_S),
        max_messages=read.integer("OTP_MAX_MESSAGES", DEFAULT.max_messages, 1, len(MESSAGE_NUMBERS)),
        limits=limits,
        hourly_cap=read.integer("OTP_HOURLY_CAP", 0, 0, 1_000_000) or None,
        countries=read.countries("OTP_COUNTRIES"),
        feedback_timeout_ms=read.integer("OTP_FEEDBACK_TIMEOUT_MS", DEFAULT.feedback_timeout_ms, 0, 5000),
        report_late_actions=read.choice("OTP_REPORT_LATE_ACTIONS", ("true", "false")) == "true",
        record_days=read.integer("OTP_RECORD_DAYS", DEFAULT.record_days, 1, 90),
        language=_language(read),
        domain=read.matching("OTP_DOMAIN", _DOMAIN, "must be a domain in lower case, without a scheme"),
        app_hash=read.matching("OTP_APP_HASH", _APP_HASH, "must be the 11 characters of Android's SMS Retriever"),
        templates=_templates(read),
        reply_keyword=read.keyword("OTP_REPLY_KEYWORD"),
        test_recipients=_test_recipients(read),
    )


def _allowed_senders(read: "_Reader") -> frozenset[str]:
    senders = read.items("OTP_ALLOWED_SENDERS", _SENDER, _SENDER_RULE)
    return frozenset(_spelt("OTP_ALLOWED_SENDERS", sender) for sender in senders)


def _spelt(name: str, sender: str) -> str:
    """A sender; refused if no webhook spells its number so, since no reply would ever match."""
    _, number = channel_and_number(sender)
    if is_respelt(number):
        raise ConfigurationError(name, "must hold no national prefix and no carrier code after a number's country code")
    return sender


def _language(read: "_Reader") -> str | None:
    language = read.text("OTP_LANGUAGE")
    try:
        spoken_language(language, None)
    except UnsupportedLocale:
        raise ConfigurationError("OTP_LANGUAGE", "must be a BCP 47 tag of a language that there are texts in") from None
    return language


def _templates(read: "_Reader") -> Mapping[str, Template]:
    try:
        return parse_templates(read.text("OTP_TEMPLATES") or "", keyword=read.keyword("OTP_REPLY_KEYWORD") or "")
    except TemplateError as error:
        raise ConfigurationError("OTP_TEMPLATES", str(error)) from None


def _test_recipients(read: "_Reader") -> Mapping[str, str]:
    """Test recipients: only numbers reserved for fiction, and never in production, since their codes are no secret."""
    text = read.text("OTP_TEST_RECIPIENTS")
    if text is None:
        return MappingProxyType({})
    if read.choice("OTP_STAGE", ("production", "staging", "development")) == "production":
        raise ConfigurationError("OTP_TEST_RECIPIENTS", "is refused in production")
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise ConfigurationError("OTP_TEST_RECIPIENTS", "must be a JSON object of numbers and codes")
    for number, code in table.items():
        if not is_fictional(number):
            raise ConfigurationError("OTP_TEST_RECIPIENTS", "each number must be of a range reserved for fiction")
        if not (isinstance(code, str) and _TEST_CODE.fullmatch(code)):
            raise ConfigurationError("OTP_TEST_RECIPIENTS", "each code must have 4 to 12 letters or digits")
    return MappingProxyType(table)


_TEST_CODE = re.compile(r"[A-Za-z0-9]{4,12}", re.ASCII)
_SENDER_RULE = "must be a number in E.164, an alphanumeric sender, a Messaging Service SID, or whatsapp:+…"


class _Reader:
    """Reads variables; an empty one counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise ConfigurationError(name, "is missing")
        return value

    def matching(self, name: str, pattern: re.Pattern[str], rule: str) -> str | None:
        value = self.text(name)
        if value is not None and not pattern.fullmatch(value):
            raise ConfigurationError(name, rule)
        return value

    def keyword(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and not is_keyword(value):
            rule = f"must be one word of at most {KEYWORD_LENGTH} letters and digits, and not one that Twilio acts on"
            raise ConfigurationError(name, rule)
        return value

    def url(self, name: str) -> str | None:
        value = self.matching(name, _URL, "must be an http or https URL")
        return value.rstrip("/") if value is not None else None

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not (_DIGITS.fullmatch(value) and least <= int(value) <= most):
            raise ConfigurationError(name, f"must be a whole number from {least} to {most}")
        return int(value)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name) or choices[0]
        if value not in choices:
            raise ConfigurationError(name, f"must be one of {', '.join(choices)}")
        return value

    def items(self, name: str, pattern: re.Pattern[str], rule: str) -> list[str]:
        values = [item.strip() for item in (self.text(name) or "").split(",") if item.strip()]
        if not all(pattern.fullmatch(value) for value in values):
            raise ConfigurationError(name, f"each {rule}")
        return values

    def countries(self, name: str) -> frozenset[str] | None:
        if self.text(name) in (None, "*"):
            return None
        return frozenset(self.items(name, _COUNTRY, "must be an ISO 3166-1 alpha-2 code"))
