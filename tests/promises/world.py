"""The whole service in memory: the real use cases and store, on `executor.Executor` and an in-memory Twilio.

Every outward call of every process passes through its `Boundary`, so that crash points, lost answers and orders of
calls are enumerated by running, not by listing: a call that is added to a use case is found by itself.

What can be broken is noticed where it happens: each write to the table and each request to Twilio is compared with
the promises (`docs/promises.md`) at once. `check_promises` looks at what can be seen in a state of rest, and
`check_settled` at what must be true once Twilio's callbacks have come and the schedule has run.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from itertools import chain
from typing import Any, override
from urllib.parse import parse_qs, urldefrag, urlsplit

import phonenumbers

from otp_feedback.adapters.aws.items import Item, read_verification, recipient_key, verification_key
from otp_feedback.domain.actions import Action, canonical_forms
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import Expired, Problem, Unavailable, WrongSecret
from otp_feedback.domain.keys import Keys, Mac
from otp_feedback.domain.links import link_id, parse_link_id
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.recipient import DAY_MS, HOUR_MS, Windows
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Feedback, Message, State, Verification
from otp_feedback.usecases import another as another_usecase
from otp_feedback.usecases import confirm as confirm_usecase
from otp_feedback.usecases import delivery_status as deliver_usecase
from otp_feedback.usecases import outbox as outbox_usecase
from otp_feedback.usecases import reply as reply_usecase
from otp_feedback.usecases import start as start_usecase
from otp_feedback.usecases.delivery_status import StatusCallback
from otp_feedback.usecases.message import Given
from otp_feedback.usecases.outbox import Run
from otp_feedback.usecases.ports import (
    Created,
    CreateOutcome,
    CreateRefused,
    Expectation,
    FeedbackAccepted,
    FeedbackDeferred,
    FeedbackNotFound,
    FeedbackOutcome,
    FeedbackRefused,
    ListedMessage,
    NotSent,
    OutgoingMessage,
    SendUnknown,
)
from otp_feedback.usecases.reply import InboundReply
from otp_feedback.usecases.send import Origin, Sent
from otp_feedback.usecases.start import StartRequest
from tests.promises.executor import Executor
from tests.service import DynamoDBStore, service_on

TO = "+15005550100"
TO_MISSPELT = "+115005550100"
"""The same number with its national prefix, which `phonenumbers` drops."""

IN_TWO_FORMS = "+5491123456789"
IN_THE_OTHER_FORM = "+541123456789"
"""An Argentine mobile number, as it is called from abroad and as it is called at home; both are written so."""

SENDER = "+15005550001"
BEGIN = 1_760_000_000_000
TABLE = "Verifications"
KEYS = Keys.derive("a root of at least thirty-two characters")
POLICY = Policy(app_name="Example", sender=SENDER)
RUN_MS = 60_000
SEARCHED_FOR_MS = 7 * DAY_MS
"""How long a message's SID is looked for."""

SAME_TIME_MS = 20_000
"""Two messages no further apart than this cannot be told from each other by the time at which Twilio created them."""

WRITES = frozenset({"put_item", "update_item", "delete_item"})
FINAL = "delivered"


class PromiseBroken(AssertionError):
    """One of the promises does not hold; says which and how."""


class Killed(BaseException):
    """The process ends here: nothing that it does afterwards reaches anything."""


@dataclass(frozen=True, slots=True)
class Call:
    """An outward call: an operation of DynamoDB's client or of the `Twilio` port."""

    name: str
    request: Mapping[str, Any] = field(repr=False)

    @property
    def writes(self) -> bool:
        """Whether it changes the table."""
        return self.name in WRITES


class Boundary:
    """What lies between a process and the outside; this one changes nothing."""

    def call(self, call: Call, perform: Callable[[], Any]) -> Any:
        """Carry out an outward call."""
        del call
        return perform()

    def observe(self, look: Callable[[], Any]) -> Any:
        """Take in something that is no call, such as the time."""
        return look()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an operation: a value, or the problem that it was answered with; neither where it was killed."""

    value: Any = None
    problem: Problem | None = None
    killed: bool = False

    @property
    def outcome(self) -> str:
        """One word: `killed`, `ok`, or the problem's name."""
        if self.killed:
            return "killed"
        return self.problem.name if self.problem is not None else "ok"


