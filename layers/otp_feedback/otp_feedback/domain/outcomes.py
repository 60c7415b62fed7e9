"""How the last reports to Twilio ended, and when so many 404s mean that Message Feedback itself is gone.

They are added up over all processes, since one process sees only a few.
"""

import threading
from collections.abc import Callable

from otp_feedback.domain.errors import Unavailable

NOT_FOUND = "4"
OTHER = "-"

LAST = 50
MOST_NOT_FOUND = 25
"""With more 404s than these among the last reports, no 404 counts as final: Twilio has removed such an endpoint before
(Call Feedback, in 2024)."""


def added(outcomes: str, more: str) -> str:
    """The last outcomes and some more, oldest first; those before the first 404 need not be kept."""
    return (outcomes + more)[-LAST:].lstrip(OTHER)


def suspends(outcomes: str) -> bool:
    """Whether a 404 says nothing about its message."""
    return outcomes.count(NOT_FOUND) > MOST_NOT_FOUND


INLINE_BATCH = 25
"""How many inline reports a process adds at a time: most confirmations cost no further call."""


class Outcomes:
    """One process's outcomes. Together with those of all processes they decide whether a 404 is final.

    Adding up is one read, and one write if there are 404s. Processes that add at the same time do not wait for each
    other: an outcome that is counted twice, or lost in a crash, only shifts the moment from which 404s stay due.

    Parameters
    ----------
    read
        All processes' outcomes at a time (epoch milliseconds); empty if they are old.
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
        """Count a report that ended in 404; returns whether it stays due.

        Parameters
        ----------
        now
            Epoch milliseconds.
        again
            Whether it failed before: while 404s stay due, repeated ones would outweigh everything else.

        Raises
        ------
        Unavailable
            The other processes' outcomes cannot be read, so no report may be given up.
        """
        with self._lock:
            if self._known is None:
                self._known = self._read(now)
            if not again or not suspends(added(self._known, self._more)):
                self._more += NOT_FOUND
            return suspends(added(self._known, self._more))

    def add_up(self, now: int, *, at_least: int) -> bool:
        """Add what was counted here to all processes' outcomes, if it is enough; False if the write must wait."""
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
