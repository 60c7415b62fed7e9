"""How often something may happen: exact sliding windows over the last times that it happened."""

import ipaddress
import re
from dataclasses import dataclass

SLOTS = 10
"""Send times kept for a recipient, newest first."""

NIST_MAX_CONSECUTIVE_FAILURES = 100
"""NIST SP 800-63B-4 §3.2.2: no more consecutive failed attempts than this."""

MOST_ATTEMPTS = 5
"""Guesses for one verification, at most."""

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Windows:
    """How many may happen in any hour and any day, and how far apart two must be.

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
    max_attempts: int = MOST_ATTEMPTS

    @property
    def max_failures(self) -> int:
        """The consecutive failures at which a recipient gets no new message.

        NIST's ceiling, less the guesses that could still be under way and fail.
        """
        return NIST_MAX_CONSECUTIVE_FAILURES - self.max_attempts * self.recipient.hourly


def canonical_limit_key(text: str) -> str:
    """The form under which a limit key is counted: of an address its one form, of other texts all but outer spaces.

    A port and brackets (RFC 3986 §3.2.2) and a zone (RFC 4007 §11) are no part of an address. An IPv6 address counts
    as its /64, which one subscriber holds as a whole. An IPv4 address that is written as IPv6 counts as the IPv4
    address, since its /64 would put many subscribers under one key.
    """
    key = text.strip()
    address = _address_in(key)
    if address is None:
        return key
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    clothed = _ipv4_within(address)
    if clothed is not None:
        return str(clothed)
    if address in _LOCAL_NAT64:
        return str(ipaddress.IPv6Address(int(address)))
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def _address_in(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address alone, between brackets, or before a port."""
    match = re.fullmatch(_WITH_PORT, text)
    for candidate in (text, match and (match["bracketed"] or match["bare"])):
        try:
            return ipaddress.ip_address(candidate or "")
        except ValueError:
            continue
    return None


def _ipv4_within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if any(address in network for network in _IPV4_IN_LAST_32_BITS):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.sixtofour


_WITH_PORT = r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<bare>.+?))(?::[0-9]{1,5})?"

_IPV4_IN_LAST_32_BITS = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "::/96",  # RFC 4291 §2.5.5.1: IPv4-compatible
            "::ffff:0:0/96",  # RFC 4291 §2.5.5.2: IPv4-mapped
            "::ffff:0:0:0/96",  # RFC 7915 §1.4: IPv4-translated
            "64:ff9b::/96",  # RFC 6052 §2.1: NAT64
        ),
    )
)

_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
"""RFC 8215: translators of one's own, where the IPv4 address may stand in several places: one address, one host."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """What is kept about a phone number.

    Parameters
    ----------
    sends
        Epoch milliseconds of the last sends, newest first.
    holders
        What each of these sends was for.
    failures
        Consecutive wrong guesses.
    last_confirmed_at
        Epoch milliseconds; None if it never confirmed anything.
    last_inbound_at
        Epoch milliseconds of the last message or call from it that confirmed nothing while a reply was awaited.
    """

    sends: tuple[int, ...] = ()
    holders: tuple[str, ...] = ()
    failures: int = 0
    last_confirmed_at: int | None = None
    last_inbound_at: int | None = None


_AWAITS_REPLY = "#reply"


def send_holder(verification_id: str, number: int, *, awaits_reply: bool) -> str:
    """What a slot of the recipient's windows is held for: a message, and whether an inbound one may answer it."""
    return f"{verification_id}#{number}{_AWAITS_REPLY if awaits_reply else ''}"


def replied_to(holder: str) -> str | None:
    """The verification that a slot's holder names, if it awaits a reply; else None."""
    return holder.partition("#")[0] if holder.endswith(_AWAITS_REPLY) else None
