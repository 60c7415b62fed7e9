"""Records for the store's tests, and a client whose acknowledgements get lost."""

import itertools
from collections.abc import Callable
from typing import Any

from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.ids import encode_id
from otp_feedback.domain.keys import Mac
from otp_feedback.domain.verification import Message, Verification

NOW = 1_760_000_000_000
LIFE = 600_000
TTL = NOW // 1000 + 7 * 86_400
SENDER = "+14155550100"

_serial = itertools.count(1)


def new_id() -> str:
    """A verification id that no other test of this process has."""
    return encode_id(next(_serial).to_bytes(16, "little"))


def new_recipient() -> bytes:
    """The digest of a number that no other test of this process has."""
    return next(_serial).to_bytes(32, "little")


def sid(letter: str = "a") -> str:
    """A Message SID."""
    return "SM" + letter * 32


def a_message(number: int = 1, **facts: Any) -> Message:
    """A message that expires ten minutes after NOW, with a MAC of its own."""
    facts = {"expires_at": NOW + LIFE, "sent_at": NOW, "mac": Mac("0", bytes([number]) * 32), **facts}
    return Message(number=number, **facts)


def a_verification(**facts: Any) -> Verification:
    """A pending verification with one message."""
    defaults: dict[str, Any] = {
        "verification_id": new_id(),
        "action": Action.CODE,
        "to": "+4915112345678",
        "created_at": NOW,
        "max_attempts": 5,
        "messages": {1: a_message()},
        "sender": SENDER,
    }
    return Verification(**(defaults | facts))


def a_sent_verification(*numbers: int, **facts: Any) -> Verification:
    """A pending verification whose messages Twilio has accepted."""
    messages = {
        number: a_message(number, sid=sid("abc"[number - 1]), delivery=Delivery.ACCEPTED) for number in numbers or (1,)
    }
    return a_verification(**({"messages": messages} | facts))


class Forgetful:
    """A client for which every write's first acknowledgement is lost, so that it writes again, as botocore does.

    `meanwhile` runs between the two.
    """

    def __init__(self, client: Any, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._client = client
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if name in {"get_item", "query"}:
            return operation

        def twice(**request: Any) -> Any:
            operation(**request)
            self._meanwhile()
            return operation(**request)

        return twice
