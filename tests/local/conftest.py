"""The emulator alone, and the whole stack."""

import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.aws import ACCOUNT_SID, AUTH_TOKEN
from local.stack import Stack
from local.twilio_emulator import Delays, TwilioEmulator
from tests.local.receiver import Receiver

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Everything is plain HTTP here: no authorities need be read."""
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages"


class Twilio:
    """A client of the emulator's REST API and its control routes."""

    def __init__(self, emulator: TwilioEmulator) -> None:
        self.emulator = emulator
        self.http = httpx.Client(
            base_url=emulator.listener.url, auth=(ACCOUNT_SID, AUTH_TOKEN), trust_env=False, timeout=5, verify=PLAIN
        )

    def create(self, **parameters: str) -> httpx.Response:
        """Create a message; what is not said is valid."""
        given = {"To": "+4915112345678", "From": "+14155550100", "Body": "Your code is 123456"} | parameters
        return self.http.post(f"{MESSAGES}.json", data={name: value for name, value in given.items() if value})

    def created(self, **parameters: str) -> dict[str, Any]:
        """Create a message that is accepted."""
        answer = self.create(**parameters)
        assert answer.status_code == 201, answer.text
        message: dict[str, Any] = answer.json()
        return message

    def confirm(self, sid: str, outcome: str = "confirmed") -> httpx.Response:
        """Post feedback."""
        return self.http.post(f"{MESSAGES}/{sid}/Feedback.json", data={"Outcome": outcome})

    def held(self) -> list[dict[str, Any]]:
        """What the emulator holds."""
        messages: list[dict[str, Any]] = self.http.get("/_emulator/messages").json()
        return messages

    def requests(self) -> list[dict[str, Any]]:
        """The REST calls it got."""
        requests: list[dict[str, Any]] = self.http.get("/_emulator/requests").json()
        return requests

    def control(self, path: str, **body: Any) -> httpx.Response:
        """A control request."""
        return self.http.post(f"/_emulator/{path}", json=body)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def emulator() -> Iterator[TwilioEmulator]:
    emulator = TwilioEmulator(delays=Delays(queued=0.02, sent=0.06, delivered=0.12))
    yield emulator
    emulator.stop()


@pytest.fixture
def twilio(emulator: TwilioEmulator, receiver: Receiver) -> Iterator[Twilio]:
    """The emulator, empty, its callbacks and inbound webhooks going to `receiver`."""
    emulator.gateway_url = receiver.url
    client = Twilio(emulator)
    yield client
    client.http.close()
    emulator.clear()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole stack, with the project's functions."""
    with Stack(delays=Delays(0.02, 0.05, 0.1), period_s=0.3) as stack:
        yield stack
