"""What each event must come to; and further outcomes, which an event comes to once it or its stage is changed."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode

from local.stage import (
    BASE_URL,
    BOT_URL,
    CALLERS,
    CANCELED,
    CODE,
    CONFIRMED,
    EVENTS,
    EXPIRED,
    LINK,
    LOCKED,
    OTHER_CODE,
    PENDING,
    REPLY,
    STAGES,
    SUCCESS_URL,
    TWO_LIVE,
    SentMessage,
    Standing,
)
from local.webhooks import signature
from otp_feedback.domain.actions import Action
from otp_feedback.domain.texts import page_texts

type Event = dict[str, Any]
type Change = Callable[[Event], Event]


@dataclass(frozen=True)
class Outcome:
    """What an event must come to.

    Parameters
    ----------
    status, headers
        Those of an HTTP answer; the headers in lower case.
    has, lacks
        Headers by name.
    json
        Members of its body, or of a direct answer.
    text
        What its body must contain.
    after
        What `GET` shows then of the stage's verifications, or of the answer's own where the stage has none.
    changes
        Whether anything is written.
    messages
        How many Twilio is asked for.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    json: Mapping[str, Any] | None = None
    text: tuple[str, ...] = ()
    after: tuple[Mapping[str, Any], ...] = ()
    changes: bool = True
    messages: int = 0

    @property
    def problem(self) -> str | None:
        """The name of the problem that it is."""
        return str(self.json["type"]).rpartition(":")[2] if self.json and "type" in self.json else None


def answered(
    status: int, /, *after: Mapping[str, Any], messages: int = 0, changes: bool = True, **json: Any
) -> Outcome:
    """A JSON object as an HTTP answer."""
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return Outcome(status, headers, json=json, after=after, messages=messages, changes=changes)


def accepted(number: int = 1, *, messages: int = 1, **message: Any) -> Outcome:
    """A message that was taken, in answer to a request for one."""
    told = {"number": number, "status": "accepted", **message}
    shown = {"status": "pending", "attempts_left": 5, "messages": [{"feedback": "none"}] * number}
    return replace(answered(202, shown, status="pending", message=told), messages=messages)


def confirmed(*feedback: str, **json: Any) -> Outcome:
    """A confirmation in answer to a caller, and what is reported then."""
    return answered(200, shown("confirmed", *feedback), **{"status": "confirmed", "message": 1, **json})


def refused(status: int, name: str, /, *after: Mapping[str, Any], messages: int = 0, **members: Any) -> Outcome:
    """A problem, with which nothing is written unless `after` tells what."""
    json = {"type": f"urn:otp-feedback:{name}", "status": status, **members}
    headers = {"content-type": "application/problem+json"}
    return Outcome(status, headers, json=json, after=after, messages=messages, changes=bool(after or messages))


def html(status: int, /, *after: Mapping[str, Any], text: str = "", changes: bool = True, **headers: str) -> Outcome:
    """A page."""
    wanted = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store", "referrer-policy": "no-referrer"}
    has = ("content-security-policy",)
    return Outcome(status, {**wanted, **headers}, has, text=(text,), after=after, changes=changes)


def twiml(verb: str, *after: Mapping[str, Any]) -> Outcome:
    """An answer to a message or call."""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Response>{verb}</Response>'
    return Outcome(200, {"content-type": "text/xml; charset=utf-8"}, text=(body,), after=after)


def shown(status: str, /, *feedback: str, **members: Any) -> dict[str, Any]:
    """What `GET` shows of a verification, with what was reported of each message."""
    return {"status": status, "messages": [{"feedback": each} for each in feedback], **members}


def delivered(status: str, /, **members: Any) -> Outcome:
    """A status callback that was taken in."""
    return Outcome(204, after=({"messages": [{"status": status, "feedback": "none", **members}]},))


_TEXTS = page_texts("en", "Acme")
SUCCESS, FAILURE = (escape(text.partition(".")[0]) for text in (_TEXTS.success, _TEXTS.failure))
OWN_SID = "SM" + "7" * 32
REJECT = '<Reject reason="busy"/>'
NOTHING = shown("pending", "none")
FORGED = replace(refused(403, "invalid-signature", NOTHING), changes=False)

