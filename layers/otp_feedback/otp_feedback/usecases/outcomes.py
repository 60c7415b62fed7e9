"""How reports end, added up over all processes, because one process sees few of them."""

import threading

from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.outcomes import NOT_FOUND, OTHER, added, suspends
from otp_feedback.usecases.ports import Clock, Journal, Store

INLINE_BATCH = 25
"""Inline reports that a process adds at a time, so that a confirmation costs no further call."""


class Outcomes:
    """One process's outcomes, and what they make of a 404 together with everybody's.

    Adding up is one read, and a write where 404s are about. Processes that add at once wait for nothing: what is
    counted twice after a lost answer, or lost in a crash, only moves the moment at which 404s stay due.

    Parameters
    ----------
    store
        Where all processes add up.
    clock
        Tells epoch milliseconds.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._known: str | None = None
        self._more = ""

    def note(self) -> None:
        """Count a report that did not end in 404."""
        with self._lock:
            self._more += OTHER

    def note_not_found(self, *, again: bool) -> bool:
        """Count a report that ended in 404; whether it stays due.

        Parameters
        ----------
        again
            Whether it failed before: while 404s stay due, those that come back would outweigh everything else.

        Raises
        ------
        Unavailable
            The other processes' outcomes cannot be read, and nothing may be given up.
        """
        with self._lock:
            if self._known is None:
                self._known = self._store.read_outcomes(self._clock())
            if not again or not suspends(added(self._known, self._more)):
                self._more += NOT_FOUND
            return suspends(added(self._known, self._more))

    def add_up(self, journal: Journal, *, at_least: int = 1) -> None:
        """Add to everybody's what was counted here since, where it is so many; if that fails, the next time."""
        with self._lock:
            self._known = None
            if len(self._more) < at_least:
                return
            try:
                self._store.add_outcomes(self._more, self._clock())
                self._more = ""
            except Unavailable:
                journal.note(outcomes="unavailable")
