"""How the last reports to Twilio ended, and when that says that not a message is gone but the feedback itself.

They are added up over all processes, because one process sees few of them.
"""

import threading
from collections.abc import Callable

from otp_feedback.domain.errors import Unavailable

NOT_FOUND = "4"
OTHER = "-"

LAST = 50
MOST_NOT_FOUND = 25
"""With more 404s than these among the last reports none is taken for final: Twilio has removed such an endpoint before
(Call Feedback, in 2024)."""


def added(outcomes: str, more: str) -> str:
    """The last outcomes, oldest first, with some more; those before the first 404 need not be kept."""
    return (outcomes + more)[-LAST:].lstrip(OTHER)


def suspends(outcomes: str) -> bool:
    """Whether a 404 says nothing about its message."""
    return outcomes.count(NOT_FOUND) > MOST_NOT_FOUND


INLINE_BATCH = 25
"""Inline reports that a process adds at a time, so that a confirmation costs no further call."""


class Outcomes:
    """One process's outcomes, and what they make of a 404 together with everybody's.

    Adding up is one read, and a write where 404s are about. Processes that add at once wait for nothing: what is
    counted twice after a lost answer, or lost in a crash, only moves the moment at which 404s stay due.

    Parameters
    ----------
    read
        Everybody's outcomes at a time (epoch milliseconds); empty where they are long ago.
    add
        Adds to them.
    """

    def __init__(self, read: Callable[[int], str], add: Callable[[str, int], None]) -> None:
        self._read = read
        self._add = add
        self._lock = threading.Lock()
        self._known: str | None = None
        self._more = ""

    def note(self) -> None:
        """Count a report that did not end in 404."""
        with self._lock:
            self._more += OTHER

    def note_not_found(self, now: int, *, again: bool) -> bool:
        """Count a report that ended in 404; whether it stays due.

        Parameters
        ----------
        now
            Epoch milliseconds.
        again
            Whether it failed before: while 404s stay due, those that come back would outweigh everything else.

        Raises
        ------
        Unavailable
            The other processes' outcomes cannot be read, and nothing may be given up.
        """
        with self._lock:
            if self._known is None:
                self._known = self._read(now)
            if not again or not suspends(added(self._known, self._more)):
                self._more += NOT_FOUND
            return suspends(added(self._known, self._more))

    def add_up(self, now: int, *, at_least: int = 1) -> bool:
        """Add to everybody's what was counted here since, where it is so many; False where that must wait."""
        with self._lock:
            self._known = None
            if len(self._more) < at_least:
                return True
            try:
                self._add(self._more, now)
            except Unavailable:
                return False
            self._more = ""
            return True