OUTCOMES: Mapping[str, Outcome] = {
    "start-code-accepted": accepted(),
    "start-link-accepted": accepted(),
    "start-reply-by-token-accepted": accepted(),
    "start-own-secret-accepted": accepted(),
    "start-own-message-registered": accepted(messages=0, sid=OWN_SID),
    "start-key-conflict": refused(409, "idempotency-conflict"),
    "start-too-soon": replace(refused(429, "too-many-messages"), has=("retry-after",)),
    "start-malformed": refused(400, "malformed-request", field="to"),
    "start-invalid-recipient": refused(422, "invalid-recipient", messages=1),
    "start-country-not-allowed": refused(422, "country-not-allowed", messages=1),
    "start-opted-out": refused(422, "recipient-opted-out", messages=1),
    "start-rejected": refused(502, "message-rejected", messages=1, code=21266),
    "direct-accepted": replace(accepted(), status=None),
    "direct-malformed": replace(refused(400, "malformed-request", field="action"), status=None),
    "another-accepted": accepted(2),
    "another-after-three-refused": replace(refused(429, "too-many-messages"), lacks=("retry-after",)),
    "another-after-confirmation-refused": refused(409, "already-confirmed"),
    "check-right-confirmed": confirmed("reported", proof="secret", reference="order-4711"),
    "check-second-of-two-confirmed": confirmed("none", "reported", message=2),
    "check-before-sid-confirmed": confirmed("due"),
    "check-of-another-unknown": replace(
        refused(404, "unknown-verification", shown("pending", "none", attempts_left=5)), changes=False
    ),
    "check-wrong": refused(422, "wrong-secret", shown("pending", "none", attempts_left=4), attempts_left=4),
    "check-wrong-with-last-attempt-locks": refused(422, "wrong-secret", shown("locked", "none"), attempts_left=0),
    "check-locked": replace(refused(423, "locked", shown("locked", "none")), changes=False),
    "check-late-expired": refused(410, "expired", shown("expired", "due")),
    "check-again-already-confirmed": refused(409, "already-confirmed"),
    "check-link-wrong-action": refused(409, "wrong-action"),
    "confirm-confirmed": confirmed("reported", proof="caller"),
    "confirm-which-of-two-malformed": refused(400, "malformed-request", field="message"),
    "cancel-canceled": answered(200, shown("canceled", "none"), status="canceled"),
    "get-pending": answered(200, changes=False, status="pending", attempts_left=5),
    "page-asks": html(200, NOTHING, text="<button", changes=False),
    "page-confirms-where-chosen": html(303, shown("confirmed", "reported"), location=SUCCESS_URL),
    "page-head-changes-nothing": html(200, NOTHING, changes=False),
    "tap-confirmed": html(200, shown("confirmed", "reported"), text=SUCCESS),
    "tap-goes-on-to-success-url": html(303, shown("confirmed", "reported"), location=SUCCESS_URL),
    "tap-late-fails": html(400, shown("expired", "due"), text=FAILURE),
    "message-confirmed": twiml("", shown("confirmed", "reported", proof="sender")),
    "message-by-whatsapp-confirms-what-it-answers": twiml("", shown("confirmed", "due", "none", proof="sender")),
    "message-stop-confirms-nothing": twiml("", NOTHING),
    "message-no-goes-on-to-bot": twiml(f'<Redirect method="POST">{BOT_URL}</Redirect>', NOTHING),
    "message-late-reported": twiml("", shown("expired", "due")),
    "message-forged-refused": FORGED,
    "call-confirmed": twiml(REJECT, shown("confirmed", "reported", proof="sender")),
    "call-forged-refused": FORGED,
    "status-delivered": delivered("delivered"),
    "status-undelivered": delivered("undelivered", error_code=30003),
    "status-brings-sid": delivered("sent"),
    "status-forged-refused": replace(delivered("accepted"), status=403, json=FORGED.json, changes=False),
    "schedule-reports-what-is-due": Outcome(
        json={}, after=tuple(shown("confirmed", each) for each in ("reported", "rejected", "reported", "due"))
    ),
    "schedule-leaves-a-running-request-alone": Outcome(json={}, after=(shown("confirmed", "due"),), changes=False),
}
"""By the stem of the event's file."""


@dataclass(frozen=True)
class Further:
    """An outcome that an event shows once it or its stage is changed.

    Parameters
    ----------
    event
        Its file's stem.
    standing
        In place of its own stage.
    earlier
        What is made of it for an invocation before, if there is to be one.
    change
        What is made of it for the invocation that is looked at.
    """

    event: str
    outcome: Outcome
    standing: tuple[Standing, ...] | None = None
    change: Change = lambda event: event
    earlier: Change | None = None

    @property
    def stage(self) -> tuple[Standing, ...]:
        """What stands there before."""
        return STAGES.get(self.event, ()) if self.standing is None else self.standing


def read_event(stem: str) -> Event:
    """An event of events/."""
    event: Event = json.loads((EVENTS / f"{stem}.json").read_text())
    return event


def with_json(**members: Any) -> Change:
    """The event with another JSON body."""
    return lambda event: {**event, "body": json.dumps(members)}


def with_key(change: Change = lambda event: event) -> Change:
    """The event with an Idempotency-Key."""
    return lambda event: {**change(event), "headers": {**event["headers"], "idempotency-key": "order-4713"}}


def signed(query: str | None = None, **fields: str) -> Change:
    """The webhook with other fields, empty ones left out, or another query, signed anew."""

    def change(event: Event) -> Event:
        asked = event["rawQueryString"] if query is None else query
        form = {**dict(parse_qsl(base64.b64decode(event["body"]).decode())), **fields}
        form = {name: value for name, value in form.items() if value}
        url = f"{BASE_URL}{event['rawPath']}" + (f"?{asked}" if asked else "")
        headers = {**event["headers"], "x-twilio-signature": signature(url, form)}
        body = base64.b64encode(urlencode(form).encode()).decode()
        return {**event, "rawQueryString": asked, "headers": headers, "body": body}

    return change


