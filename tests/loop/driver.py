"""Drives a running stack through its public doors, as callers, users, Twilio and phones do."""

import base64
import hmac
import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from local.aws import ACCOUNT_SID, AUTH_TOKEN
from local.stack import Stack
from otp_feedback.domain.links import link_id, parse_link_id
from otp_feedback.domain.secret import Secret

PROBLEM = "application/problem+json"
SENDER = "+14155550100"

_numbers = itertools.count(10_000_000)


def fresh_number() -> str:
    """A German mobile number that no other test of this process has."""
    return f"+49151{next(_numbers)}"


def problem_of(response: httpx.Response) -> str:
    """The name of the problem that a response holds; fails where it is no problem, or its members disagree."""
    assert response.headers["content-type"] == PROBLEM, response.text
    document = response.json()
    assert document["status"] == response.status_code
    assert document["title"]
    assert document["detail"]
    prefix, _, name = document["type"].rpartition(":")
    assert prefix == "urn:otp-feedback"
    return str(name)


@dataclass(frozen=True)
class Started:
    """A verification whose first message was taken."""

    verification_id: str
    to: str
    answer: Mapping[str, Any]

    @property
    def sid(self) -> str:
        """The first message's SID."""
        return str(self.answer["message"]["sid"])


class Loop:
    """One client of a running stack, and its eyes in the emulators."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._api = httpx.Client(base_url=stack.api_url, trust_env=False, timeout=30)
        self._twilio = httpx.Client(base_url=stack.twilio_url, trust_env=False, timeout=30)
        self._faulty = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._twilio.close()
        self._api.close()

    @contextmanager
    def test(self) -> Iterator[Self]:
        """The client for one test, which leaves no record, no message and no fault; the clock alone goes on."""
        try:
            yield self
        finally:
            self._twilio.delete("/_emulator")
            self.stack.aws.empty(self.stack.table_name)
            if self._faulty:
                self.advance(31)  # a circuit breaker that faults have opened lets the next report through
            self._faulty = False

    # Callers.

    def post(
        self, path: str, body: Any = None, *, key: str | None = None, caller: str | None = None, **rest: Any
    ) -> httpx.Response:
        """Any POST to the API; `key` is the Idempotency-Key, `caller` the IAM principal."""
        headers = {}
        if key is not None:
            headers["Idempotency-Key"] = key
        if caller is not None:
            headers["Authorization"] = (
                f"AWS4-HMAC-SHA256 Credential={caller}/20260101/us-east-1/execute-api/aws4_request"
            )
        if body is not None:
            rest["json"] = body
        return self._api.post(path, headers={**headers, **rest.pop("headers", {})}, **rest)

    def request(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """Any request to the API."""
        return self._api.request(method, path, **rest)

    def start(
        self, to: str, action: str = "code", *, key: str | None = None, caller: str | None = None, **fields: Any
    ) -> httpx.Response:
        """`POST /verifications`."""
        return self.post("/verifications", {"to": to, "action": action, **fields}, key=key, caller=caller)

    def started(self, action: str = "code", to: str | None = None, **fields: Any) -> Started:
        """Start a verification for a fresh number; fails where that does not succeed."""
        to = to or fresh_number()
        if action == "caller" and not fields.keys() & {"secret", "sid"}:
            fields["secret"] = "Callers1"
        response = self.start(to, action, **fields)
        assert response.status_code == 202, response.text
        answer = response.json()
        return Started(answer["verification_id"], to, answer)

    def another(self, verification_id: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """`POST …/messages`."""
        return self.post(f"/verifications/{verification_id}/messages", body, key=key)

    def check(self, verification_id: str, secret: str, **fields: Any) -> httpx.Response:
        """`POST …/check`."""
        return self.post(f"/verifications/{verification_id}/check", {"secret": secret, **fields})

    def confirm(self, verification_id: str, **fields: Any) -> httpx.Response:
        """`POST …/confirm`."""
        return self.post(f"/verifications/{verification_id}/confirm", fields)

    def cancel(self, verification_id: str) -> httpx.Response:
        """`POST …/cancel`."""
        return self.post(f"/verifications/{verification_id}/cancel")

    def view(self, verification_id: str) -> dict[str, Any]:
        """`GET /verifications/{verification_id}`."""
        response = self._api.get(f"/verifications/{verification_id}")
        assert response.status_code == 200, response.text
        view: dict[str, Any] = response.json()
        return view

    def tap(self, link_id: str) -> httpx.Response:
        """What the page's button sends."""
        return self._api.post("/confirm", data={"id": link_id})

    # What the phone and Twilio hold.

    def messages(self, to: str) -> list[dict[str, Any]]:
        """The messages sent to a number, oldest first."""
        return [message for message in self._twilio.get("/_emulator/messages").json() if message["to"] == to]

    def code(self, to: str) -> str:
        """The code in the newest message to a number."""
        found = re.search(r"\b[0-9]{6,10}\b", self.messages(to)[-1]["body"])
        assert found
        return found[0]

    def password(self, to: str) -> str:
        """The temporary password in the newest message to a number."""
        found = re.search(r"\b[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{5}\b", self.messages(to)[-1]["body"])
        assert found
        return found[0]

    def link_id(self, to: str) -> str:
        """The id of the link in the newest message to a number."""
        found = re.search(r"https?://\S+/confirm\?id=\S+", self.messages(to)[-1]["body"])
        assert found
        return parse_qs(urlsplit(found[0]).query)["id"][0]

    def secret(self, started: Started, action: str) -> str:
        """What the newest message carries, as `check` would take it."""
        match action:
            case "code":
                return self.code(started.to)
            case "password":
                return self.password(started.to)
            case "link":
                parsed = parse_link_id(self.link_id(started.to))
                assert parsed
                return parsed[1].reveal()
            case "caller":
                return "Callers1"
            case _:
                return "anything"

    def wrong_code(self, to: str) -> str:
        """A code that is not the one of any message to a number."""
        sent = {found for message in self.messages(to) for found in re.findall(r"\b[0-9]{6}\b", message["body"])}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in sent)

    def rest_calls(self) -> list[dict[str, Any]]:
        """Every call that Twilio's REST API got."""
        calls: list[dict[str, Any]] = self._twilio.get("/_emulator/requests").json()
        return calls

    def reports(self, sid: str) -> list[dict[str, Any]]:
        """The feedback that was posted for a SID."""
        return [call for call in self.rest_calls() if call["path"].endswith(f"/Messages/{sid}/Feedback.json")]

    def outcome(self, sid: str) -> str | None:
        """The feedback that Twilio holds for a SID."""
        found = [m["feedback"] for m in self._twilio.get("/_emulator/messages").json() if m["sid"] == sid]
        assert len(found) == 1
        outcome: str | None = found[0]
        return outcome

    def fault(self, operation: str, fault: str, **rest: Any) -> None:
        """Make Twilio misbehave, for the rest of the test at most."""
        self._faulty = True
        response = self._twilio.post("/_emulator/faults", json={"operation": operation, "fault": fault, **rest})
        assert response.status_code == 200, response.text

    def deliver(self, sid: str, status: str, **rest: Any) -> Any:
        """Give a message a status; returns how its callback was answered."""
        response = self._twilio.post("/_emulator/deliver", json={"sid": sid, "status": status, **rest})
        assert response.status_code == 200, response.text
        return response.json()["callback"]

    def inbound(self, kind: str, sender: str, to: str = SENDER, **rest: Any) -> dict[str, Any]:
        """Send a message or call from a phone; returns the webhook's answer (`response_status`, `twiml`, `sid`)."""
        response = self._twilio.post("/_emulator/inbound", json={"kind": kind, "from": sender, "to": to, **rest})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def signature(self, target: str, fields: Mapping[str, str], token: str = AUTH_TOKEN) -> str:
        """What Twilio sends as X-Twilio-Signature with a form (https://www.twilio.com/docs/usage/security)."""
        signed = f"{self.stack.api_url}{target}" + "".join(name + fields[name] for name in sorted(fields))
        return base64.b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode()

    def webhook(
        self, target: str, fields: Mapping[str, str], *, token: str = AUTH_TOKEN, signature: str | None = None
    ) -> httpx.Response:
        """A signed form POST, as Twilio makes it; `target` is its path and query."""
        fields = {"AccountSid": ACCOUNT_SID, **fields}
        headers = {"X-Twilio-Signature": signature or self.signature(target, fields, token)}
        return self._api.post(target, data=fields, headers=headers)

    # The clock, the schedule and the table.

    def advance(self, seconds: int) -> None:
        """Move the functions' clock on."""
        response = self._api.post("/_local/clock", json={"advance_s": seconds})
        assert response.status_code == 200, response.text

    def report_due(self) -> None:
        """Run the outbox when the inline attempt's lease is over."""
        self.advance(31)
        self.stack.run_schedules()

    def scan(self) -> dict[str, Any]:
        """The whole table, by key."""
        return {item["pk"]["S"]: item for item in self.stack.aws.items(self.stack.table_name)}

    def record(self, verification_id: str) -> dict[str, Any]:
        """A verification's item."""
        item: dict[str, Any] = self.scan()[f"V#{verification_id}"]
        return item

    @contextmanager
    def unchanged(self, *, besides: str | tuple[str, ...] = ()) -> Iterator[None]:
        """Nothing is written and nothing is sent within the block; `besides` begins the keys that may be."""

        def records() -> dict[str, Any]:
            return {pk: item for pk, item in self.scan().items() if not pk.startswith(besides)}

        table, calls = records(), len(self.rest_calls())
        yield
        assert records() == table
        assert self.rest_calls()[calls:] == []

    @contextmanager
    def watching(self) -> Iterator[list[str]]:
        """Collects the names of the functions' outward calls within the block."""
        calls: list[str] = []

        def note(name: str, phase: str) -> None:
            if phase == "before":
                calls.append(name)

        with self.stack.observing(note):
            yield calls


def forged_link_id(verification_id: str) -> str:
    """A link id that names a verification, with a secret that is none."""
    return link_id(verification_id, 1, Secret("00" * 16))
