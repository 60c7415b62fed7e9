"""What a message takes of the budgets: a slot of its recipient, one of the limit key, a place under the hourly cap."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from otp_feedback.domain.errors import TooManyMessages, Unavailable
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.recipient import Recipient, Windows, send_holder
from otp_feedback.usecases.message import Draft
from otp_feedback.usecases.ports import Refused, Service


class HeldBySameRequest(Exception):
    """The recipient's newest slot is held for this message: a request with the same Idempotency-Key was faster."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a message takes of the budgets.

    Parameters
    ----------
    recipient
        The keyed digest of its number.
    holder
        What the recipient's slot is held for.
    limit_key
        The digest of the caller's limit key; None without one.
    is_limited
        Whether it takes slots at all: a message that was sent already and carries no secret takes none.
    is_sent
        Whether Twilio is asked to send it, which counts for the hourly cap.
    is_repeatable
        Whether the request has an Idempotency-Key, so that it can come again.
    """

    recipient: bytes
    holder: str
    limit_key: bytes | None
    is_limited: bool
    is_sent: bool
    is_repeatable: bool

    @classmethod
    def of(cls, keys: Keys, drafted: Draft, *, is_repeatable: bool) -> "Claim":
        """What a new message takes."""
        verification, message, is_sent = drafted.verification, drafted.message, drafted.outgoing is not None
        awaits_reply = verification.action.traits.awaits_reply
        return cls(
            recipient=keys.recipient(verification.to),
            holder=send_holder(verification.verification_id, message.number, awaits_reply=awaits_reply),
            limit_key=verification.limit_key,
            is_limited=not verification.is_test and (message.mac is not None or is_sent),
            is_sent=is_sent,
            is_repeatable=is_repeatable,
        )


class Slot:
    """The places that a message holds until they are given back."""

    def __init__(self, service: Service, claim: Claim, request_token: str) -> None:
        self._service = service
        self._claim = claim
        self._token = request_token

    def take(self) -> None:
        """Take them all, or none.

        Raises
        ------
        HeldBySameRequest
        TooManyMessages
            With the exact seconds to wait; without, if only a success or an operator's unlock helps.
        Unavailable
        """
        if not self._claim.is_limited:
            return
        try:
            self._take()
        except Unavailable:
            # What was asked for may have been taken.
            self.give_back()
            raise

    def give_back(self) -> None:
        """Give all of them back, if nothing was sent; if one fails, the others are still given back."""
        if self._service.hourly_cap is not None:
            self._service.hourly_cap.give_back(self._token)
        if self._claim.is_limited:
            try:
                self._service.budgets.release_send(self._claim.recipient, self._token)
            finally:
                self._release_limit_key()

    def _take(self) -> None:
        service, claim, now = self._service, self._claim, self._service.clock()
        limits = service.policy.limits
        wait_s = self._reserve_limit_key()
        reserved = (
            None if wait_s else service.budgets.reserve_send(claim.recipient, claim.holder, now, limits, self._token)
        )
        if isinstance(reserved, Recipient):
            self._require_within_cap(reserved)
            return
        if reserved is not None:
            self._release_limit_key()
            current = reserved.current or Recipient()
        else:
            current = service.budgets.read_recipient(claim.recipient) or Recipient()
        if claim.is_repeatable and current.holders[:1] == (claim.holder,):
            raise HeldBySameRequest
        if current.failures >= limits.max_failures:
            raise TooManyMessages
        raise TooManyMessages(retry_after_s=max(wait_s, _wait_s(limits.recipient, current, now)))

    def _require_within_cap(self, recipient: Recipient) -> None:
        """A recipient that confirmed before was not made up by a pumper: it is not counted, and never refused."""
        cap = self._service.hourly_cap
        if cap is None or not self._claim.is_sent or recipient.last_confirmed_at is not None:
            return
        wait_s = cap.take(self._service.clock(), self._token)
        if wait_s:
            self.give_back()
            raise TooManyMessages(retry_after_s=wait_s)

    def _reserve_limit_key(self) -> int:
        """Take a slot of the limit key's budget; returns 0, or the whole seconds until there is one."""
        limit_key, windows, now = self._claim.limit_key, self._service.policy.limits.limit_key, self._service.clock()
        if limit_key is None:
            return 0
        reserved = self._service.budgets.reserve_limit_key(limit_key, now, windows, self._token)
        return _wait_s(windows, reserved.current or Recipient(), now) if isinstance(reserved, Refused) else 0

    def _release_limit_key(self) -> None:
        if self._claim.limit_key is not None:
            windows = self._service.policy.limits.limit_key
            self._service.budgets.release_limit_key(self._claim.limit_key, windows, self._token)


@contextmanager
def slot(service: Service, claim: Claim, request_token: str) -> Iterator[Slot]:
    """Hold what a message takes of the budgets; `Unavailable` means that nothing was sent, and gives all of it back.

    Raises
    ------
    HeldBySameRequest, TooManyMessages, Unavailable
    """
    held = Slot(service, claim, request_token)
    held.take()
    try:
        yield held
    except Unavailable:
        held.give_back()
        raise


def _wait_s(windows: Windows, current: Recipient, now: int) -> int:
    """At least a second, for a window may have opened since the refusal."""
    return max(1, -(-windows.wait_ms(current.sends, now) // 1000))
