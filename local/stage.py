"""What stands on the laptop stack before an event of events/: its verifications, and its messages at Twilio."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import boto3
import httpx

from local.aws import ACCOUNT_SID, AUTH_TOKEN, REGION
from local.aws import ROOT as ROOT_SECRET
from local.functions import ROOT
from local.stack import LAPTOP
from otp_feedback.adapters.aws.budgets import DynamoDBBudgets
from otp_feedback.adapters.aws.clients import CLIENT_CONFIG
from otp_feedback.adapters.aws.items import inbound_key, recipient_key, typed, verification_key
from otp_feedback.adapters.aws.table import Table
from otp_feedback.adapters.aws.verifications import DynamoDBVerifications
from otp_feedback.adapters.clock import now_ms
from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.ids import ID_BYTES, encode_id
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.links import link_id
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.recipient import send_holder
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Feedback, Message, Proof, Verification
from otp_feedback.usecases.ports import Confirming

EVENTS = ROOT / "events"
BASE_URL = "http://127.0.0.1:8080"
"""The public address that the events' webhooks are signed for: `OTP_PUBLIC_BASE_URL` must say so."""

# What the events hold as well.
RECIPIENT, SENDER, WHATSAPP_SENDER = "+12025550101", LAPTOP["Sender"], f"whatsapp:{LAPTOP['Sender']}"
CODE, OTHER_CODE, PASSWORD, OWN_SECRET, LINK_SECRET = "314159", "161803", "bcdf-ghjk-mnpqr", "7QX2M9", "0f" * 16
CALLER, DIRECTLY = "AROAEXAMPLEROLEID0001", ""
KEY, OTHER_KEY, DIRECT_KEY = "order-4711", "order-4712", "execution-17"
INBOUND_SIDS = "SM" + "b" * 32, "CA" + "b" * 32
SECRETS = {Action.CODE: CODE, Action.LINK: LINK_SECRET, Action.PASSWORD: PASSWORD, Action.CALLER: OWN_SECRET}

KEYS = Keys.derive(ROOT_SECRET)
POLICY = Policy(app_name=LAPTOP["AppName"], sender=SENDER)
REQUEST = "stage"
MAX_VERIFICATIONS = 4


def verification_id(number: int) -> str:
    """The id of a stage's first, second, … verification."""
    return f"events-verification-{number}A"


def keyed_id(key: str, caller: str = CALLER) -> str:
    """The id of the verification that a caller starts with an Idempotency-Key."""
    return encode_id(KEYS.index("idempotency", caller, key)[:ID_BYTES])


def sid(number: int) -> str:
    """The SID of a verification's first, second, … message that the emulator does not hold."""
    return f"SM{number:032x}"


@dataclass(frozen=True)
class SentMessage:
    """A message that was sent.

    Parameters
    ----------
    secret
        What its text holds; None for its action's own.
    age_s
        Seconds since it was sent; from 600 on it has expired.
    sid
        `held`: the emulator holds the message, and we know its SID; `lost`: it does, and we do not; `foreign`: we know
        one that it does not hold; `unknown`: neither.
    """

    secret: str | None = None
    age_s: int = 60
    sid: Literal["held", "lost", "foreign", "unknown"] = "held"
    delivery: Delivery = Delivery.DELIVERED


@dataclass(frozen=True)
class Standing:
    """A verification that stands there.

    Parameters
    ----------
    attempts
        How many are taken.
    confirmed
        Whether its first message confirmed it.
    due_in_s
        Seconds until that is to be reported; None where it is.
    keyed
        Whether `CALLER` has started it with `KEY`, and another body.
    """

    action: Action = Action.CODE
    messages: tuple[SentMessage, ...] = (SentMessage(),)
    attempts: int = 0
    confirmed: bool = False
    canceled: bool = False
    due_in_s: int | None = None
    sender: str = SENDER
    reference: str | None = None
    keyed: bool = False


PENDING, EXPIRED = Standing(), Standing(messages=(SentMessage(age_s=700),))
LOCKED, CANCELED = Standing(attempts=POLICY.limits.max_attempts), Standing(canceled=True)
CONFIRMED = Standing(confirmed=True, attempts=1)
LINK, CALLERS = Standing(Action.LINK), Standing(Action.CALLER)
REPLY = Standing(Action.REPLY)
LATE_LINK, LATE_REPLY = (replace(standing, messages=(SentMessage(age_s=700),)) for standing in (LINK, REPLY))
TWO_LIVE = (SentMessage(CODE, 100), SentMessage(OTHER_CODE, 50))
ACCEPTED = Standing(messages=(SentMessage(sid="foreign", delivery=Delivery.ACCEPTED),))
UNANSWERED = Standing(messages=(SentMessage(sid="unknown", delivery=Delivery.CREATING),))


