"""A cap on the messages that a stack sends in an hour: the backstop against a bill."""

from otp_feedback.domain.limits import HOUR_MS
from otp_feedback.usecases.ports import Store

FRESH_MS = 5000
"""How old the stack's count may be. Each process adds its sends in one write and learns the total from it,
so that neither a send nor a busy stack makes a write each time."""

KEPT_S = 7200


class SpendMeter:
    """Counts a process's sends and knows, some seconds late, how many the whole stack has made this hour.

    Parameters
    ----------
    store
        Where all processes add up.
    cap
        Messages an hour.
    """

    def __init__(self, store: Store, cap: int) -> None:
        self._store = store
        self._cap = cap
        self._hour = 0
        self._total = 0
        self._pending = 0
        self._read_at = 0

    def wait_s(self, now: int) -> int:
        """Whole seconds until another message may be sent; 0 for at once.

        Raises
        ------
        Unavailable
            The count cannot be read, and nothing is sent uncounted.
        """
        self._turn_to(now)
        if now - self._read_at >= FRESH_MS:
            self._refresh(now)
        if self._total + self._pending < self._cap:
            return 0
        return -(-(self._hour + HOUR_MS - now) // 1000)

    def add(self, now: int) -> None:
        """Count a message that is about to be sent."""
        self._turn_to(now)
        self._pending += 1

    def _turn_to(self, now: int) -> None:
        hour = now - now % HOUR_MS
        if hour != self._hour:
            self._hour, self._total, self._pending, self._read_at = hour, 0, 0, 0

    def _refresh(self, now: int) -> None:
        ttl = (self._hour + HOUR_MS) // 1000 + KEPT_S
        self._total = self._store.count_sends(self._hour, self._pending, ttl)
        self._pending = 0
        self._read_at = now
