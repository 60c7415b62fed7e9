"""A stack and the model of it: whatever is asked of the one is asked of the other.

Each step asks both and compares the answers. Twilio fails in each of its ways, and any call to DynamoDB may be
throttled, lost, or applied without an answer; then the answer may be `unavailable`, and the records decide.
"""

import base64
import hmac
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, override
from urllib.parse import urlencode

from botocore.exceptions import ClientError, ReadTimeoutError

from otp_feedback.adapters.aws.items import read_recipient, recipient_key
from otp_feedback.adapters.request_log import RequestJournal, make_logger
from otp_feedback.adapters.web.errors import InvalidSignature
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.webhooks import STATUS, verified_webhook
from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.ids import encode_id
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.links import link_id
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Proof
from otp_feedback.usecases.delivery_status import StatusCallback
from otp_feedback.usecases.send import Sent
from tests.promises import state_machine_model as model
from tests.promises.state_machine_model import LIFETIME_MS, Model
from tests.promises.world import (
    IN_THE_OTHER_FORM,
    IN_TWO_FORMS,
    SENDER,
    TO,
    TO_MISSPELT,
    Answer,
    Boundary,
    Call,
    Process,
    World,
    check_promises,
    check_settled,
    handset,
    with_message_interval,
)

NUMBERS = (TO, IN_TWO_FORMS)
SPELLINGS = (*NUMBERS, IN_THE_OTHER_FORM, TO_MISSPELT)
CALLERS_SECRET = "Callers1"
ROOT = "a root of at least thirty-two characters"
ACCOUNT = f"AC{'1' * 32}"
TOKEN = "a token"
BASE_URL = "https://example.com"
LOGGER = make_logger("track_delivery")
FOREIGN_SID = f"SM{'f' * 32}"

CREATE_FAULTS = ("refused", "not_sent", "timeout_before", "timeout_after")
FEEDBACK_FAULTS = ("refused", "throttled", "timeout_before", "timeout_after")
Loss = tuple[int, str] | None
"""Which of an operation's calls to DynamoDB goes wrong, counted from 0, and how; None for none."""

LOSSES = ("throttled", "timeout", "lost", "repeated", "down")


class Lossy(Boundary):
    """Has one call to DynamoDB go wrong, counted from 0, or all from there on.

    `throttled` and `timeout` are not applied, `lost` is applied without an answer, `repeated` is applied twice, as
    botocore does after a lost answer; `down` is a `timeout` of this call and all that follow.
    """

    def __init__(self, world: World, at: int, how: str) -> None:
        self._world, self._at, self._how = world, at, how
        self._calls = 0
        self.struck = False

    @override
    def call(self, call: Call, perform: Callable[[], Any]) -> Any:
        if not call.name.endswith(("_item", "query")):
            return perform()
        self._calls += 1
        if self._calls - 1 != self._at and not (self.struck and self._how == "down"):
            return perform()
        self.struck = True
        self._world.ledger.disturbances += 1
        if self._how == "throttled":
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, call.name)
        if self._how in ("timeout", "down"):
            raise ReadTimeoutError(endpoint_url="dynamodb")
        if self._how == "lost":
            perform()
            raise ReadTimeoutError(endpoint_url="dynamodb")
        perform()
        return perform()


class Account:
    """Ours, as webhooks are checked against it."""

    def account_sid(self) -> str:
        return ACCOUNT

    def auth_tokens(self) -> tuple[str, ...]:
        return (TOKEN,)


@dataclass
class Sending:
    """A request that may send a message: `of` a verification or a new one, and what is expected of it."""

    to: str
    action: str
    of: str | None
    expected: str
    fault: str | None
    limited: bool = True


