"""What the use cases' tests say of a world again and again."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from otp_feedback.domain.actions import Action
from otp_feedback.domain.verification import Status
from tests.promises.world import World

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
INTERVAL_MS = 31 * SECOND_MS
"""More than the pause between two messages to one recipient, and than an inline report's lease."""

EXPIRY_MS = 601 * SECOND_MS
"""More than a message's secret lives."""

WRONG = "000000x"
"""No code at all."""

_numbers = itertools.count(10_000_000)


def fresh_number() -> str:
    """A German mobile number that no other test of this process has."""
    return f"+49151{next(_numbers)}"


def started(world: World, action: Action = Action.CODE, to: str | None = None, **asked: str) -> str:
    """Start a verification for a fresh number; its id."""
    if action is Action.CALLER and not asked.keys() & {"secret", "sid"}:
        asked["secret"] = "Callers1"
    return world.start(to or fresh_number(), action, **asked).verification_id


def status(world: World, verification_id: str) -> Status:
    """What a verification is now."""
    return world.verification(verification_id).status_at(world.now)


def attempts_left(world: World, verification_id: str) -> int:
    """Guesses that a verification still takes."""
    verification = world.verification(verification_id)
    return verification.max_attempts - verification.attempts


@contextmanager
def unchanged(world: World, *, besides: tuple[str, ...] = ()) -> Iterator[None]:
    """Nothing is written and nothing is sent within the block; `besides` begin the keys that may be."""

    def records() -> dict[str, object]:
        return {key: item for key, item in world.table.items.items() if not key.startswith(besides)}

    table, messages, posts = records(), world.twilio.messages, world.ledger.posts.copy()
    yield
    assert records() == table
    assert world.twilio.messages == messages
    assert world.ledger.posts == posts
