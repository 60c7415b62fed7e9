"""When a report to Twilio that failed is tried again."""

INLINE_LEASE_MS = 30_000
"""How long a confirmation keeps its report to itself before the outbox may take it up."""

BASE_MS = 30_000
CAP_MS = 300_000
"""A report is tried at least this often, so its age is seen and an outage's end is noticed within five minutes."""

SID_BASE_MS = 60_000
SID_CAP_MS = 6 * 3_600_000
SID_GIVE_UP_MS = 7 * 86_400_000
"""How long a message's SID is looked for after it was sent."""


def next_attempt_at(now: int, failures: int, fraction: float) -> int:
    """The moment of the next attempt, with full jitter.

    The delay is drawn between one second and min(5 min, 30 s * 2^(failures-1)), so that the backlog of an outage
    does not return in one wave (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Parameters
    ----------
    now
        Epoch milliseconds.
    failures
        Attempts that failed so far, at least 1.
    fraction
        A random number in [0, 1).
    """
    ceiling = min(CAP_MS, BASE_MS << min(failures - 1, 10))
    return now + 1000 + int(fraction * (ceiling - 1000))


def next_search_at(now: int, failures: int) -> int:
    """When a message whose SID is unknown is looked for again: after 1, 2, 4 … minutes, at most 6 hours.

    The status callback brings the SID long before, if anything does; a search is the last resort.
    """
    return now + min(SID_CAP_MS, SID_BASE_MS << min(failures - 1, 10))