class ComparedStack:
    """One stack and its model; what was answered is counted in `outcomes`."""

    def __init__(self) -> None:
        self.world = World()
        self.model = Model()
        self.rotations = 0
        self.inbound = self.registered = 0
        self.next_fault: str | None = None
        self.apart_ms = self.ahead_ms = 0
        self.outcomes: Counter[str] = Counter()

    def arrange(self, interval_s: int, apart_ms: int) -> None:
        """Before anything happens: the pause between messages, and how far processes' clocks are apart."""
        self.world.policy = with_message_interval(self.world.policy, interval_s)
        self.model.interval_ms = interval_s * 1000
        self.apart_ms = self.world.slack_ms = apart_ms

    @property
    def now(self) -> int:
        """The time, as the process sees it whose turn it is."""
        return self.world.now + self.ahead_ms

    # Sending.

    def start(self, to: str, action: str, key: str | None, fault: str | None, loss: Loss) -> None:
        """A start; with an Idempotency-Key, or none."""
        action, _, sent = action.partition(", ")
        sid = self.register(to) if sent else None
        secret = CALLERS_SECRET if action == "caller" and not sent else None
        keyed, body = None, f"{to} {action} {sid}"
        if key is not None:
            digest = self.world.keys.index("idempotency", "caller", key)
            keyed = encode_id(digest[:16]), body
        expected = "malformed-request"
        if to != TO_MISSPELT:
            expected = self.model.may_start(handset(to), keyed, self.now, limited=not sent)
        sending = Sending(to, action, None, expected, fault if sid is None else None, limited=sid is None)
        answer = self.send(
            lambda process: process.start(to, Action(action), key, secret=secret, sid=sid), sending, loss
        )
        if sid is not None:
            self.note_owner(sid)
        if keyed is not None:
            self.model.bodies.setdefault(keyed[0], body)
            if keyed[0] not in self.model.verifications:
                del self.model.bodies[keyed[0]]
            assert answer.outcome != "ok" or answer.value.verification_id == keyed[0]

    def another(self, pick: int, fault: str | None, loss: Loss, *, by_sid: bool = False) -> None:
        """Another message; where the caller sees the action itself, one perhaps that it has sent itself."""
        verification_id, verification = self.pick(pick)
        is_callers = verification.action == "caller"
        sid = self.register(verification.to) if by_sid and is_callers else None
        secret = CALLERS_SECRET if is_callers and sid is None else None
        expected = self.model.may_have_another(verification_id, self.now, limited=sid is None)
        fault = fault if sid is None else None
        sending = Sending(verification.to, verification.action, verification_id, expected, fault, limited=sid is None)
        self.send(lambda process: process.another(verification_id, secret=secret, sid=sid), sending, loss)
        if sid is not None:
            self.note_owner(sid)

    # Confirming.

    def check(self, pick: int, which: int, loss: Loss) -> None:
        """A guess: a message's secret, the first one's of several (old), an expired one's (late), or a wrong one."""
        verification_id, verification = self.pick(pick)
        guess = self.guess(verification, which)
        self.try_secret(lambda process: process.check(verification_id, guess), verification_id, guess, "check", loss)

    def tap(self, pick: int, which: int, loss: Loss) -> None:
        """A tap on a link: a message's, or one made up; after a preview has looked at it."""
        verification_id, verification = self.pick(pick)
        guess = self.guess(verification, which)
        if len(guess) != 32:
            guess = "0" * 32
        link = link_id(verification_id, max(1, which), Secret(guess))
        self.world.run(lambda process: process.look_at_link(link))
        self.try_secret(lambda process: process.link(link), verification_id, guess, "link", loss)

    def take_word(self, pick: int, number: int | None, loss: Loss) -> None:
        """The caller's word."""
        verification_id, _ = self.pick(pick)
        expected, by = self.model.take_word(verification_id, number, self.now)
        answer, struck = self.run(lambda process: process.caller(verification_id, number), loss)
        if by is not None and not struck:
            self.report_inline(verification_id, by)
        self.compare(answer, expected, struck)

    def reply(self, to: str, loss: Loss, *, again: bool = False) -> None:
        """An inbound message, or the last one's webhook once more."""
        self.inbound += not (again and self.inbound)
        sid = f"SM{self.inbound:032d}"
        answered, target = self.model.reply(sid, handset(to), self.now)
        answer, struck = self.run(lambda process: process.reply(sid, to), loss)
        if target is not None and not struck:
            self.report_inline(*target)
        self.compare(answer, "ok", struck)
        assert struck or answer.value is answered

    def cancel(self, pick: int, loss: Loss) -> None:
        """A cancellation."""
        verification_id, _ = self.pick(pick)
        expected = self.model.cancel(verification_id)
        answer, struck = self.run(lambda process: process.cancel(verification_id), loss)
        self.compare(answer, expected, struck)

    # Twilio.

    def deliver(self, pick: int, status: str, how: str, loss: Loss) -> None:
        """A status callback, in any order: our own, once or twice; with a SID that is another's; or not signed."""
        sent = list(self.world.twilio.messages.values())
        message = sent[-1 - pick % len(sent)]
        if message.verification_id not in self.model.verifications:
            return
        known = self.model.verifications[message.verification_id].messages[message.number - 1].sid is not None
        sid = FOREIGN_SID if how == "foreign" and known else message.sid
        form = {"MessageSid": sid, "MessageStatus": status, "From": SENDER, "AccountSid": ACCOUNT}
        if how == "other account":
            form["AccountSid"] = f"AC{'2' * 32}"
        query = urlencode({"message": message.number, "verification": message.verification_id})
        try:
            request = signed(query, form, "no token" if how == "forged" else TOKEN)
            fields = verified_webhook(request, BASE_URL, Account(), STATUS).certain
        except InvalidSignature:
            assert how in ("forged", "other account")
            return
        callback = StatusCallback(
            message.verification_id, message.number, fields["MessageSid"], fields["MessageStatus"], sender=SENDER
        )
        for _ in range(2 if how == "twice" else 1):
            self.model.deliver(message.verification_id, message.number, sid, status)
            answer, struck = self.run(lambda process: process.deliver(callback), loss)
            self.compare(answer, "ok", struck)

    def fail(self, operation: str, fault: str, times: int = 1) -> None:
        """Twilio's next answers to an operation go wrong."""
        self.world.twilio.fail(operation, fault, times)

    # The schedule and the keys.

    def retry(self, loss: Loss) -> None:
        """The outbox is worked through."""
        leases = (item for key, item in self.world.table.items.items() if key.startswith("L#"))
        held = any(int(lease["until"]["N"]) > self.now for lease in leases)
        disturbed = held or any(self.world.twilio.faults.values())
        due = [
            each.verification_id
            for each in self.world.verifications()
            if each.feedback_due_at is not None and each.feedback_due_at <= self.now
        ]
        answer, struck = self.run(lambda process: process.retry(), loss)
        for verification_id in due:
            self.model.retry(verification_id, self.now)
        self.compare(answer, "ok", struck)
        if disturbed:
            self.reconcile()

    def rotate(self) -> None:
        """A new MAC key makes the MACs; the older ones are still taken."""
        self.rotations += 1
        keys = {str(n): base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in range(1, self.rotations + 1)}
        self.world.keys = Keys.derive(ROOT, keys, str(self.rotations))

    # What always holds.

    def compare_records(self) -> None:
        """All promises, and of each record state, attempts, messages, SIDs and reports; each recipient's failures.

        Then it is another process's turn.
        """
        check_promises(self.world)
        records = {each.verification_id: each for each in self.world.verifications()}
        assert records.keys() == self.model.verifications.keys()
        for verification_id, record in records.items():
            expected = self.model.verifications[verification_id]
            assert (record.state, record.attempts) == (expected.state, expected.attempts)
            assert (record.confirmation and record.confirmation.message) == expected.confirmed_by
            assert [(each.expires_at, each.sid, each.feedback.value) for each in record.messages.values()] == [
                (each.sent_at + LIFETIME_MS, each.sid, each.feedback) for each in expected.messages
            ]
        for to in NUMBERS:
            assert self.world.failures(to) == self.model.recipient(to).failures
        self.ahead_ms = self.apart_ms - self.ahead_ms

    def end(self) -> None:
        """When nothing goes wrong any more, all that is owed to Twilio is reported."""
        self.world.recover()
        check_settled(self.world)

    # How steps are taken.

    @property
    def open(self) -> list[int]:
        """Which to pick for a verification that may still be confirmed."""
        newest_first = reversed(self.model.verifications.values())
        return [n for n, each in enumerate(newest_first) if each.status(self.now) == "pending"]

    def pick(self, pick: int) -> tuple[str, model.Verification]:
        """One of the newest verifications."""
        known = list(self.model.verifications.items())
        return known[-1 - pick % len(known)]

    def send(self, operation: Callable[[Process], Sent], sending: "Sending", loss: Loss) -> Answer:
        """Run what may send a message, while Twilio fails in a way or not."""
        before = set(self.model.verifications)
        if sending.fault is not None:
            self.world.twilio.fail("create_message", sending.fault)
        answer, struck = self.run(operation, loss)
        self.world.twilio.faults.pop("create_message", None)
        expected = sending.expected
        if expected == "new":
            expected = {"refused": "recipient-opted-out", "not_sent": "unavailable"}.get(sending.fault or "", "ok")
            if not struck:
                new = {each.verification_id for each in self.world.verifications()} - before
                self.note_sent(sending, next(iter(new), sending.of))
        self.compare(answer, expected, struck)
        return answer

    def register(self, to: str) -> str:
        """A message that the caller sent itself; its SID."""
        self.registered += 1
        return self.world.twilio.register(to, f"sent by the caller, {self.registered}")

    def note_owner(self, sid: str) -> None:
        """Tell the promises whose message it is that the caller sent itself."""
        messages = self.world.twilio.messages
        for record in self.world.verifications():
            for number, message in record.messages.items():
                if message.sid == sid:
                    owned = replace(messages[sid], verification_id=record.verification_id, number=number)
                    self.world.twilio.messages = {**messages, sid: owned}

    def note_sent(self, sending: "Sending", verification_id: str | None) -> None:
        """What becomes of the model when Twilio was asked for a message."""
        sends = self.model.recipient(handset(sending.to)).sends
        if sending.limited:
            sends[:] = [(self.now, verification_id or ""), *sends][:10]
        if sending.fault == "not_sent":
            del sends[:1]
            return
        assert verification_id is not None
        number = 1
        if verification_id in self.model.verifications:
            number = len(self.model.verifications[verification_id].messages) + 1
        message = model.Message(self.now, self.secret_in(verification_id, number))
        message.at_twilio = self.sid_at_twilio(verification_id, number)
        message.rejected = sending.fault == "refused"
        if sending.fault is None:
            message.sid, message.rank = message.at_twilio, 1
        if number == 1:
            self.model.verifications[verification_id] = model.Verification(
                handset(sending.to), sending.action, [message]
            )
        else:
            self.model.verifications[verification_id].messages.append(message)

    def guess(self, verification: model.Verification, which: int) -> str:
        """The secret of a message that reached Twilio, counted from 1; a wrong one for 0 and what is not there."""
        if 0 < which <= len(verification.messages):
            message = verification.messages[which - 1]
            if message.secret is not None and (message.at_twilio or verification.action == "caller"):
                return message.secret
        return "wrong"

    def run(self, operation: Callable[[Process], Any], loss: Loss) -> tuple[Answer, str | None]:
        """Run an operation, with a loss perhaps; its answer, and how a call of it was lost."""
        self.next_fault = next(iter(self.world.twilio.faults.get("post_feedback", ())), None)
        if loss is None:
            return self.world.run(operation, ahead_ms=self.ahead_ms), None
        boundary = Lossy(self.world, *loss)
        answer = self.world.run(operation, boundary=boundary, ahead_ms=self.ahead_ms)
        return answer, loss[1] if boundary.struck else None

    def compare(self, answer: Answer, expected: str, struck: str | None) -> None:
        """The answer is the expected one; where a call was lost it may be `unavailable`, and the record decides."""
        self.outcomes[answer.outcome] += 1
        assert answer.outcome == expected or (answer.outcome == "unavailable" and struck not in (None, "repeated"))
        if struck is not None:
            self.reconcile()

    def reconcile(self) -> None:
        """Take from the records what a lost call left open; only what was expected may have come of it."""
        for record in self.world.verifications():
            known = self.model.verifications.get(record.verification_id)
            assert known is None or record.state in ("pending", known.state)
            assert known is None or record.attempts <= known.attempts
            messages = []
            for number, each in record.messages.items():
                message = model.Message(each.sent_at, self.secret_in(record.verification_id, number))
                message.sid, message.feedback = each.sid, each.feedback.value
                message.at_twilio = self.sid_at_twilio(record.verification_id, number)
                message.rank = each.delivery // 10
                message.arrived, message.rejected = each.delivery.arrived, each.delivery == Delivery.REJECTED
                messages.append(message)
            self.model.verifications[record.verification_id] = model.Verification(
                handset(record.to),
                record.action,
                messages,
                record.state,
                record.attempts,
                record.confirmation.message if record.confirmation else None,
            )
        self.model.replies = {
            key.removeprefix("I#"): (item["v"]["S"], int(item["n"]["N"])) if int(item["n"]["N"]) else None
            for key, item in self.world.table.items.items()
            if key.startswith("I#")
        }
        for to in NUMBERS:
            self.model.recipient(to).failures = self.world.failures(to)
            stored = self.world.table.items.get(recipient_key(self.world.keys.recipient(to)))
            if stored is not None:
                recipient = read_recipient(stored)
                holders = (holder.partition("#")[0] for holder in recipient.holders)
                self.model.recipient(to).sends = list(zip(recipient.sends, holders, strict=True))
                self.model.recipient(to).heard_at = max(recipient.last_inbound_at or 0, self.answered_at(to))

    def answered_at(self, to: str) -> int:
        """When a reply from a number last confirmed; 0 for never."""
        confirmations = [each.confirmation for each in self.world.verifications() if handset(each.to) == to]
        return max((each.at for each in confirmations if each and each.proof is Proof.SENDER), default=0)

    def secret_in(self, verification_id: str, number: int) -> str | None:
        """What the user reads in a message."""
        mac = self.world.verification(verification_id).messages[number].mac
        return self.world.secret_of[mac.digest] if mac is not None else None

    def sid_at_twilio(self, verification_id: str, number: int) -> str | None:
        """A message's SID at Twilio, whether the record knows it or not."""
        for message in self.world.twilio.messages.values():
            if (message.verification_id, message.number) == (verification_id, number):
                return message.sid
        return self.world.verification(verification_id).messages[number].sid

    def try_secret(
        self,
        operation: Callable[[Process], Any],
        verification_id: str,
        guess: str,
        way: str,
        loss: Loss,
    ) -> None:
        """A guess, whichever way in."""
        expected, by = self.model.check(verification_id, guess, way, self.now)
        answer, struck = self.run(operation, loss)
        if by is not None and not struck:
            self.report_inline(verification_id, by)
        self.compare(answer, expected, struck)

    def report_inline(self, verification_id: str, number: int) -> None:
        """What becomes of the report that a confirmation makes at once."""
        message = self.model.verifications[verification_id].messages[number - 1]
        self.outcomes["confirmed"] += 1
        if message.sid is None:
            return
        fault = self.next_fault
        if fault is None:
            message.feedback = "reported"
        elif fault == "refused":
            message.feedback = "rejected"


def signed(query: str, form: Mapping[str, str], token: str) -> HttpRequest:
    """A status callback as API Gateway passes it on, signed with a token."""
    text = f"{BASE_URL}/twilio/status?{query}" + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()
    event = {
        "rawPath": "/twilio/status",
        "rawQueryString": query,
        "headers": {"x-twilio-signature": signature},
        "body": urlencode(form),
    }
    return HttpRequest(event, {}, RequestJournal(LOGGER, "track_delivery"))
