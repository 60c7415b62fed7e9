"""What must come of each request, in few words: the model that the state machine is compared with.

It shares no code with the service. It knows who was sent what and when, and of each verification its state, its
attempts and its messages; each method takes what is asked and gives the outcome, one word: `ok` or a problem's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

LIFETIME_MS = 600_000
ATTEMPTS = 5
MESSAGES = 3
INTERVAL_MS = 30_000
WINDOWS = ((5, 3_600_000), (10, 86_400_000))
SEARCHED_FOR_MS = 7 * 86_400_000
ANSWERED_LATE_MS = 3_600_000
RANKS = {"queued": 2, "sent": 4, "delivered": 5, "undelivered": 5, "failed": 5, "read": 6}


@dataclass
class Message:
    """A message of a verification; `at_twilio` is its SID there, `sid` what is known of it."""

    sent_at: int
    secret: str | None
    at_twilio: str | None = None
    sid: str | None = None
    rank: int = 0
    arrived: bool = False
    rejected: bool = False
    feedback: str = "none"

    def is_live(self, now: int) -> bool:
        """Whether it can still confirm."""
        return now < self.sent_at + LIFETIME_MS

    def may_be_answered_late(self, heard_at: int, now: int) -> bool:
        """Whether an inbound message that names none is still put to it: the first one since, and soon."""
        is_first = heard_at <= self.sent_at
        return self.feedback == "none" and is_first and now < self.sent_at + LIFETIME_MS + ANSWERED_LATE_MS


@dataclass
class Verification:
    """A verification; messages by number less one."""

    to: str
    action: str
    messages: list[Message]
    state: str = "pending"
    attempts: int = 0
    confirmed_by: int | None = None

    def status(self, now: int) -> str:
        """What it is at a moment."""
        if self.state != "pending":
            return self.state
        if self.attempts >= ATTEMPTS:
            return "locked"
        return "pending" if self.is_live(now) else "expired"

    def is_live(self, now: int) -> bool:
        """Whether any message can still confirm."""
        return any(message.is_live(now) for message in self.messages)


@dataclass
class Recipient:
    """A number: its sends, newest first, each with the verification it was for, and its failures in a row.

    `heard_at` is when a message or call last came from it while a reply was awaited.
    """

    sends: list[tuple[int, str]] = field(default_factory=list)
    failures: int = 0
    heard_at: int = 0

    def may_be_sent(self, now: int, interval_ms: int) -> bool:
        """Whether each window has room; without a pause between messages there is none to wait for."""
        windows = ((1, interval_ms), *WINDOWS) if interval_ms else WINDOWS
        return all(len(self.sends) < most or self.sends[most - 1][0] <= now - span for most, span in windows)


CLOSED = {"confirmed": "already-confirmed", "canceled": "canceled", "locked": "locked"}
CONFIRMED_BY = {"check": {"code", "password", "caller"}, "link": {"link"}, "caller": {"caller"}}


@dataclass
class Model:
    """All verifications and recipients; what was asked for by verification, and what each reply was put to.

    `interval_ms` is the stack's pause between messages to a number.
    """

    verifications: dict[str, Verification] = field(default_factory=dict)
    recipients: dict[str, Recipient] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)
    replies: dict[str, tuple[str, int] | None] = field(default_factory=dict)
    interval_ms: int = INTERVAL_MS

    def may_start(self, to: str, key: tuple[str, str] | None, now: int, *, limited: bool) -> str:
        """`POST /verifications`: `new` where something is to be sent, else the outcome.

        `key` is the verification that the Idempotency-Key stands for, and what the request asks for.
        """
        if key is not None and key[0] in self.verifications:
            kept = self.verifications[key[0]]
            if self.bodies[key[0]] != key[1] or kept.status(now) != "pending":
                return "idempotency-conflict"
            return "recipient-opted-out" if kept.messages[0].rejected else "ok"
        recipient = self.recipient(to)
        if limited and not recipient.may_be_sent(now, self.interval_ms):
            in_its_way = key is not None and recipient.sends[0][1] == key[0]
            return "unavailable" if in_its_way else "too-many-messages"
        return "new"

    def may_have_another(self, verification_id: str, now: int, *, limited: bool) -> str:
        """`POST …/messages`: `new` where something is to be sent, else the outcome."""
        verification = self.verifications[verification_id]
        closed = CLOSED.get(verification.status(now))
        if closed is not None:
            return closed
        if len(verification.messages) >= MESSAGES:
            return "too-many-messages"
        if limited and not self.recipient(verification.to).may_be_sent(now, self.interval_ms):
            return "too-many-messages"
        return "new"

    def check(self, verification_id: str, guess: str, way: str, now: int) -> tuple[str, int | None]:
        """A guess: its outcome, and the number of the message that confirms."""
        verification = self.verifications[verification_id]
        if verification.action not in CONFIRMED_BY[way]:
            return "wrong-action", None
        ended = CLOSED.get(verification.status(now))
        if way == "link" and verification.confirmed_by is not None:
            very_link = verification.messages[verification.confirmed_by - 1].secret
            return ("ok" if guess == very_link else "already-confirmed"), None
        if ended is not None:
            return ended, None
        if all(message.secret is None for message in verification.messages):
            return "wrong-action", None
        verification.attempts += 1
        sent = [(n, each) for n, each in enumerate(verification.messages, 1) if not each.rejected]
        right = [number for number, message in sent if message.secret == guess]
        live = [number for number in right if verification.messages[number - 1].is_live(now)]
        if live:
            self.recipient(verification.to).failures = 0
            return self._confirm(verification, live[-1])
        for number in right:
            self._act_late(verification.messages[number - 1])
        if not right:
            self.recipient(verification.to).failures += 1
        return "wrong-secret" if verification.is_live(now) else "expired", None

    def take_word(self, verification_id: str, number: int | None, now: int) -> tuple[str, int | None]:
        """The caller's word: its outcome, and the number of the message that confirms."""
        verification = self.verifications[verification_id]
        if verification.action != "caller":
            return "wrong-action", None
        if verification.state == "confirmed" and number in (None, verification.confirmed_by):
            return "ok", None
        status = verification.status(now)
        if status in CLOSED:
            return CLOSED[status], None
        sent = [n for n, each in enumerate(verification.messages, 1) if not each.rejected]
        if number is None and len(sent) == 1:
            number = sent[0]
        if number not in sent:
            return "malformed-request", None
        message = verification.messages[number - 1]
        if not message.is_live(now):
            self._act_late(message)
            return "expired", None
        self.recipient(verification.to).failures = 0
        return self._confirm(verification, number)

    def reply(self, sid: str, to: str, now: int) -> tuple[bool, tuple[str, int] | None]:
        """An inbound message: whether it answers something in time, and which message that confirms."""
        if sid not in self.replies:
            self.replies[sid] = self._answered(to, now)
            if any(self._awaiting(to)):
                self.recipient(to).heard_at = now
        target = self.replies[sid]
        if target is None:
            return False, None
        verification, number = self.verifications[target[0]], target[1]
        message = verification.messages[number - 1]
        if verification.status(now) not in ("pending", "expired"):
            return verification.confirmed_by == number, None
        if not message.is_live(now):
            self._act_late(message)
            return False, None
        self._confirm(verification, number)
        return True, target

    def cancel(self, verification_id: str) -> str:
        """A cancellation."""
        verification = self.verifications[verification_id]
        if verification.state == "confirmed":
            return "already-confirmed"
        verification.state = "canceled"
        return "ok"

    def deliver(self, verification_id: str, number: int, sid: str, status: str) -> None:
        """A status callback."""
        message = self.verifications[verification_id].messages[number - 1]
        rank = RANKS[status]
        if message.sid in (None, sid) and rank > message.rank:
            message.sid, message.rank = sid, rank
            message.arrived = status in ("delivered", "read")
            message.rejected = False

    def retry(self, verification_id: str, now: int) -> None:
        """The outbox takes up what is due of a verification, and nothing goes wrong."""
        for message in self.verifications[verification_id].messages:
            if message.feedback != "due":
                continue
            if message.sid is None and message.secret is not None and message.at_twilio is not None:
                message.sid, message.rank = message.at_twilio, 1
            if message.sid is not None:
                message.feedback = "reported"
            elif now >= message.sent_at + SEARCHED_FOR_MS:
                message.feedback = "rejected"

    def recipient(self, to: str) -> Recipient:
        """What is known of a number."""
        return self.recipients.setdefault(to, Recipient())

    def messages(self) -> Iterator[tuple[str, int, Message]]:
        """All messages with their verification and number."""
        for verification_id, verification in self.verifications.items():
            for number, message in enumerate(verification.messages, 1):
                yield verification_id, number, message

    def _confirm(self, verification: Verification, number: int) -> tuple[str, int]:
        verification.state, verification.confirmed_by = "confirmed", number
        verification.messages[number - 1].feedback = "due"
        return "ok", number

    def _act_late(self, message: Message) -> None:
        if message.feedback == "none":
            message.feedback = "due"

    def _awaiting(self, to: str) -> Iterator[tuple[str, int, Message]]:
        recent = {verification_id for _, verification_id in self.recipient(to).sends[:10]}
        return (
            (verification_id, number, message)
            for verification_id, number, message in self.messages()
            if verification_id in recent
            if self.verifications[verification_id].action == "reply"
            if self.verifications[verification_id].state == "pending"
        )

    def _answered(self, to: str, now: int) -> tuple[str, int] | None:
        heard_at = self.recipient(to).heard_at
        open_to_replies = [
            (message.is_live(now), message.arrived, message.sid is not None, message.sent_at, verification_id, number)
            for verification_id, number, message in self._awaiting(to)
            if not message.rejected
            if message.is_live(now) or message.may_be_answered_late(heard_at, now)
        ]
        return max(open_to_replies)[4:] if open_to_replies else None
