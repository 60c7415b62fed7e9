"""A cap on the messages that a stack sends in an hour: the backstop against a bill."""

from collections.abc import Callable
from contextlib import suppress

from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.recipient import HOUR_MS

FRESH_MS = 5000
"""How old the stack's count may be. Each process adds its sends in one write, which returns the total.
So not every send makes a write."""

KEPT_S = 7200


class HourlyCap:
    """Counts a process's sends and knows, some seconds late, how many the whole stack has made this hour.

    Parameters
    ----------
    cap
        Messages an hour.
    count_sends
        Takes the beginning of an hour (epoch milliseconds), the number to add to the stack's sends in it, and the epoch
        second until which they are kept; returns them all.
    """

    def __init__(self, cap: int, count_sends: Callable[[int, int, int], int]) -> None:
        self._cap = cap
        self._count_sends = count_sends
        self._hour = 0
        self._total = 0
        self._pending = 0
        self._read_at = 0
        self._taken_by: str | None = None

    def take(self, now: int, request_token: str) -> int:
        """Count a message that is about to be sent; returns the whole seconds to wait, 0 if it may go at once.

        Parameters
        ----------
        now
            Epoch milliseconds.
        request_token
            The request that sends it, and may give it back.

        Raises
        ------
        Unavailable
            The count cannot be written, and nothing is sent uncounted.
        """
        self._turn_to(now)
        if now - self._read_at >= FRESH_MS:
            self._add_up(now)
            taken = self._total <= self._cap
        elif taken := self._total + self._pending < self._cap:
            self._pending += 1
        self._taken_by = request_token if taken else None
        return 0 if taken else -(-(self._hour + HOUR_MS - now) // 1000)

    def give_back(self, request_token: str) -> None:
        """Take a message off the count that this request took and that provably was not sent.

        If that cannot be written now, it goes with the next addition, if this process makes one.
        """
        if self._taken_by != request_token:
            return
        self._taken_by = None
        self._pending -= 1
        if self._pending < 0:
            with suppress(Unavailable):
                self._total = self._count_sends(self._hour, self._pending, self._ttl())
                self._pending = 0

    def _turn_to(self, now: int) -> None:
        hour = now - now % HOUR_MS
        if hour != self._hour:
            self._hour, self._total, self._pending, self._read_at = hour, 0, 0, 0

    def _add_up(self, now: int) -> None:
        """This message is counted at once, so that a process that sends only one is counted too."""
        self._total = self._count_sends(self._hour, self._pending + 1, self._ttl())
        self._pending = 0
        self._read_at = now

    def _ttl(self) -> int:
        return (self._hour + HOUR_MS) // 1000 + KEPT_S