@dataclass(slots=True)
class Ledger:
    """What has happened so far, as far as no record tells it.

    Parameters
    ----------
    comparisons
        Guesses compared, by verification.
    confirmed
        Verifications that became confirmed, ever, and the process that did it.
    answered
        Verifications that an inbound message confirmed, by its SID.
    acted
        Messages (verification, number) whose secret came back, or that somebody's word named.
    created
        Requests to create a message that reached Twilio, by Idempotency-Key, else by process.
    sent
        Epoch milliseconds of the messages that Twilio was asked for, by what limits them.
    posts
        Feedback that Twilio took, by SID.
    wrong, counted
        Wrong guesses answered as such, and failures written, by recipient.
    refused
        SIDs whose report Twilio refused for good.
    unlisted_at
        Epoch milliseconds at which Twilio last could not list its messages.
    disturbances
        Processes killed, answers lost and errors met so far: each excuses one repeated report.
    erased
        Verifications that were erased.
    broken
        Promises found broken.
    """

    comparisons: Counter[str] = field(default_factory=Counter)
    confirmed: dict[str, str] = field(default_factory=dict)
    answered: dict[str, str] = field(default_factory=dict)
    acted: set[tuple[str, int]] = field(default_factory=set)
    created: Counter[str] = field(default_factory=Counter)
    sent: dict[str, tuple[int, ...]] = field(default_factory=dict)
    posts: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    refused: frozenset[str] = frozenset()
    unlisted_at: int = 0
    disturbances: int = 0
    erased: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def copy(self) -> "Ledger":
        """A ledger that goes on by itself."""
        return Ledger(
            self.comparisons.copy(),
            self.confirmed.copy(),
            self.answered.copy(),
            self.acted.copy(),
            self.created.copy(),
            self.sent.copy(),
            self.posts.copy(),
            self.wrong.copy(),
            self.counted.copy(),
            self.refused,
            self.unlisted_at,
            self.disturbances,
            self.erased.copy(),
            self.broken.copy(),
        )


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message as Twilio keeps it; `verification_id` and `number` are read off its status callback."""

    sid: str
    to: str
    sender: str
    body: str = field(repr=False)
    created_at: int
    verification_id: str
    number: int


class FakeTwilio:
    """Programmable Messaging in memory: it accepts, refuses, fails and times out as it is told.

    Faults of `create_message`: `refused`, `not_sent`, `timeout_before`, `timeout_after`.
    Of `post_feedback`: `refused`, `not_found`, `throttled`, `timeout_before`, `timeout_after`.
    Of `list_messages` and `redact_message`: `failed`.

    Attributes
    ----------
    ahead_ms
        How far its clock is ahead of the stack's.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self.ahead_ms = 0
        self.messages: dict[str, SentMessage] = {}
        self.redacted: frozenset[str] = frozenset()
        self.faults: dict[str, tuple[str, ...]] = {}

    def fail(self, operation: str, fault: str, times: int = 1) -> None:
        """Let the next calls of an operation go wrong."""
        self.faults = {**self.faults, operation: self.faults.get(operation, ()) + (fault,) * times}

    def create_message(self, message: OutgoingMessage, deadline_s: float) -> CreateOutcome:
        """`otp_feedback.usecases.ports.Twilio`."""
        del deadline_s
        fault = self._fault("create_message")
        if fault == "not_sent":
            return NotSent()
        self._world.note_create(message)
        if fault == "refused":
            return CreateRefused(21610)
        if fault == "timeout_before":
            return SendUnknown()
        created = self._create(message)
        return SendUnknown() if fault == "timeout_after" else Created(created.sid)

    def post_feedback(self, sid: str, deadline_s: float) -> FeedbackOutcome:
        """`otp_feedback.usecases.ports.Twilio`."""
        del deadline_s
        fault = self._fault("post_feedback")
        if fault in {"timeout_before", "throttled"}:
            return FeedbackDeferred("timeout" if fault == "timeout_before" else "throttled")
        if fault in {"not_found", "refused"} or sid not in self.messages:
            self._world.ledger.refused |= {sid}
            return FeedbackRefused(20001) if fault == "refused" else FeedbackNotFound(20404)
        self._world.note_post(self.messages[sid])
        return FeedbackDeferred("timeout") if fault == "timeout_after" else FeedbackAccepted()

    def list_messages(self, to: str, since: date, deadline_s: float) -> Sequence[ListedMessage]:
        """`otp_feedback.usecases.ports.Twilio`; the newest first."""
        del deadline_s
        if self._fault("list_messages") is not None:
            self._world.ledger.unlisted_at = self._world.now
            raise Unavailable
        return [
            ListedMessage(each.sid, "" if each.sid in self.redacted else each.body, each.created_at)
            for each in reversed(self.messages.values())
            if each.to == to and datetime.fromtimestamp(each.created_at / 1000, UTC).date() >= since
        ]

    def redact_message(self, sid: str, deadline_s: float) -> None:
        """`otp_feedback.usecases.ports.Twilio`."""
        del deadline_s
        if self._fault("redact_message") is not None:
            raise Unavailable
        self.redacted |= {sid}

    def register(self, to: str, verification_id: str = "", number: int = 0, body: str = "") -> str:
        """A message that the caller created itself; returns its SID."""
        return self._create(OutgoingMessage(to, SENDER, body, "", 600, 1), verification_id, number).sid

    def _create(self, message: OutgoingMessage, verification_id: str = "", number: int = 0) -> SentMessage:
        if message.status_callback:
            verification_id, number = _callback_target(message.status_callback)
        same = sum((each.verification_id, each.number) == (verification_id, number) for each in self.messages.values())
        digest = hashlib.sha256(f"{verification_id}/{number}/{same}/{message.to}".encode()).hexdigest()
        created = SentMessage(
            f"SM{digest[:32]}",
            message.to,
            message.sender,
            message.body or "",
            self._world.now + self.ahead_ms,
            verification_id,
            number,
        )
        self.messages = {**self.messages, created.sid: created}
        return created

    def _fault(self, operation: str) -> str | None:
        queued = self.faults.get(operation, ())
        if not queued:
            return None
        self.faults = {**self.faults, operation: queued[1:]}
        self._world.ledger.disturbances += 1
        return queued[0]


def _callback_target(url: str) -> tuple[str, int]:
    query = parse_qs(urlsplit(urldefrag(url).url).query)
    return query["verification"][0], int(query["message"][0])


