"""What the generated requests cannot know of a running stack: numbers that exist, secrets that were sent, signatures.

Schemathesis loads it (`SCHEMATHESIS_HOOKS`). Only requests that are meant to be valid are changed, and some of those
are left as they are; every choice follows from the request itself, so that the seed decides it.
"""

import base64
import hashlib
import hmac
import json
import os
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import schemathesis  # type: ignore[import-not-found]  # it has an environment of its own

API = os.environ["FUZZ_API_URL"]
TWILIO = os.environ["FUZZ_TWILIO_URL"]
ACCOUNT = os.environ["FUZZ_ACCOUNT_SID"]
TOKEN = os.environ["FUZZ_AUTH_TOKEN"]
SENDER = os.environ["FUZZ_SENDER"]
OWN_SECRET = "7QX2M9"

started: deque[tuple[str, str]] = deque(maxlen=20)
"""Verifications that were started last, and their recipients."""


def draw(case: Any) -> int:
    """A number that follows from the request."""
    text = json.dumps([case.path_parameters, case.query, case.body], default=repr, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4])


def texts_sent(to: str) -> list[dict[str, str]]:
    """The messages that Twilio has for a number, newest first."""
    credentials = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    url = f"{TWILIO}/2010-04-01/Accounts/{ACCOUNT}/Messages.json?" + urlencode({"To": to, "PageSize": 3})
    with urlopen(Request(url, headers={"Authorization": f"Basic {credentials}"}), timeout=10) as response:
        messages: list[dict[str, str]] = json.load(response)["messages"]
    return messages


def start(case: Any, chance: int) -> None:
    """Give a number that can be reached, by few enough recipients that some reach their limits."""
    case.body |= {"to": f"+49151{10_000_000 + chance % 150}"}
    for name in ("sender", "template"):
        case.body.pop(name, None)
    if case.body.get("secret"):
        case.body["secret"] = OWN_SECRET
    if chance % 3:  # the document's example is one key for all
        case.headers.pop("Idempotency-Key", None)


def check(case: Any, chance: int) -> None:
    """Guess right: the caller's own secret, or what stands in a text that the recipient got."""
    recipient = dict(started).get(case.path_parameters.get("verification_id"))
    guesses = [OWN_SECRET]
    if recipient is not None:
        for message in texts_sent(recipient):
            guesses += re.findall(r"\b(?:\d{6}|[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{5})\b", message["body"])
        case.body.pop("expect", None)
    case.body["secret"] = guesses[chance % len(guesses)]


def link(case: Any, chance: int) -> None:
    """Follow a link that was sent."""
    for _, recipient in rotated(started, chance):
        for message in texts_sent(recipient):
            if found := re.search(r"[?&]id=([A-Za-z0-9_-]{44})", message["body"]):
                case.body["id"] = found[1]
                return


def status(case: Any, chance: int) -> None:
    """Tell of a message that was sent."""
    for verification_id, recipient in rotated(started, chance)[:1]:
        if messages := texts_sent(recipient):
            case.query |= {"verification": verification_id}
            case.body |= {"MessageSid": messages[-1]["sid"]}
    statuses = ("queued", "sent", "delivered", "undelivered", "failed", "read")
    if chance % 5:
        case.body["MessageStatus"] = statuses[chance % len(statuses)]


def inbound(case: Any, chance: int) -> None:
    """Answer from a recipient's number."""
    for _, recipient in rotated(started, chance)[:1]:
        case.body |= {"From": recipient, "To": SENDER}
    case.body.pop("OriginalRepliedMessageSid", None)


def sign(case: Any) -> None:
    """Sign as Twilio does (https://www.twilio.com/docs/usage/security)."""
    case.body["AccountSid"] = ACCOUNT
    query = urlencode(case.query or {}, quote_via=quote)
    signed = API + case.path + (f"?{query}" if query else "") + "".join(k + case.body[k] for k in sorted(case.body))
    digest = hmac.new(TOKEN.encode(), signed.encode("utf-8", "surrogatepass"), hashlib.sha1).digest()
    case.headers["X-Twilio-Signature"] = base64.b64encode(digest).decode()


def rotated(items: Sequence[tuple[str, str]], chance: int) -> list[tuple[str, str]]:
    """The same items, begun elsewhere."""
    at = chance % len(items) if items else 0
    return [*items][at:] + [*items][:at]


CHANGES: dict[str, Callable[[Any, int], None]] = {
    "POST /verifications": start,
    "POST /verifications/{verification_id}/check": check,
    "POST /confirm": link,
    "POST /twilio/status": status,
    "POST /twilio/message": inbound,
    "POST /twilio/call": inbound,
}


def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Make a request that is meant to be valid fit the running stack, three times in four."""
    if case.meta is None or case.meta.generation.mode.value != "positive":
        return
    chance = draw(case)
    if chance % 4 == 0:
        return
    if case.path_parameters.get("verification_id", "") not in {"", *dict(started)}:
        for verification_id, _ in rotated(started, chance // 4)[:1]:
            case.path_parameters["verification_id"] = verification_id
    change = CHANGES.get(case.operation.label)
    if change is None or not isinstance(case.body, dict):
        return
    change(case, chance // 4)
    if case.path.startswith("/twilio/") and all(isinstance(value, str) for value in case.body.values()):
        sign(case)


def after_call(_context: Any, case: Any, response: Any) -> None:
    """Remember what was started."""
    if case.operation.label == "POST /verifications" and response.status_code == 202:
        started.append((response.json()["verification_id"], case.body["to"]))


schemathesis.hook(before_call)
schemathesis.hook(after_call)
