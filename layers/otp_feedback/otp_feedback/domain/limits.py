"""How often a recipient may be sent a message: three exact sliding windows."""

from dataclasses import dataclass

SLOTS = 10
"""Send times kept for a recipient, newest first."""

NIST_MAX_CONSECUTIVE_FAILURES = 100
"""NIST SP 800-63B-4 §3.2.2: no more consecutive failed attempts than this."""

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a stack.

    Parameters
    ----------
    interval_s
        Seconds between two messages to one recipient.
    hourly, daily
        Messages to one recipient in any hour and any day, 1 to 10.
    max_attempts
        Guesses for one verification.
    """

    interval_s: int = 30
    hourly: int = 5
    daily: int = 10
    max_attempts: int = 5

    @property
    def max_failures(self) -> int:
        """Consecutive failures from which on nothing new is sent.

        Below NIST's ceiling by the guesses that could still be under way and fail.
        """
        return NIST_MAX_CONSECUTIVE_FAILURES - self.max_attempts * self.hourly

    def windows(self) -> tuple[tuple[int, int], ...]:
        """Pairs of a slot and its window: the send in that slot must be that many milliseconds old."""
        longest = {0: self.interval_s * 1000}
        for slot, window in ((self.hourly - 1, HOUR_MS), (self.daily - 1, DAY_MS)):
            longest[slot] = max(window, longest.get(slot, 0))
        return tuple(longest.items())

    def wait_ms(self, sends: tuple[int, ...], now: int) -> int:
        """Milliseconds from `now` until another message may be sent; 0 for at once.

        Parameters
        ----------
        sends
            Epoch milliseconds of the last sends, newest first.
        """
        waits = (sends[slot] + window - now for slot, window in self.windows() if slot < len(sends))
        return max(0, *waits, 0)
