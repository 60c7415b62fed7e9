"""Stacks that know the fixtures' address, and what stands in them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec
import pytest

from local.fixtures.files import fixtures
from local.fixtures.model import Fixture
from local.fixtures.payloads import BASE_URL
from local.fixtures.records import Laptop, Seeder
from local.invoke import NEVER
from local.stack import Stack
from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.web.wire import VerificationView
from tests.service import DynamoDBStore


class Stage:
    """A stack that holds what some fixtures refer to, and nothing else."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        laptop = Laptop(stack.aws_url, stack.table_name, stack.twilio_url)
        self._client = laptop.dynamodb()
        self._store = DynamoDBStore(self._client, stack.table_name)
        self._seeder = Seeder(laptop)
        self._requests = 0

    def close(self) -> None:
        """Close the connections."""
        self._seeder.close()
        self._client.close()

    def prepare(self, chosen: Iterable[Fixture]) -> None:
        """Clear the stage and put on it what these fixtures refer to."""
        self.stack.aws.empty(self.stack.table_name)
        self.stack.twilio.clear()
        self._seeder.seed(chosen)
        self._requests = len(self.stack.twilio.requests())

    def items(self) -> list[dict[str, Any]]:
        """All items of the table."""
        return self.stack.aws.items(self.stack.table_name)

    def messages_asked_for(self) -> int:
        """How many messages Twilio was asked for since the stage was set."""
        return sum(
            request["method"] == "POST" and request["path"].endswith("/Messages.json")
            for request in self.stack.twilio.requests()[self._requests :]
        )

    def shown(self, verification_id: str) -> dict[str, Any]:
        """What `GET` shows of a verification."""
        verification = self._store.read(verification_id)
        assert verification is not None
        view: dict[str, Any] = msgspec.to_builtins(VerificationView.of(verification, now_ms()))
        return view

    def reported(self) -> set[str]:
        """The SIDs for which the emulator holds a confirmation."""
        return {message.sid for message in self.stack.twilio.account.outbound() if message.outcome == "confirmed"}


class Stages(Protocol):
    """The stage with the laptop's settings, or with those that fixtures choose."""

    def __call__(self, *, chosen: bool) -> Stage: ...


@contextmanager
def _stage(settings: dict[str, str]) -> Iterator[Stage]:
    with Stack(period_s=None, delays=NEVER, settings={"OTP_PUBLIC_BASE_URL": BASE_URL, **settings}) as stack:
        stage = Stage(stack)
        try:
            yield stage
        finally:
            stage.close()


@pytest.fixture(scope="session")
def plain_stage() -> Iterator[Stage]:
    """The laptop's settings."""
    with _stage({}) as stage:
        yield stage


@pytest.fixture(scope="session")
def chosen_stage() -> Iterator[Stage]:
    """All settings that fixtures ask for at once."""
    with _stage({name: value for fixture in fixtures() for name, value in fixture.settings.items()}) as stage:
        yield stage


@pytest.fixture
def stages(request: pytest.FixtureRequest) -> Stages:
    """Starts the one or the other when it is first asked for."""

    def get(*, chosen: bool) -> Stage:
        stage: Stage = request.getfixturevalue("chosen_stage" if chosen else "plain_stage")
        return stage

    return get