@dataclass(frozen=True, slots=True)
class Ways:
    """The use cases, each replaceable by a known-bad one."""

    start: Callable[..., Sent] = start_usecase.start
    another: Callable[..., Sent] = another_usecase.send_another
    check: Callable[..., Verification] = confirm_usecase.check
    link: Callable[..., Verification] = confirm_usecase.confirm_link
    caller: Callable[..., Verification] = confirm_usecase.confirm_by_caller
    cancel: Callable[..., Verification] = confirm_usecase.cancel
    reply: Callable[..., bool] = reply_usecase.confirm_by_reply
    deliver: Callable[..., None] = deliver_usecase.track_delivery
    retry: Callable[..., int] = outbox_usecase.retry_due_reports
    look_at_link: Callable[..., object] = lambda _service, _link, _journal: None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a world's future depends on."""

    items: dict[str, Item]
    shown: Mapping[int, Mapping[str, Item]]
    messages: dict[str, SentMessage]
    redacted: frozenset[str]
    faults: dict[str, tuple[str, ...]]
    now: int
    keys: Keys
    ledger: Ledger


class World:
    """One stack: a table, Twilio, a clock, the keys, and the ledger of what happened.

    Parameters
    ----------
    policy
        The stack's choices.
    store
        What is made of DynamoDB's client and a table's name; the real store, or a known-bad one.
    ways
        The use cases.
    slack_ms
        How much the clock may move within one process, or be apart between two; budgets and expiries are watched with
        it.
    look_ms
        How long a process takes to look at the clock.

    Attributes
    ----------
    cap
        Messages that the stack may send in an hour; None for no cap.
    cached_keys
        The keys as processes know them before they look again; None where they know the present ones.
    """

    def __init__(
        self,
        policy: Policy = POLICY,
        store: Callable[..., DynamoDBStore] = DynamoDBStore,
        ways: Ways | None = None,
        slack_ms: int = 0,
        look_ms: int = 0,
    ) -> None:
        self.policy = policy
        self.store = store
        self.ways = ways or Ways()
        self.slack_ms = slack_ms
        self.look_ms = look_ms
        self.now = BEGIN
        self.keys = KEYS
        self.cached_keys: Keys | None = None
        self.cap: int | None = None
        self.ledger = Ledger()
        self.table = Executor(TABLE, self._on_write)
        self.twilio = FakeTwilio(self)
        self.secret_of: dict[bytes, str] = {}
        self.current: Process | None = None
        self._processes = 0

    def run(
        self, operation: "Operation", name: str | None = None, boundary: Boundary | None = None, ahead_ms: int = 0
    ) -> Answer:
        """Run an operation in a process of its own to its end; `ahead_ms` is how far its clock is ahead."""
        self._processes += 1
        process = Process(self, name or f"process {self._processes}", boundary or Boundary(), ahead_ms=ahead_ms)
        return process.run(operation)

    def does(self, operation: "Operation", boundary: Boundary | None = None) -> Any:
        """Run an operation to its end; what it came to.

        Raises
        ------
        Problem
            What it was answered with.
        """
        answer = self.run(operation, boundary=boundary)
        if answer.problem is not None:
            raise answer.problem
        return answer.value

    def start(self, to: str = TO, action: Action = Action.CODE, **asked: Any) -> Sent:
        """`POST /verifications`; `asked` are further arguments of `Process.start`."""
        sent: Sent = self.does(lambda process: process.start(to, action, **asked))
        return sent

    def another(self, verification_id: str, **asked: Any) -> Sent:
        """`POST /verifications/{verification_id}/messages`."""
        sent: Sent = self.does(lambda process: process.another(verification_id, **asked))
        return sent

    def check(self, verification_id: str, guess: str, **expected: str) -> Verification:
        """`POST /verifications/{verification_id}/check`; `expected` are fields of an `Expectation`."""
        confirmed: Verification = self.does(lambda process: process.check(verification_id, guess, **expected))
        return confirmed

    def confirm(self, verification_id: str, number: int | None = None) -> Verification:
        """`POST /verifications/{verification_id}/confirm`."""
        confirmed: Verification = self.does(lambda process: process.caller(verification_id, number))
        return confirmed

    def cancel(self, verification_id: str) -> Verification:
        """`POST /verifications/{verification_id}/cancel`."""
        canceled: Verification = self.does(lambda process: process.cancel(verification_id))
        return canceled

    def tap(self, link: str) -> Verification:
        """`POST /confirm`."""
        confirmed: Verification = self.does(lambda process: process.link(link))
        return confirmed

    def reply(self, sender: str = TO, body: str | None = "yes", sid: str | None = None, **told: Any) -> bool:
        """`POST /twilio/message`, or `/twilio/call` where there is no body: whether it confirmed something.

        `told` are further arguments of `Process.reply`.
        """
        sid = sid or f"SMinbound{self._processes}"
        confirmed: bool = self.does(lambda process: process.reply(sid, sender, body, **told))
        return confirmed

    def deliver(self, verification_id: str, /, status: str = FINAL, of: int = 1, **told: Any) -> None:
        """`POST /twilio/status` for message `of` that the stack sent; `told` replaces fields of the callback."""
        (callback,) = [
            each for each in self.callbacks(status) if (each.verification_id, each.number) == (verification_id, of)
        ]
        self.does(lambda process: process.deliver(replace(callback, **told)))

    def report_due(self) -> None:
        """The schedule's minute, when the inline attempt's lease is over."""
        self.advance(31_000)
        self.does(lambda process: process.retry())

    def feedback(self, verification_id: str, number: int = 1) -> Feedback:
        """A message's feedback, as the record has it."""
        return self.verification(verification_id).messages[number].feedback

    def reports(self, verification_id: str, number: int = 1) -> int:
        """How often Twilio took a report for a message."""
        sids = [
            each.sid
            for each in self.twilio.messages.values()
            if (each.verification_id, each.number) == (verification_id, number)
        ]
        return sum(self.ledger.posts[sid] for sid in sids)

    def snapshot(self) -> Snapshot:
        """The world as it is, to come back to."""
        twilio = self.twilio
        return Snapshot(
            self.table.items,
            self.table.shown,
            twilio.messages,
            twilio.redacted,
            twilio.faults,
            self.now,
            self.keys,
            self.ledger.copy(),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Make everything as it was."""
        self.table.items = snapshot.items
        self.table.shown = snapshot.shown
        self.twilio.messages = snapshot.messages
        self.twilio.redacted = snapshot.redacted
        self.twilio.faults = snapshot.faults
        self.now = snapshot.now
        self.keys = snapshot.keys
        self.ledger = snapshot.ledger.copy()

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds

    def look_at_clock(self) -> int:
        """The time, for a process that needs some to look at it."""
        self.now += self.look_ms
        return self.now - self.look_ms

    def rotate(self) -> None:
        """Give the stack another MAC key; the ones before it are still known."""
        key_id = f"key {len(self.keys.mac_keys)}"
        mac_keys = {**self.keys.mac_keys, key_id: hashlib.sha256(key_id.encode()).digest()}
        self.keys = Keys(self.keys.index_key, mac_keys, key_id)

    def verification(self, verification_id: str) -> Verification:
        """The record, read past every boundary."""
        item = self.table.peek(verification_key(verification_id))
        assert item is not None
        return read_verification(item)

    def verifications(self) -> Iterator[Verification]:
        """All records."""
        return (read_verification(item) for key, item in self.table.items.items() if key.startswith("V#"))

    def secret(self, verification_id: str, number: int = 1) -> str:
        """What the user reads in a message."""
        mac = self.verification(verification_id).messages[number].mac
        assert mac is not None
        return self.secret_of[mac.digest]

    def link(self, verification_id: str, number: int = 1) -> str:
        """The id in a message's link."""
        return link_id(verification_id, number, Secret(self.secret(verification_id, number)))

    def failures(self, to: str = TO) -> int:
        """The recipient's consecutive failures, as they are stored."""
        item = self.table.peek(self._recipient(to)) or {}
        return int(item.get("f", {"N": "0"})["N"])

    def callbacks(self, status: str = FINAL) -> list[StatusCallback]:
        """What Twilio says of each message that the stack sent, once."""
        return [
            StatusCallback(each.verification_id, each.number, each.sid, status, sender=each.sender)
            for each in self.twilio.messages.values()
            if each.verification_id
        ]

    def recover(self, *, callbacks: bool = True) -> None:
        """Let no more go wrong: callbacks arrive, twice, and the schedule runs until nothing is due."""
        self.twilio.faults = {}
        if callbacks:
            for callback in self.callbacks() * 2:
                self.run(lambda process, each=callback: process.deliver(each))  # type: ignore[misc]
        for _ in range(100):
            self.advance(RUN_MS + 1)
            self.run(lambda process: process.retry())
            due = [each.feedback_due_at for each in self.verifications() if each.feedback_due_at is not None]
            if not due:
                return
            self.now = max(self.now, min(due))
        self.broke("5: the outbox does not empty")

    def broke(self, what: str) -> None:
        """Note a broken promise; `what` begins with its number."""
        self.ledger.broken.append(what)

    def note_comparison(self, verification_id: str, macs: Mapping[int, Mac], guess: str, found: frozenset[int]) -> None:
        """A guess is compared with a verification's messages."""
        ledger = self.ledger
        right = {number for number, mac in macs.items() if self.secret_of.get(mac.digest) == guess}
        if found != right:
            self.broke("10: a secret was not recognised, or another was")
        if self._needs_no_attempt(verification_id, macs):
            return
        ledger.comparisons[verification_id] += 1
        ledger.acted |= {(verification_id, number) for number in right}
        item = self.table.peek(verification_key(verification_id))
        if item is None:
            return
        if ledger.comparisons[verification_id] > int(item["mx"]["N"]):
            self.broke("2: more comparisons than attempts")
        if ledger.comparisons[verification_id] > int(item["at"]["N"]):
            self.broke("3: a comparison whose attempt was not stored before")

    def _needs_no_attempt(self, verification_id: str, macs: Mapping[int, Mac]) -> bool:
        """Whether a link is compared with the message that confirmed, and with no other."""
        item = self.table.peek(verification_key(verification_id))
        if item is None or item["ac"]["S"] != Action.LINK or item["st"]["S"] != State.CONFIRMED:
            return False
        verification = read_verification(item)
        assert verification.confirmation is not None
        number = verification.confirmation.message
        return macs == {number: verification.messages[number].mac}

    def note_create(self, message: OutgoingMessage) -> None:
        """A request to create a message reaches Twilio."""
        verification_id, number = _callback_target(message.status_callback)
        item = self.table.peek(verification_key(verification_id))
        known = item is not None and str(number) in item["ms"]["M"]
        if not known and verification_id not in self.ledger.erased:
            self.broke("5: a message is sent that no record knows")
        process = self._process
        self.ledger.created[process.once] += 1
        if self.ledger.created[process.once] > 1:
            self.broke("9: one request, two messages")
        self._note_sent(handset(message.to), self.policy.limits.recipient, "the recipient's")
        if item is not None and "lk" in item:
            self._note_sent(item["lk"]["B"].hex(), self.policy.limits.limit_key, "the limit key's")

    def note_post(self, message: SentMessage) -> None:
        """Twilio takes a report."""
        self.ledger.posts[message.sid] += 1
        if self.ledger.posts[message.sid] > 1 + self.ledger.disturbances:
            self.broke("5: a report was posted twice, though nothing went wrong")
        owner = self._owner_of(message)
        if owner is None:
            if message.verification_id not in self.ledger.erased:
                self.broke("4: a report for a message that no record knows")
            return
        verification, number = owner
        if message.verification_id and (message.verification_id, message.number) != (
            verification.verification_id,
            number,
        ):
            self.broke("6: a SID stands with another message than its own")
        confirmation = verification.confirmation
        if confirmation is not None and confirmation.message == number:
            return
        late = not verification.messages[number].is_live(self.now + self.slack_ms)
        if not late or (verification.verification_id, number) not in self.ledger.acted:
            self.broke("4: a report for a message that nobody acted on")

    def note_answer(self, answer: Answer, process: "Process") -> None:
        """A process has answered."""
        if process.missed is not None and isinstance(answer.problem, (WrongSecret, Expired)):
            self.ledger.wrong[process.missed] += 1
            if self.ledger.wrong[process.missed] > self.ledger.counted[process.missed]:
                self.broke("2: a wrong guess was answered that the recipient's failures do not count")
        if isinstance(answer.value, Verification) and answer.value.state is State.CONFIRMED:
            stored = self.table.peek(verification_key(answer.value.verification_id))
            if stored is not None and read_verification(stored).confirmation != answer.value.confirmation:
                self.broke("1: told as confirmed what the record does not hold")
        refused = answer.problem is not None and not isinstance(answer.problem, Unavailable)
        own = {each for each, name in self.ledger.confirmed.items() if name == process.name}
        if refused and own - self.ledger.erased:
            self.broke("1: confirmed, and not told so")

    def recipient_of(self, verification_id: str) -> str | None:
        """The key of a verification's recipient."""
        item = self.table.peek(verification_key(verification_id))
        return self._recipient(item["to"]["S"]) if item is not None else None

    @property
    def _process(self) -> "Process":
        assert self.current is not None
        return self.current

    def _recipient(self, to: str) -> str:
        return recipient_key(self.keys.recipient_as_spelt(handset(to)))

    def _owner_of(self, message: SentMessage) -> tuple[Verification, int] | None:
        """The record that holds a message's SID; its own is looked at first."""
        own = self.table.peek(verification_key(message.verification_id))
        first = [read_verification(own)] if own is not None else []
        for verification in chain(first, self.verifications()):
            for number, each in verification.messages.items():
                if each.sid == message.sid:
                    return verification, number
        return None

    def _note_sent(self, limited: str, windows: Windows, whose: str) -> None:
        times = (*self.ledger.sent.get(limited, ()), self.now)
        self.ledger.sent = {**self.ledger.sent, limited: times}
        for span, most in ((windows.interval_s * 1000, 1), (HOUR_MS, windows.hourly), (DAY_MS, windows.daily)):
            if sum(self.now - each < span - self.slack_ms for each in times) > most:
                self.broke(f"7: more messages than {whose} budget allows")

    def _on_write(self, key: str, old: Item | None, new: Item | None) -> None:
        if key.startswith("R#") and new is not None:
            before = int(old["f"]["N"]) if old is not None and "f" in old else 0
            more = int(new.get("f", {"N": "0"})["N"]) - before
            self.ledger.counted[key] += max(0, more)
            if more < 0:
                self._on_reset(self._process)
        elif key.startswith("I#") and old is not None and new != old:
            self.broke("6: an inbound message was put to another verification")
        elif key.startswith("V#"):
            self._on_record(key.removeprefix("V#"), old, new)

    def _on_reset(self, process: "Process") -> None:
        if process.inbound_sid is not None:
            self.broke("2: a reply, which can be forged, reset the number's failures")
        if process.name not in self.ledger.confirmed.values():
            self.broke("2: a number's failures were reset, and nothing was confirmed")

    def _on_record(self, verification_id: str, old: Item | None, new: Item | None) -> None:
        if new is None:
            sent = any(each.verification_id == verification_id for each in self.twilio.messages.values())
            if self.current is not None and self.current.erasing:
                self.ledger.erased.add(verification_id)
            elif sent:
                self.broke("5: the record of a message that was sent is gone")
            return
        if old is None:
            if verification_id in self.ledger.erased:
                self.broke("6: an erased record came back")
            return
        self.ledger.acted |= {(verification_id, number) for number in self._acted_on(old)}
        self._on_state(verification_id, old, new)
        self._on_attempt(old, new)
        for number, before in old["ms"]["M"].items():
            if number in new["ms"]["M"]:
                self._on_message(before["M"], new["ms"]["M"][number]["M"])
            elif "s" in before["M"]:
                self.broke("6: a message that has a SID was removed")

    def _acted_on(self, item: Item) -> Sequence[int]:
        """The messages of a record that the process at work may mean: it names none."""
        sender = self._process.inbound_sender
        if item["ac"]["S"] == Action.REPLY and sender is not None and handset(item["to"]["S"]) == handset(sender):
            return [int(number) for number in item["ms"]["M"]]
        sent = [int(n) for n, each in item["ms"]["M"].items() if int(each["M"]["d"]["N"]) != Delivery.REJECTED]
        return sent if self._process.names_the_only_one and len(sent) == 1 else ()

    def _on_state(self, verification_id: str, old: Item, new: Item) -> None:
        if old["st"] == new["st"]:
            if any(old.get(name) != new.get(name) for name in ("cb", "cm", "ct", "cp")):
                self.broke("1: a confirmation was written over")
            return
        if old["st"]["S"] != State.PENDING:
            self.broke("1: a verification left its final state")
        if new["st"]["S"] != State.CONFIRMED:
            return
        process, at = self._process, int(new["ct"]["N"])
        if verification_id in self.ledger.confirmed:
            self.broke("1: confirmed twice")
        self.ledger.confirmed[verification_id] = process.name
        if at >= int(new["ms"]["M"][new["cm"]["N"]]["M"]["x"]["N"]):
            self.broke("1: an expired message confirmed")
        if at < process.answered_at:
            self.broke("1: the expiry was checked with an old clock")
        self._on_proof(verification_id, int(new["cm"]["N"]), process)

    def _on_proof(self, verification_id: str, number: int, process: "Process") -> None:
        if self.ledger.answered.setdefault(process.inbound_sid or verification_id, verification_id) != verification_id:
            self.broke("6: one inbound message confirmed two verifications")
        if process.only_looks:
            self.broke("4: looking at a link confirmed it")
        if (verification_id, number) not in self.ledger.acted:
            self.broke("1: confirmed by a message that nobody acted on")

    def _on_attempt(self, old: Item, new: Item) -> None:
        before, after = int(old["at"]["N"]), int(new["at"]["N"])
        if after < before:
            self.broke("2: an attempt was given back")
        if after > before and old["st"]["S"] != State.PENDING:
            self.broke("1: an attempt was reserved at a verification that has ended")
        if after > int(new["mx"]["N"]):
            self.broke("2: an attempt was reserved beyond the last one")

    def _on_message(self, old: Item, new: Item) -> None:
        if "s" in old and new.get("s") != old["s"]:
            self.broke("6: a SID was set twice")
        if int(new["d"]["N"]) // 10 < int(old["d"]["N"]) // 10:
            self.broke("6: a delivery state moved back")
        if new.get("m") != old.get("m") or new["x"] != old["x"]:
            self.broke("1: a message's secret or expiry changed")
        steps = {
            Feedback.NONE: {Feedback.NONE, Feedback.DUE},
            Feedback.DUE: {Feedback.NONE, Feedback.DUE, Feedback.REPORTED, Feedback.REJECTED},
        }
        if Feedback(new["f"]["S"]) not in steps.get(Feedback(old["f"]["S"]), {Feedback(old["f"]["S"])}):
            self.broke("5: a message's feedback moved back")
        if old["f"] != new["f"] and new["f"]["S"] == Feedback.REJECTED:
            self._on_giving_up(new)

    def _on_giving_up(self, message: Item) -> None:
        """A report ends as rejected where Twilio said so, where nothing was sent, or where the SID never came."""
        if "s" in message:
            if message["s"]["S"] not in self.ledger.refused:
                self.broke("5: given up, though Twilio refused nothing")
        elif (
            int(message["d"]["N"]) != Delivery.REJECTED
            and self.now + self.slack_ms < int(message["c"]["N"]) + SEARCHED_FOR_MS
        ):
            self.broke("5: given up, though the SID could still come")


@cache
def handset(to: str) -> str:
    """The one text for whatever reaches the same telephone."""
    written = phonenumbers.format_number(phonenumbers.parse(to), phonenumbers.PhoneNumberFormat.E164)
    return IN_TWO_FORMS if written == IN_THE_OTHER_FORM else written


def check_promises(world: World) -> None:
    """Raise unless every promise holds that can be seen in the world as it stands, at any moment.

    Raises
    ------
    PromiseBroken
    """
    for key, item in world.table.items.items():
        if key.startswith("V#"):
            _check_record(world, item)
    if world.ledger.broken:
        raise PromiseBroken("; ".join(dict.fromkeys(world.ledger.broken)))


def _check_record(world: World, item: Item) -> None:
    verification = read_verification(item)
    due = [number for number, each in verification.messages.items() if each.feedback is Feedback.DUE]
    if due and "ttl" in item:
        world.broke("5: a record may vanish whose feedback is due")
    if due and ("feedback_shard" not in item or "feedback_due_at" not in item):
        world.broke("5: feedback is due that the outbox does not know")
    if not due and "ttl" not in item and "feedback_shard" not in item:
        world.broke("5: a record that never goes")
    if tuple(verification.messages) != tuple(range(1, len(verification.messages) + 1)):
        world.broke("2: the messages are not numbered one after another")
    if len(verification.messages) > world.policy.max_messages:
        world.broke("2: more messages than a verification may have")
    if (verification.state is State.CONFIRMED) != (verification.confirmation is not None):
        world.broke("1: state and confirmation disagree")


def check_settled(world: World) -> None:
    """Raise unless everything that was owed is done; after `World.recover`.

    Raises
    ------
    PromiseBroken
    """
    for verification in world.verifications():
        if verification.feedback_due_at is not None:
            world.broke("5: a report is still due")
        if verification.is_test:
            continue
        confirmation = verification.confirmation
        for message in verification.messages.values():
            _check_report(world, verification, message)
            is_settled = message.feedback in {Feedback.REPORTED, Feedback.REJECTED}
            if confirmation is not None and confirmation.message == message.number and not is_settled:
                world.broke("5: a confirmed action was not reported")
    check_promises(world)


def _check_report(world: World, verification: Verification, message: Message) -> None:
    known = [
        each.sid
        for each in world.twilio.messages.values()
        if each.sid == message.sid
        or (each.verification_id, each.number) == (verification.verification_id, message.number)
    ]
    if message.feedback is Feedback.REPORTED and not any(world.ledger.posts[sid] for sid in known):
        world.broke("5: said to be reported, though Twilio has no report")
    given_up = known and message.feedback is Feedback.REJECTED and world.ledger.refused.isdisjoint(known)
    if given_up and not _may_stay_unknown(world, verification, message, known):
        world.broke("5: given up, though Twilio knows the message")


def _may_stay_unknown(world: World, verification: Verification, message: Message, known: Sequence[str]) -> bool:
    """Whether nothing in Twilio's list tells a message for certain, or there was no list when its time was up."""
    if message.mac is None or not world.twilio.redacted.isdisjoint(known):
        return True
    if world.ledger.unlisted_at >= message.sent_at + SEARCHED_FOR_MS:
        return True
    of_its_time = [
        each
        for other in world.verifications()
        if other.to == verification.to
        for each in other.messages.values()
        if abs(each.sent_at - message.sent_at) <= SAME_TIME_MS
    ]
    return verification.action is Action.CALLER and len(of_its_time) > 1


class Process:
    """One invocation of the service: the use cases on a client and a Twilio whose every call passes its boundary.

    Parameters
    ----------
    name
        Tells it from others; its random bytes follow from it.
    ahead_ms
        How far its clock is ahead of the world's.
    """

    def __init__(self, world: World, name: str, boundary: Boundary, *, ahead_ms: int = 0) -> None:
        self.world = world
        self.name = name
        self.ahead_ms = ahead_ms
        self.once = name
        self.missed: str | None = None
        self.erasing = False
        self.only_looks = False
        self.names_the_only_one = False
        self.answered_at = 0
        self.inbound_sid: str | None = None
        self.inbound_sender: str | None = None
        self._boundary = boundary
        self._drawn = 0
        self._guess: str | None = None
        self._compared = False
        store = world.store(_Client(self), TABLE)
        twilio: Any = _Twilio(self)
        self.service = service_on(store, twilio, self, self.clock, world.policy, self.random_bytes, world.cap)

    def run(self, operation: "Operation") -> Answer:
        """Run an operation and note its answer."""
        try:
            answer = Answer(operation(self))
        except Problem as problem:
            answer = Answer(problem=problem)
        except Killed:
            self.world.ledger.disturbances += 1
            return Answer(killed=True)
        self.world.note_answer(answer, self)
        return answer

    def troubled(self, operation: str, fault: str) -> "Process":
        """Let the next call of this operation of Twilio's go wrong, for whoever makes it."""
        self._boundary.observe(lambda: self.world.twilio.fail(operation, fault))
        return self

    def start(
        self,
        to: str = TO,
        action: Action = Action.CODE,
        key: str | None = None,
        secret: str | None = None,
        caller: str = "caller",
        **asked: str | None,
    ) -> Sent:
        """`POST /verifications`; `asked` are further fields of a `StartRequest`."""
        self.once = f"start/{caller}/{key}" if key is not None else self.name
        given = Secret(secret) if secret is not None else None
        request = StartRequest(to, action, secret=given, **asked)
        return self.world.ways.start(self.service, request, self._origin(key, caller), _Silence())

    def another(
        self, verification_id: str, key: str | None = None, secret: str | None = None, sid: str | None = None
    ) -> Sent:
        """`POST /verifications/{verification_id}/messages`."""
        self.once = f"another/{verification_id}/{key}" if key is not None else self.name
        request = Given(Secret(secret) if secret is not None else None, sid)
        return self.world.ways.another(self.service, verification_id, request, self._origin(key), _Silence())

    def check(self, verification_id: str, guess: str, **expected: str) -> Verification:
        """`POST /verifications/{verification_id}/check`; `expected` are fields of an `Expectation`."""
        self._guess = guess
        expect = {"expect": Expectation(**expected)} if expected else {}
        return self.world.ways.check(self.service, verification_id, Secret(guess), _Silence(), **expect)

    def link(self, link: str) -> Verification:
        """`POST /confirm`."""
        parsed = parse_link_id(link)
        self._guess = parsed[1].reveal() if parsed is not None else ""
        return self.world.ways.link(self.service, link, _Silence())

    def look_at_link(self, link: str) -> None:
        """`GET /confirm`: what a preview does."""
        self.only_looks = True
        parsed = parse_link_id(link)
        self._guess = parsed[1].reveal() if parsed is not None else ""
        self.world.ways.look_at_link(self.service, link, _Silence())

    def caller(self, verification_id: str, number: int | None = None) -> Verification:
        """`POST /verifications/{verification_id}/confirm`."""
        self.names_the_only_one = number is None
        if number is not None:
            self._boundary.observe(lambda: self.world.ledger.acted.add((verification_id, number)))
        return self.world.ways.caller(self.service, verification_id, number, _Silence())

    def cancel(self, verification_id: str) -> Verification:
        """`POST /verifications/{verification_id}/cancel`."""
        return self.world.ways.cancel(self.service, verification_id, _Silence())

    def reply(
        self, sid: str = "SMinbound", sender: str = TO, body: str | None = "yes", receiver: str = SENDER, **told: Any
    ) -> bool:
        """`/twilio/message`, or `/twilio/call` where there is no body; `told`: further fields of an `InboundReply`."""
        self.inbound_sid, self.inbound_sender = sid, sender
        return self.world.ways.reply(self.service, InboundReply(sid, sender, receiver, body, **told), _Silence())

    def deliver(self, callback: StatusCallback) -> None:
        """`POST /twilio/status`."""
        self.world.ways.deliver(self.service.verifications, callback, _Silence())

    def retry(self) -> int:
        """The schedule's minute."""

        def in_turn(calls: Any) -> None:
            for call in calls:
                call()

        run = Run(self.name, lambda: False, self.clock() + RUN_MS, in_turn)
        return self.world.ways.retry(self.service, run, _Silence())

    def erase(self, verification_id: str) -> None:
        """What an operator's erasing comes to."""
        self.erasing = True
        _Client(self).delete_item(TableName=TABLE, Key={"pk": {"S": verification_key(verification_id)}})

    def keys(self) -> Keys:
        """`otp_feedback.usecases.ports.Vault`."""
        return _WatchedKeys.of(self, self._boundary.observe(lambda: self.world.cached_keys or self.world.keys))

    def refreshed_keys(self) -> Keys:
        """`otp_feedback.usecases.ports.Vault`."""
        return _WatchedKeys.of(self, self._boundary.observe(lambda: self.world.keys))

    def clock(self) -> int:
        """`otp_feedback.usecases.ports.Clock`."""
        return int(self._boundary.observe(self.world.look_at_clock)) + self.ahead_ms

    def random_bytes(self, count: int) -> bytes:
        """The same bytes each time the same process runs."""
        self._drawn += 1
        return hashlib.shake_128(f"{self.name}/{self._drawn}".encode()).digest(count)

    def outward(self, name: str, request: Mapping[str, Any], perform: Callable[[], Any]) -> Any:
        """Every outward call of this process.

        A request that carries the MAC of a guess which was not compared here lets the table compare it.
        """
        if self._guess is not None and not self._compared and self._carries_guess(request):
            self._compared = True
            verification_id = request["Key"]["pk"]["S"].removeprefix("V#")
            note = self.world.note_comparison
            self._boundary.observe(lambda: note(verification_id, {}, "", frozenset()))

        def performed() -> Any:
            self.world.current = self
            try:
                return perform()
            finally:
                self.world.current = None

        try:
            answer = self._boundary.call(Call(name, request), performed)
        except Exception:
            self._answered()
            raise
        self._answered()
        return answer

    def _carries_guess(self, request: Mapping[str, Any]) -> bool:
        values = request.get("ExpressionAttributeValues", {}).values()
        return any(self.world.secret_of.get(value.get("B", b"")) == self._guess for value in values)

    def compared(self, verification_id: str, macs: Mapping[int, Mac], guess: Secret, found: frozenset[int]) -> None:
        """Keys compared something; what is not the user's guess does not count."""
        if self._guess is None or guess.reveal() not in _forms_of(self._guess):
            return
        self._compared = True
        look = self.world.note_comparison
        self._boundary.observe(lambda: look(verification_id, macs, guess.reveal(), found))
        if not found:
            self.missed = self._boundary.observe(lambda: self.world.recipient_of(verification_id))

    def _answered(self) -> None:
        self.answered_at = int(self._boundary.observe(lambda: self.world.now)) + self.ahead_ms

    def _origin(self, key: str | None, caller: str = "caller") -> Origin:
        return Origin(caller, key, "https://example.com")


def _forms_of(guess: str) -> frozenset[str]:
    """A guess, as it came and in every form that it can be compared in."""
    forms = canonical_forms(Secret(guess), set(Action) - {Action.REPLY})
    return frozenset({guess, *(form.reveal() for form in forms.values())})


Operation = Callable[[Process], Any]


class _Client:
    """boto3's client, as far as the store uses it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def put_item(self, **request: Any) -> Any:
        return self._pass("put_item", request)

    def get_item(self, **request: Any) -> Any:
        return self._pass("get_item", request)

    def update_item(self, **request: Any) -> Any:
        return self._pass("update_item", request)

    def delete_item(self, **request: Any) -> Any:
        return self._pass("delete_item", request)

    def query(self, **request: Any) -> Any:
        return self._pass("query", request)

    def _pass(self, name: str, request: dict[str, Any]) -> Any:
        operation = getattr(self._process.world.table, name)
        return self._process.outward(name, request, lambda: operation(**request))


class _Twilio:
    """The Twilio port, whatever its operations are."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._process.world.twilio, name)

        def call(*arguments: Any) -> Any:
            return self._process.outward(name, {"arguments": arguments}, lambda: operation(*arguments))

        return call


class _WatchedKeys(Keys):
    """Keys that tell of each comparison, and of each secret that is made."""

    _process: Process

    @classmethod
    def of(cls, process: Process, keys: Keys) -> "_WatchedKeys":
        watched = cls(keys.index_key, keys.mac_keys, keys.mac_key_id)
        object.__setattr__(watched, "_process", process)
        return watched

    @override
    def mac(self, verification_id: str, number: int, secret: Secret) -> Mac:
        mac = super().mac(verification_id, number, secret)
        self._process.world.secret_of[mac.digest] = secret.reveal()
        return mac

    @override
    def matching(self, verification_id: str, macs: Mapping[int, Mac], guess: Secret) -> frozenset[int]:
        found = super().matching(verification_id, macs, guess)
        self._process.compared(verification_id, macs, guess, found)
        return found


class _Silence:
    """A journal, whatever it is told."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_arguments, **_facts: None


def with_message_interval(policy: Policy, seconds: int) -> Policy:
    """The policy with another pause between messages."""
    recipient = replace(policy.limits.recipient, interval_s=seconds)
    return replace(policy, limits=replace(policy.limits, recipient=recipient))