def without_authorizer(event: Event) -> Event:
    """The event as a gateway without an authoriser would pass it on."""
    context = {name: value for name, value in event["requestContext"].items() if name != "authorizer"}
    return {**event, "requestContext": context}


def too_large(event: Event) -> Event:
    """The event with a body beyond every limit."""
    return {**event, "body": "x" * 70_000, "isBase64Encoded": False}


UNKNOWN = refused(404, "unknown-verification")
TOO_LARGE = refused(413, "payload-too-large")
MALFORMED = refused(400, "malformed-request", field="body")
EXPIRED_CALLERS = replace(CALLERS, messages=EXPIRED.messages)

FURTHER: Mapping[str, Further] = {
    "start without an authoriser": Further("start-code-accepted", refused(403, "forbidden"), change=without_authorizer),
    "start with a large body": Further("start-code-accepted", TOO_LARGE, change=too_large),
    "start again": Further(
        "start-link-accepted", replace(accepted(messages=0), changes=False), earlier=lambda event: event
    ),
    "direct start too soon": Further(
        "direct-accepted",
        replace(refused(429, "too-many-messages"), status=None),
        (Standing(messages=(SentMessage(age_s=2),)),),
    ),
    "another of no known one": Further("another-accepted", UNKNOWN, ()),
    "another of a canceled one": Further("another-accepted", refused(409, "canceled"), (CANCELED,)),
    "another of a locked one": Further("another-accepted", refused(423, "locked"), (LOCKED,)),
    "another link": Further("another-accepted", accepted(2), (LINK,)),
    "another password": Further("another-accepted", accepted(2), (Standing(Action.PASSWORD),)),
    "another that asks for a reply": Further("another-accepted", accepted(2), (REPLY,)),
    "another with the caller's own secret": Further(
        "another-accepted", accepted(2), (CALLERS,), with_json(secret=OTHER_CODE)
    ),
    "another that the caller has sent itself": Further(
        "another-accepted", accepted(2, messages=0, sid=OWN_SID), (CALLERS,), with_json(sid=OWN_SID)
    ),
    "another for the caller's own secret without one": Further(
        "another-accepted", refused(400, "malformed-request", field="secret"), (CALLERS,)
    ),
    "another with a field that is not known": Further("another-accepted", MALFORMED, change=with_json(colour="red")),
    "another with the key of another body": Further(
        "another-accepted",
        refused(409, "idempotency-conflict"),
        (CALLERS,),
        with_key(with_json(secret=OTHER_CODE)),
        with_key(with_json(secret=CODE)),
    ),
    "check of a canceled one": Further("check-wrong", refused(409, "canceled"), (CANCELED,)),
    "check without a secret": Further(
        "check-wrong", refused(400, "malformed-request", field="secret"), change=with_json()
    ),
    "check with a large body": Further("check-wrong", TOO_LARGE, change=too_large),
    "confirm of no known one": Further("confirm-confirmed", UNKNOWN, ()),
    "confirm of a canceled one": Further(
        "confirm-confirmed", refused(409, "canceled"), (replace(CALLERS, canceled=True),)
    ),
    "confirm of a locked one": Further(
        "confirm-confirmed", refused(423, "locked"), (replace(CALLERS, attempts=LOCKED.attempts),)
    ),
    "confirm of an expired one": Further(
        "confirm-confirmed", refused(410, "expired", shown("expired", "due")), (EXPIRED_CALLERS,)
    ),
    "confirm of a code": Further("confirm-confirmed", refused(409, "wrong-action"), (PENDING,)),
    "confirm of another message than was confirmed": Further(
        "confirm-confirmed",
        refused(409, "already-confirmed"),
        (replace(CALLERS, messages=TWO_LIVE, confirmed=True),),
        with_json(message=2),
    ),
    "cancel of no known one": Further("cancel-canceled", UNKNOWN, ()),
    "cancel of a confirmed one": Further("cancel-canceled", refused(409, "already-confirmed"), (CONFIRMED,)),
    "cancel with a field that is not known": Further("cancel-canceled", MALFORMED, change=with_json(reason="none")),
    "get of no known one": Further("get-pending", UNKNOWN, ()),
    "get by a path that the route's key does not fit": Further(
        "get-pending", refused(404, "not-found"), change=lambda event: {**event, "rawPath": "/confirm"}
    ),
    "page without an id": Further(
        "page-asks",
        replace(html(400, changes=False), text=('lang="de"',)),
        (),
        lambda event: {**event, "rawQueryString": ""},
    ),
    "message without a SID": Further(
        "message-confirmed", refused(400, "malformed-request", field="MessageSid"), change=signed(MessageSid="")
    ),
    "message with a large form": Further("message-confirmed", TOO_LARGE, change=too_large),
    "call without a SID": Further(
        "call-confirmed", refused(400, "malformed-request", field="CallSid"), change=signed(CallSid="")
    ),
    "status of no verification": Further(
        "status-delivered", refused(400, "malformed-request", field="verification"), change=signed("message=1")
    ),
    "status with a large form": Further("status-delivered", TOO_LARGE, change=too_large),
}
