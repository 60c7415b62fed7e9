"""How often something may happen: exact sliding windows over the times at which it last did."""

import ipaddress
from dataclasses import dataclass

SLOTS = 10
"""Send times kept for a recipient, newest first."""

NIST_MAX_CONSECUTIVE_FAILURES = 100
"""NIST SP 800-63B-4 §3.2.2: no more consecutive failed attempts than this."""

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Windows:
    """So many in any hour and any day, and no two within an interval.

    Parameters
    ----------
    interval_s
        Seconds between two.
    hourly, daily
        How many in any hour and any day, at least 1.
    """

    interval_s: int
    hourly: int
    daily: int

    def by_slot(self) -> tuple[tuple[int, int], ...]:
        """Pairs of a slot and its window: what stands in that slot must be that many milliseconds old."""
        longest = {0: self.interval_s * 1000} if self.interval_s else {}
        for slot, window in ((self.hourly - 1, HOUR_MS), (self.daily - 1, DAY_MS)):
            longest[slot] = max(window, longest.get(slot, 0))
        return tuple(longest.items())

    def wait_ms(self, times: tuple[int, ...], now: int) -> int:
        """Milliseconds from `now` until the next may happen; 0 for at once.

        Parameters
        ----------
        times
            Epoch milliseconds of the last ones, newest first.
        """
        return max(0, *(times[slot] + window - now for slot, window in self.by_slot() if slot < len(times)), 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a stack.

    Parameters
    ----------
    recipient
        Messages to one recipient; at most `SLOTS` a day.
    limit_key
        Messages under one of the callers' limit keys.
    max_attempts
        Guesses for one verification.
    """

    recipient: Windows = Windows(30, 5, 10)
    limit_key: Windows = Windows(0, 10, 30)
    max_attempts: int = 5

    @property
    def max_failures(self) -> int:
        """Consecutive failures from which on nothing new is sent to a recipient.

        Below NIST's ceiling by the guesses that could still be under way and fail.
        """
        return NIST_MAX_CONSECUTIVE_FAILURES - self.max_attempts * self.recipient.hourly


def canonical_limit_key(text: str) -> str:
    """The form under which a limit key is counted.

    An IPv6 address counts as its /64, which one subscriber holds as a whole; an IPv4 address in IPv6 clothing counts
    as the IPv4 address that it is (RFC 4291 §2.5.5.2), for its /64 would put all of IPv4 under one key.
    """
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
