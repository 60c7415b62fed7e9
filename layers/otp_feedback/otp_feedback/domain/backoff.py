"""When a report to Twilio that failed is tried again."""

INLINE_LEASE_MS = 30_000
"""How long a confirmation keeps its report to itself before the outbox may take it up."""

BASE_MS = 30_000
CAP_MS = 600_000


def next_attempt_at(now: int, failures: int, fraction: float) -> int:
    """The moment of the next attempt, with full jitter.

    The delay is drawn between a second and min(10 min, 30 s * 2^(failures-1)), so that an outage's end is noticed
    within ten minutes and its backlog does not return in one wave
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

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
