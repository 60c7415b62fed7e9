"""A running stack for each worker, and a client of it for each test."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from local.stack import Stack
from local.twilio_emulator import Delays
from tests.loop.driver import Loop

NEVER = Delays(queued=3600, sent=3600, delivered=3600)
"""Status callbacks come when a test says so."""


class Running(Protocol):
    """Runs a stack with settings of its own."""

    def __call__(self, **settings: str) -> Loop: ...


@pytest.fixture(scope="session")
def shared() -> Iterator[Loop]:
    """The stack with the template's defaults; its clock only goes forward, so each test takes numbers of its own."""
    with Stack(period_s=None, delays=NEVER) as stack, Loop(stack) as client:
        yield client


@pytest.fixture
def loop(shared: Loop) -> Iterator[Loop]:
    """A client of the shared stack."""
    with shared.test() as client:
        yield client


class _Stacks:
    """The stacks of a module, by their settings."""

    def __init__(self, cleanup: ExitStack) -> None:
        self._cleanup = cleanup
        self._known: dict[frozenset[tuple[str, str]], Loop] = {}

    def get(self, settings: dict[str, str]) -> Loop:
        key = frozenset(settings.items())
        if key not in self._known:
            stack = self._cleanup.enter_context(Stack(period_s=None, delays=NEVER, settings=settings))
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
