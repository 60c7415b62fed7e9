"""Stacks that know the address which the events are signed for, and what stands in them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec
import pytest

from local.invoke import NEVER
from local.stack import Stack
from local.stage import BASE_URL, SETTINGS, Laptop, Stage, Standing
from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.web.wire import VerificationView


class Scene:
    """A stack on which an event is played, and nothing else."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.stage = Stage(Laptop(stack.aws_url, stack.table_name, stack.twilio_url))
        self._requests = 0

    def close(self) -> None:
        """Close the connections."""
        self.stage.close()

    def prepare(self, standing: tuple[Standing, ...]) -> None:
        """Clear the stack, and put there what is to stand there."""
        self.stack.aws.empty(self.stack.table_name)
        self.stack.twilio.clear()
        self.stage.put(standing)
        self.begin()

    def begin(self) -> None:
        """Count the messages from here on."""
        self._requests = len(self.stack.twilio.requests())

    def items(self) -> list[dict[str, Any]]:
        """All items of the table."""
        return self.stack.aws.items(self.stack.table_name)

    def messages_asked_for(self) -> int:
        """How many messages Twilio was asked for since then."""
        return sum(
            request["method"] == "POST" and request["path"].endswith("/Messages.json")
            for request in self.stack.twilio.requests()[self._requests :]
        )

    def shown(self, verification_id: str) -> dict[str, Any]:
        """What `GET` shows of a verification."""
        verification = self.stage.verifications.read(verification_id)
        assert verification is not None
        view: dict[str, Any] = msgspec.to_builtins(VerificationView.of(verification, now_ms()))
        return view

    def reported(self) -> set[str]:
        """The SIDs for which the emulator holds a confirmation."""
        return {message.sid for message in self.stack.twilio.account.outbound() if message.outcome == "confirmed"}


class Scenes(Protocol):
    """The stack with the laptop's settings, or with all that events ask for."""

    def __call__(self, *, chosen: bool) -> Scene: ...


@contextmanager
def _scene(settings: Mapping[str, str]) -> Iterator[Scene]:
    with Stack(period_s=None, delays=NEVER, settings={"OTP_PUBLIC_BASE_URL": BASE_URL, **settings}) as stack:
        scene = Scene(stack)
        try:
            yield scene
        finally:
            scene.close()


@pytest.fixture(scope="session")
def plain_scene() -> Iterator[Scene]:
    """The laptop's settings."""
    with _scene({}) as scene:
        yield scene


@pytest.fixture(scope="session")
def chosen_scene() -> Iterator[Scene]:
    """All settings that events ask for at once."""
    with _scene({name: value for settings in SETTINGS.values() for name, value in settings.items()}) as scene:
        yield scene


@pytest.fixture
def scenes(request: pytest.FixtureRequest) -> Scenes:
    """Starts the one or the other when it is first asked for."""

    def get(*, chosen: bool) -> Scene:
        scene: Scene = request.getfixturevalue("chosen_scene" if chosen else "plain_scene")
        return scene

    return get