def _due(secret: str, **message: Any) -> Standing:
    return replace(CONFIRMED, messages=(SentMessage(secret, **message),), due_in_s=-5)


STAGES: Mapping[str, tuple[Standing, ...]] = {
    "start-key-conflict": (Standing(keyed=True),),
    "start-too-soon": (Standing(messages=(SentMessage(age_s=2),)),),
    "another-accepted": (PENDING,),
    "another-after-three-refused": (
        Standing(messages=(SentMessage("111111", 300), SentMessage("222222", 200), SentMessage("333333", 100))),
    ),
    "another-after-confirmation-refused": (CONFIRMED,),
    "check-right-confirmed": (Standing(reference="order-4711"),),
    "check-second-of-two-confirmed": (Standing(messages=TWO_LIVE),),
    "check-before-sid-confirmed": (Standing(messages=(SentMessage(sid="unknown", delivery=Delivery.UNKNOWN),)),),
    "check-of-another-unknown": (Standing(reference="order-4711"),),
    "check-wrong": (PENDING,),
    "check-wrong-with-last-attempt-locks": (Standing(attempts=POLICY.limits.max_attempts - 1),),
    "check-locked": (LOCKED,),
    "check-late-expired": (EXPIRED,),
    "check-again-already-confirmed": (CONFIRMED,),
    "check-link-wrong-action": (LINK,),
    "confirm-confirmed": (CALLERS,),
    "confirm-which-of-two-malformed": (replace(CALLERS, messages=TWO_LIVE),),
    "cancel-canceled": (PENDING,),
    "get-pending": (PENDING,),
    "page-asks": (LINK,),
    "page-head-changes-nothing": (LINK,),
    "page-confirms-where-chosen": (LINK,),
    "tap-confirmed": (LINK,),
    "tap-goes-on-to-success-url": (LINK,),
    "tap-late-fails": (LATE_LINK,),
    "message-confirmed": (REPLY,),
    "message-by-whatsapp-confirms-what-it-answers": (
        Standing(
            Action.REPLY, (SentMessage(sid="foreign"), SentMessage(age_s=5, sid="foreign")), sender=WHATSAPP_SENDER
        ),
    ),
    "message-stop-confirms-nothing": (REPLY,),
    "message-no-goes-on-to-bot": (REPLY,),
    "message-late-reported": (LATE_REPLY,),
    "message-forged-refused": (REPLY,),
    "call-confirmed": (REPLY,),
    "call-forged-refused": (REPLY,),
    "status-delivered": (ACCEPTED,),
    "status-undelivered": (ACCEPTED,),
    "status-brings-sid": (UNANSWERED,),
    "status-forged-refused": (ACCEPTED,),
    "schedule-reports-what-is-due": (
        _due("111111"),
        _due("222222", sid="foreign"),
        _due("333333", age_s=0, sid="lost", delivery=Delivery.UNKNOWN),
        _due("444444", sid="unknown", delivery=Delivery.UNKNOWN),
    ),
    "schedule-leaves-a-running-request-alone": (replace(CONFIRMED, due_in_s=3600),),
}
"""What stands there before an event, by its file's stem; before any other event nothing does."""

SUCCESS_URL, BOT_URL = "https://example.com/welcome", "https://example.com/bot"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "page-confirms-where-chosen": {"OTP_LINK_CONFIRMATION": "open", "OTP_SUCCESS_URL": SUCCESS_URL},
    "tap-goes-on-to-success-url": {"OTP_SUCCESS_URL": SUCCESS_URL},
    "message-no-goes-on-to-bot": {"OTP_FALLBACK_MESSAGE_URL": BOT_URL},
}
"""What a stack must have chosen for an event, by its file's stem."""


@dataclass(frozen=True)
class Laptop:
    """Where a stage is: the AWS services' address, the table, the Twilio emulator's address."""

    aws_url: str
    table: str
    twilio_url: str

    def dynamodb(self) -> Any:
        """A client of the laptop's DynamoDB, whatever else the environment says."""
        return boto3.client(
            "dynamodb",
            endpoint_url=self.aws_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the laptop's
            region_name=REGION,
            config=CLIENT_CONFIG,
        )


