"""What is left of a Lambda invocation, so that no outward call outlasts it."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

TimeLeft = Callable[[], float]
"""Seconds until the invocation ends."""


class Invocation:
    """The invocation under way; Lambda runs one at a time in a process."""

    def __init__(self) -> None:
        self._context: Any = None
        self._began = perf_counter()

    def begin(self, context: Any) -> None:
        """Take up the context that Lambda called the handler with."""
        self._context = context
        self._began = perf_counter()

    def spent_s(self) -> float:
        """Seconds since the handler was called."""
        return perf_counter() - self._began

    def time_left_s(self) -> float:
        """Seconds until Lambda ends the invocation."""
        return self._context.get_remaining_time_in_millis() / 1000 if self._context is not None else float("inf")


def unlimited() -> float:
    """For callers outside Lambda."""
    return float("inf")
