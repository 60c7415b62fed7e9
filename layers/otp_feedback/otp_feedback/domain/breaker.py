"""When to send Twilio no inline reports for a while."""

import threading

OPEN_AFTER = 3
"""Failures in a row after which reports are left to the outbox."""

OPEN_FOR_MS = 30_000
"""How long they are, before one is tried inline again."""


class CircuitBreaker:
    """Counts one process's failures in a row; in memory, because it only saves waiting and decides nothing else."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_again_at = 0

    def lets_through(self, now: int) -> bool:
        """Whether to try at `now` (epoch milliseconds); after a pause one is let through, to see."""
        with self._lock:
            if self._failures < OPEN_AFTER:
                return True
            if now < self._closed_again_at:
                return False
            self._closed_again_at = now + OPEN_FOR_MS
            return True

    def record(self, *, failed: bool, now: int) -> None:
        """Note how a try ended."""
        with self._lock:
            self._failures = self._failures + 1 if failed else 0
            if self._failures >= OPEN_AFTER:
                self._closed_again_at = now + OPEN_FOR_MS
