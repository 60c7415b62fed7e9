"""The real use cases on any client of DynamoDB, with a Twilio that takes everything and a clock moved by hand."""

import itertools
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from otp_feedback.domain.actions import Action
from otp_feedback.domain.errors import Problem
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Verification
from otp_feedback.usecases.confirm import check
from otp_feedback.usecases.outbox import Run, retry_due_reports
from otp_feedback.usecases.ports import Created, FeedbackAccepted, FeedbackOutcome, OutgoingMessage
from otp_feedback.usecases.send import Origin, Sent
from otp_feedback.usecases.start import StartRequest, start
from tests.service import DynamoDBStore, service_on

TABLE = "Verifications"
POLICY = Policy(app_name="Acme", sender="+14155550100")
ORIGIN = Origin(caller="-", idempotency_key=None, base_url="https://otp.example")

RUN_MS = 60_000

_numbers = itertools.count(10_000)


class Twilio:
    """Takes everything, and remembers it."""

    def __init__(self) -> None:
        self.created: list[OutgoingMessage] = []
        self.reported: list[str] = []

    def create_message(self, message: OutgoingMessage, deadline_s: float) -> Created:
        self.created.append(message)
        return Created(f"SM{secrets.token_hex(16)}")

    def post_feedback(self, sid: str, deadline_s: float) -> FeedbackOutcome:
        self.reported.append(sid)
        return FeedbackAccepted()

    def list_messages(self, *_: Any) -> list[Any]:
        return []

    def redact_message(self, *_: Any) -> None:
        raise NotImplementedError


class Silent:
    """A journal that nobody reads."""

    def note(self, **facts: str | int | None) -> None: ...
    def count(self, metric: str) -> None: ...
    def gauge(self, metric: str, value: int) -> None: ...
    def line(self, event: str, **facts: str | int | None) -> None: ...


class FixedVault:
    """The keys of a stack."""

    def __init__(self) -> None:
        self._keys = Keys.derive(secrets.token_hex(32))

    def keys(self) -> Keys:
        return self._keys

    refreshed_keys = keys


@dataclass
class Arena:
    """The real use cases on a real engine, a Twilio that takes everything, and a clock that is moved by hand."""

    client: Any
    now: int = 1_800_000_000_000
    twilio: Twilio = field(default_factory=Twilio)
    vault: FixedVault = field(default_factory=FixedVault)
    runs: int = 0

    def __post_init__(self) -> None:
        self.store = DynamoDBStore(self.client, TABLE)
        self.service = service_on(self.store, self.twilio, self.vault, self.clock, POLICY)

    def clock(self) -> int:
        return self.now

    def start(self, to: str) -> Sent | Problem:
        """Start a verification by code."""
        return outcome(lambda: start(self.service, StartRequest(to, Action.CODE), ORIGIN, Silent()))

    def check(self, verification_id: str, guess: Secret) -> Verification | Problem:
        """Guess."""
        return outcome(lambda: check(self.service, verification_id, guess, Silent()))

    def number(self) -> str:
        """A number that no other test of this process has."""
        return f"+14155{next(_numbers):06d}"

    def started(self) -> tuple[str, str, Secret]:
        """A new verification: its id, its number and its code."""
        to = self.number()
        sent = self.start(to)
        assert isinstance(sent, Sent)
        body = self.twilio.created[-1].body
        assert body is not None
        code = re.search(r"\b[0-9]{6}\b", body)
        assert code is not None
        return sent.verification_id, to, Secret(code[0])

    def failures(self, to: str) -> int:
        """The recipient's consecutive failures."""
        recipient = self.store.read_recipient(self.vault.keys().recipient(to))
        assert recipient is not None
        return recipient.failures

    def retry(self, out_of_time: Callable[[], bool] = lambda: False) -> None:
        """Run the outbox."""
        self.runs += 1
        run = Run(f"run {self.runs}", out_of_time, self.now + RUN_MS, one_by_one)
        retry_due_reports(self.service, run, Silent())


def one_by_one(calls: Iterable[Callable[[], None]]) -> None:
    """Make calls in turn."""
    for call in calls:
        call()


def outcome[T](act: Callable[[], T]) -> T | Problem:
    """What came back, whether returned or raised."""
    try:
        return act()
    except Problem as problem:
        return problem
