"""A running stack for each worker, and a client of it for each test."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from local.twilio_emulator import Delays
from tests.loop.driver import Loop
from tests.loop.table import stack_in_memory

NEVER = Delays(queued=3600, sent=3600, delivered=3600)
"""Status callbacks come when a test says so."""

SUCCESS_URL = "https://app.example.com/done?step=2"
FALLBACK_MESSAGE_URL = "https://bot.example.com/sms?a=1&b=2"
FALLBACK_CALL_URL = "https://voice.example.com/"
MESSAGING_SERVICE = "MG" + "2" * 32
WHATSAPP_SENDER = "whatsapp:+14155550100"
TEXTS = {
    "plain": {"body": "{app}: {secret} ({minutes})"},
    "langs": {"body": {"de": "Ihr Code: {secret}", "en": "Your code: {secret}"}},
    "tap": {"body": "Open {link}"},
    "content": {"content_sid": "HX" + "0" * 32, "variables": {"1": "{secret}", "2": "{app}"}},
    "hi": {"action": "reply", "content_sid": "HX" + "0" * 32},
}
TEST_RECIPIENTS = {"+15005550100": "123456", "+447700900123": "Abc12345"}
TIMEOUT_MS = 2500
"""How long the custom stack lets feedback delay an answer: a tenth of it is enough for the rest on a busy machine."""

CAP = 1000
"""Messages an hour that the custom stack sends to recipients who have confirmed nothing yet."""

CUSTOM = {
    "OTP_TEMPLATES": json.dumps(TEXTS),
    "OTP_ALLOWED_SENDERS": f"Acme,+14155550177,{MESSAGING_SERVICE},{WHATSAPP_SENDER}",
    "OTP_SUCCESS_URL": SUCCESS_URL,
    "OTP_FALLBACK_MESSAGE_URL": FALLBACK_MESSAGE_URL,
    "OTP_FALLBACK_CALL_URL": FALLBACK_CALL_URL,
    "OTP_TEST_RECIPIENTS": json.dumps(TEST_RECIPIENTS),
    "OTP_LIMIT_KEY_HOURLY": "3",
    "OTP_HOURLY_CAP": str(CAP),
    "OTP_COUNTRIES": "DE,FR,GB,US",
    "OTP_FEEDBACK_TIMEOUT_MS": str(TIMEOUT_MS),
}
CONTRARY = {
    "OTP_LINK_CONFIRMATION": "open",
    "OTP_FEEDBACK_TIMEOUT_MS": "0",
    "OTP_REPORT_LATE_ACTIONS": "false",
    "OTP_REPLY_KEYWORD": "Sí",
    "OTP_DOMAIN": "example.com",
    "OTP_APP_HASH": "FA+9qCX9VSu",
    "OTP_CODE_DIGITS": "8",
    "OTP_LIFETIME_S": "120",
}


class Running(Protocol):
    """Runs a stack with settings of its own."""

    def __call__(self, **settings: str) -> Loop: ...


@pytest.fixture(scope="session")
def shared() -> Iterator[Loop]:
    """The stack with the template's defaults; its clock only goes forward, so each test takes numbers of its own."""
    with stack_in_memory(period_s=None, delays=NEVER) as stack, Loop(stack) as client:
        yield client


@pytest.fixture
def loop(shared: Loop) -> Iterator[Loop]:
    """A client of the shared stack."""
    with shared.test() as client:
        yield client


@pytest.fixture(scope="session")
def _custom() -> Iterator[Loop]:
    with stack_in_memory(period_s=None, delays=NEVER, settings=CUSTOM) as stack, Loop(stack) as client:
        yield client


@pytest.fixture
def custom(_custom: Loop) -> Iterator[Loop]:
    """A client of a stack whose owner offers more: templates, senders, a success URL, fallbacks, test recipients."""
    with _custom.test() as client:
        yield client


@pytest.fixture(scope="session")
def _contrary() -> Iterator[Loop]:
    with stack_in_memory(period_s=None, delays=NEVER, settings=CONTRARY) as stack, Loop(stack) as client:
        yield client


@pytest.fixture
def contrary(_contrary: Loop) -> Iterator[Loop]:
    """A client of a stack whose owner chose otherwise than the defaults wherever there is a choice."""
    with _contrary.test() as client:
        yield client


class _Stacks:
    """The stacks of a module, by their settings."""

    def __init__(self, cleanup: ExitStack) -> None:
        self._cleanup = cleanup
        self._known: dict[frozenset[tuple[str, str]], Loop] = {}

    def get(self, settings: dict[str, str]) -> Loop:
        key = frozenset(settings.items())
        if key not in self._known:
            stack = self._cleanup.enter_context(stack_in_memory(period_s=None, delays=NEVER, settings=settings))
            self._known[key] = self._cleanup.enter_context(Loop(stack))
        return self._known[key]


@pytest.fixture(scope="module")
def stacks() -> Iterator[_Stacks]:
    """The stacks that a module's tests ask `running` for."""
    with ExitStack() as cleanup:
        yield _Stacks(cleanup)


@pytest.fixture
def running(stacks: _Stacks) -> Iterator[Running]:
    """Gives a client of a stack with settings of its own; a module's tests share those that are alike."""
    with ExitStack() as tests:
        yield lambda **settings: tests.enter_context(stacks.get(settings).test())