class Stage:
    """Sets the stage on a laptop stack, by the package's own code."""

    def __init__(self, laptop: Laptop) -> None:
        self._client = laptop.dynamodb()
        self._table = laptop.table
        table = Table(self._client, laptop.table)
        self.verifications = DynamoDBVerifications(table)
        self.budgets = DynamoDBBudgets(table)
        self._twilio = httpx.Client(base_url=laptop.twilio_url, auth=(ACCOUNT_SID, AUTH_TOKEN), trust_env=False)
        self._now = 0

    def close(self) -> None:
        """Close the connections."""
        self._twilio.close()
        self._client.close()

    def clear(self, recipients: Iterable[str] = ()) -> None:
        """Delete what an earlier event has left, also of these recipients."""
        ids = [keyed_id(KEY), keyed_id(OTHER_KEY), keyed_id(DIRECT_KEY, DIRECTLY)]
        ids += [verification_id(number) for number in range(1, MAX_VERIFICATIONS + 1)]
        keys = [*map(verification_key, ids), *map(inbound_key, INBOUND_SIDS)]
        keys += [recipient_key(KEYS.recipient(number)) for number in {RECIPIENT, *recipients}]
        for key in keys:
            self._client.delete_item(TableName=self._table, Key=typed({"pk": key}))

    def put(self, standing: Iterable[Standing]) -> None:
        """Put verifications there."""
        self._now = now_ms()
        for number, each in enumerate(standing, 1):
            self._put(keyed_id(KEY) if each.keyed else verification_id(number), each)

    def _put(self, identity: str, standing: Standing) -> None:
        sent = enumerate(standing.messages, 1)
        messages = {number: self._message(identity, number, standing.action, each) for number, each in sent}
        verification = Verification(
            verification_id=identity,
            action=standing.action,
            to=RECIPIENT,
            created_at=messages[1].sent_at,
            max_attempts=POLICY.limits.max_attempts,
            messages=messages,
            sender=standing.sender,
            attempts=standing.attempts,
            reference=standing.reference,
            fingerprint=bytes(16) if standing.keyed else None,
        )
        self.verifications.create(verification, POLICY.record_ttl(self._now), REQUEST)
        for number, message in messages.items():
            holder = send_holder(identity, number, awaits_reply=standing.action.traits.awaits_reply)
            self.budgets.reserve_send(KEYS.recipient(RECIPIENT), holder, message.sent_at, POLICY.limits, REQUEST)
        if standing.canceled:
            self.verifications.cancel(identity, REQUEST)
        if standing.confirmed:
            self._confirm(verification, standing.due_in_s)

    def _message(self, identity: str, number: int, action: Action, sent: SentMessage) -> Message:
        text = sent.secret or SECRETS.get(action)
        secret = Secret(text) if text else None
        known = sid(number) if sent.sid == "foreign" else None
        if sent.sid in {"held", "lost"}:
            held = self._hold(_body(identity, number, action, secret))
            known = held if sent.sid == "held" else None
        sent_at = self._now - sent.age_s * 1000
        return Message(
            number=number,
            expires_at=sent_at + POLICY.lifetime_s * 1000,
            sent_at=sent_at,
            mac=KEYS.mac(identity, number, secret) if secret else None,
            sid=known,
            delivery=sent.delivery,
        )

    def _hold(self, body: str) -> str:
        """Have the emulator hold a message; without a callback address, so that nothing else comes of it."""
        form = {"To": RECIPIENT, "From": SENDER, "Body": body, "ProvideFeedback": "true"}
        answer = self._twilio.post(f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", data=form)
        return str(answer.raise_for_status().json()["sid"])

    def _confirm(self, verification: Verification, due_in_s: int | None) -> None:
        confirming = Confirming(1, verification.messages[1].mac, frozenset({verification.action}), Proof.SECRET)
        due_at = self._now + (due_in_s or 0) * 1000
        confirmed = self.verifications.confirm(verification.verification_id, confirming, self._now, due_at, REQUEST)
        if due_in_s is None and isinstance(confirmed, Verification):
            self.verifications.settle_feedback(confirmed, 1, Feedback.REPORTED, POLICY.record_ttl(self._now))


def _body(identity: str, number: int, action: Action, secret: Secret | None) -> str:
    if secret is None:
        return "Reply YES."
    if action is Action.LINK:
        return f"{BASE_URL}/confirm?id={link_id(identity, number, secret)}"
    return f"Your Acme code is {secret.reveal()}."
