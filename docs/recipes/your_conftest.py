"""In your own tests: the whole service on free ports, with a Twilio that holds what was sent.

Needs a checkout of OTP Feedback and its virtual environment, or run `make dev` beside your tests and use its addresses.
"""

import re
from collections.abc import Iterator

import httpx
import pytest

from local.stack import Stack


class Otp:
    """Your application calls `url`; your test reads what the user received."""

    def __init__(self, stack: Stack) -> None:
        self.url = stack.api_url
        self._twilio = stack.twilio_url

    def code_for(self, number: str) -> str:
        """The newest code that a number received."""
        messages = httpx.get(f"{self._twilio}/_emulator/messages").json()
        return re.findall(r"\b\d{6,10}\b", [each["body"] for each in messages if each["to"] == number][-1])[0]


@pytest.fixture(scope="session")
def otp() -> Iterator[Otp]:
    """The running service."""
    with Stack() as stack:
        yield Otp(stack)
