"""How much time a Lambda invocation has left, so that no outward call outlasts it."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

TimeLeft = Callable[[], float]
"""Seconds until the invocation ends."""


class Invocation:
    """The invocation under way; Lambda runs one at a time in a process.

    Parameters
    ----------
    clock
        Seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._context: Any = None
        self._began = clock()
        self._limit_s = float("inf")

    def begin(self, context: Any) -> None:
        """Take up the context that Lambda called the handler with."""
        self._context = context
        self._began = self._clock()
        self._limit_s = float("inf")

    def answer_within(self, seconds: float) -> None:
        """The caller waits at most so many seconds from the moment at which the handler was called."""
        self._limit_s = seconds

    def spent_s(self) -> float:
        """Seconds since the handler was called."""
        return self._clock() - self._began

    def time_left_s(self) -> float:
        """Seconds until Lambda ends the invocation, or its caller stops waiting."""
        left = self._context.get_remaining_time_in_millis() / 1000 if self._context is not None else float("inf")
        return float(min(left, self._limit_s - self.spent_s()))


def unlimited() -> float:
    """For callers outside Lambda."""
    return float("inf")
