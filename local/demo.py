"""Goes through every action once with plain HTTP calls, and compares what Twilio then holds with what it should hold.

A further scenario is one function in `SCENARIOS`.
"""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx

from local.aws import ACCOUNT_SID, AUTH_TOKEN
from local.stack import LAPTOP, Stack

PATIENCE_S = 8.0
"""How long an expectation may take to come true: a delivery, or a report of the schedule that runs every 2 s."""
CODE = re.compile(r"\b[0-9]{6}\b")
LINK = re.compile(r"https?://\S+[?&]id=([\w-]+)")
PASSWORD = re.compile(r"\b(?=[A-Za-z0-9-]*[0-9-])[A-Za-z0-9-]{12,}\b")


class Failed(Exception):
    """An expectation did not hold; the message says which."""


class Demo:
    """A caller of the API and its users' phones, and the notes on what should come of it.

    Parameters
    ----------
    api, twilio
        The addresses.
    say
        Where each line goes.
    """

    def __init__(self, api: str, twilio: str, say: Callable[[str], None]) -> None:
        self._api = httpx.Client(base_url=api, timeout=15, trust_env=False)
        self._twilio = httpx.Client(base_url=twilio, timeout=15, trust_env=False)
        self._say = say
        self.expected: dict[str, str] = {}

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        self._twilio.close()

    def post(self, path: str, body: dict[str, Any], status: int, shown: str = "") -> dict[str, Any]:
        """Call the API with JSON, expect a status, give the answer's JSON."""
        return self._shown("POST", path, self._api.post(path, json=body), status, shown)

    def start(self, to: str, action: str, **more: str) -> dict[str, Any]:
        """Start a verification; Twilio is expected to hold no confirmation of its message until one is noted."""
        answer = self._api.post("/verifications", json={"to": to, "action": action, **more})
        started = self._shown("POST", "/verifications", answer, 202, f"{action} to {mask(to)}")
        self.expected[started["message"]["sid"]] = "unconfirmed"
        self._say(f"      message {started['message']['number']}: {started['message']['sid']}")
        return started

    def another(self, verification_id: str) -> dict[str, Any]:
        """Send another message of a verification."""
        sent = self.post(f"/verifications/{verification_id}/messages", {}, 202)
        self.expected[sent["message"]["sid"]] = "unconfirmed"
        self._say(f"      message {sent['message']['number']}: {sent['message']['sid']}")
        return sent

    def check(self, verification_id: str, secret: str, status: int) -> dict[str, Any]:
        """Guess a verification's secret."""
        return self.post(f"/verifications/{verification_id}/check", {"secret": secret}, status)

    def get(self, path: str, status: int = 200) -> httpx.Response:
        """Open a path as a browser or a link preview does."""
        answer = self._api.get(path)
        self._shown("GET", path, answer, status)
        return answer

    def verification(self, verification_id: str) -> dict[str, Any]:
        """A verification as its caller sees it."""
        return dict(self._api.get(f"/verifications/{verification_id}").json())

    def form(self, path: str, fields: dict[str, str], status: int) -> None:
        """Post a form, as the confirmation page's button does."""
        self._shown("POST", path, self._api.post(path, data=fields), status)

    def advance(self, seconds: int) -> None:
        """Let time pass for the service."""
        self._shown(
            "POST", "/_local/clock", self._api.post("/_local/clock", json={"advance_s": seconds}), 200, f"{seconds} s"
        )

    def send_as_caller(self, to: str, body: str) -> str:
        """Send a message past the service, as a team does that sends its own; its SID."""
        answer = self._twilio.post(
            f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json",
            data={"To": to, "From": LAPTOP["Sender"], "Body": body, "ProvideFeedback": "true"},
            auth=(ACCOUNT_SID, AUTH_TOKEN),
        )
        if answer.status_code != 201:
            raise Failed(f"the caller's own message was answered {answer.status_code}")
        sid = str(answer.json()["sid"])
        self._say(f"      the caller sent {sid} to {mask(to)} itself")
        return sid

    def inbound(self, kind: str, sender: str, body: str = "") -> None:
        """A message or a call from a phone to the service's number."""
        answer = self._twilio.post(
            "/_emulator/inbound", json={"kind": kind, "from": sender, "to": LAPTOP["Sender"], "body": body}
        ).json()
        self._say(f"      {kind} from {mask(sender)}: the webhook answers {answer['response_status']}")
        self.expect(f"the webhook takes the {kind}", answer["response_status"] == 200)

    def held(self) -> dict[str, dict[str, Any]]:
        """What the Twilio emulator holds, by SID."""
        return {message["sid"]: message for message in self._twilio.get("/_emulator/messages").json()}

    def text(self, sid: str, pattern: re.Pattern[str]) -> str:
        """What a pattern finds in the message on the user's phone."""
        body = self.held()[sid]["body"]
        found = pattern.search(body)
        if found is None:
            raise Failed(f"the text of {sid} holds no match for {pattern.pattern}")
        return found[found.lastindex or 0]

    def expect_status(self, sid: str, status: str) -> None:
        """Wait for a message's delivery status."""
        self._wait(f"{sid} is {status}", lambda: self.held()[sid]["status"] == status)

    def expect_delivery(self, verification_id: str, number: int, status: str) -> None:
        """Wait until the service knows a message's delivery status."""

        def known() -> bool:
            messages = self.verification(verification_id)["messages"]
            return any(message["number"] == number and message["status"] == status for message in messages)

        self._wait(f"the service knows that message {number} is {status}", known)

    def expect_feedback(self, sid: str) -> None:
        """Wait for Twilio to hold that a message was acted on, and note it for the table."""
        self.expected[sid] = "confirmed"
        self._wait(f"Twilio holds feedback confirmed for {sid}", lambda: self.held()[sid]["feedback"] == "confirmed")

    def expect(self, what: str, held: object) -> None:
        """Raise `Failed` unless something holds."""
        if not held:
            raise Failed(what)
        self._say(f"    ✓ {what}")

    def _wait(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                raise Failed(f"{what}: not within {PATIENCE_S:.0f} s")
            time.sleep(0.05)
        self._say(f"    ✓ {what}")

    def _shown(self, method: str, path: str, answer: httpx.Response, status: int, shown: str = "") -> dict[str, Any]:
        is_json = answer.headers.get("content-type", "").partition(";")[0].endswith("json")
        content: dict[str, Any] = answer.json() if is_json else {}
        problem = str(content.get("type", "")).rpartition(":")[2]
        outcome = problem or content.get("status", "")
        place = re.sub(r"(?<=/verifications/)[\w-]{22}", "…", path.partition("?")[0])
        self._say(f"    {method} {place} {shown}".rstrip() + f" → {answer.status_code} {outcome}".rstrip())
        if answer.status_code != status:
            raise Failed(f"{method} {place} was answered {answer.status_code}, not {status}")
        return content


def mask(number: str) -> str:
    """A number with its middle hidden."""
    return number[:2] + "•" * (len(number) - 4) + number[-2:]


def right_code(demo: Demo) -> None:
    """A code, entered right"""
    started = demo.start("+14155550101", "code")
    sid = started["message"]["sid"]
    demo.expect_delivery(started["verification_id"], 1, "delivered")
    demo.expect("nothing is confirmed yet", demo.held()[sid]["feedback"] == "unconfirmed")
    confirmed = demo.check(started["verification_id"], demo.text(sid, CODE), 200)
    demo.expect("the proof is the secret", confirmed["proof"] == "secret")
    demo.expect_feedback(sid)


def wrong_code(demo: Demo) -> None:
    """A code, entered wrong"""
    started = demo.start("+14155550102", "code")
    sid = started["message"]["sid"]
    wrong = f"{(int(demo.text(sid, CODE)) + 1) % 1_000_000:06d}"
    answer = demo.check(started["verification_id"], wrong, 422)
    demo.expect("four attempts are left", answer.get("attempts_left") == 4)


def link(demo: Demo) -> None:
    """A link, previewed by a messenger and then tapped"""
    started = demo.start("+14155550103", "link")
    sid = started["message"]["sid"]
    identity = demo.text(sid, LINK)
    for _ in range(3):
        demo.get(f"/confirm?id={identity}")
    view = demo.verification(started["verification_id"])
    demo.expect("opening the link changes nothing", view["status"] == "pending")
    demo.form("/confirm", {"id": identity}, 200)
    demo.expect_feedback(sid)


def password(demo: Demo) -> None:
    """A temporary password, used once"""
    started = demo.start("+14155550104", "password")
    sid = started["message"]["sid"]
    secret = demo.text(sid, PASSWORD)
    demo.check(started["verification_id"], secret, 200)
    demo.check(started["verification_id"], secret, 409)
    demo.expect_feedback(sid)


def reply_by_message(demo: Demo) -> None:
    """A reply by message"""
    started = demo.start("+14155550105", "reply")
    sid = started["message"]["sid"]
    demo.expect_delivery(started["verification_id"], 1, "delivered")
    demo.inbound("message", "+14155550105", "Yes, that was me")
    view = demo.verification(started["verification_id"])
    demo.expect("the proof is the sender", view.get("proof") == "sender")
    demo.expect_feedback(sid)


def reply_by_call(demo: Demo) -> None:
    """A reply by call"""
    started = demo.start("+14155550106", "reply")
    sid = started["message"]["sid"]
    demo.expect_delivery(started["verification_id"], 1, "delivered")
    demo.inbound("call", "+14155550106")
    demo.expect_feedback(sid)


def callers_secret(demo: Demo) -> None:
    """A secret of the caller's own, and its word that the user acted"""
    started = demo.start("+14155550107", "caller", secret="Q7X2M9")  # noqa: S106
    sid = started["message"]["sid"]
    demo.expect("the text holds the caller's secret", "Q7X2M9" in demo.held()[sid]["body"])
    confirmed = demo.post(f"/verifications/{started['verification_id']}/confirm", {}, 200)
    demo.expect("the proof is the caller's word", confirmed["proof"] == "caller")
    demo.expect_feedback(sid)


def callers_message(demo: Demo) -> None:
    """A message that the caller sent itself, registered by its SID"""
    sid = demo.send_as_caller("+14155550108", "Your Acme login code is on its way.")
    answer = demo.post("/verifications", {"to": "+14155550108", "action": "caller", "sid": sid}, 202, "caller, its sid")
    demo.expect("the SID is the caller's", answer["message"]["sid"] == sid)
    demo.post(f"/verifications/{answer['verification_id']}/confirm", {}, 200)
    demo.expect_feedback(sid)


def undelivered(demo: Demo) -> None:
    """A number that cannot be reached"""
    started = demo.start("+15005550109", "code")
    sid = started["message"]["sid"]
    demo.expect_status(sid, "undelivered")
    demo.expect_delivery(started["verification_id"], 1, "undelivered")


def first_of_two(demo: Demo) -> None:
    """Two messages, and the code of the first one"""
    started = demo.start("+14155550110", "code")
    first = started["message"]["sid"]
    demo.advance(31)
    second = demo.another(started["verification_id"])["message"]["sid"]
    confirmed = demo.check(started["verification_id"], demo.text(first, CODE), 200)
    demo.expect("the first message confirmed", confirmed["message"] == 1)
    demo.expect_feedback(first)
    demo.expect("the second message got no feedback", demo.held()[second]["feedback"] == "unconfirmed")


def late_code(demo: Demo) -> None:
    """The right code, after ten minutes"""
    started = demo.start("+14155550111", "code")
    sid = started["message"]["sid"]
    demo.advance(601)
    demo.check(started["verification_id"], demo.text(sid, CODE), 410)
    demo.expect_feedback(sid)
    view = demo.verification(started["verification_id"])
    demo.expect("it confirmed nothing all the same", view["status"] == "expired")


SCENARIOS: tuple[Callable[[Demo], None], ...] = (
    right_code,
    wrong_code,
    link,
    password,
    reply_by_message,
    reply_by_call,
    callers_secret,
    callers_message,
    undelivered,
    # From here on the clock is moved, which ends every code that is still live.
    first_of_two,
    late_code,
)


def run(stack: Stack, say: Callable[[str], None], scenarios: Iterable[Callable[[Demo], None]] = SCENARIOS) -> list[str]:
    """Go through the scenarios; the failures, none if every expectation held."""
    demo = Demo(stack.api_url, stack.twilio_url, say)
    failures = []
    try:
        for number, scenario in enumerate(scenarios, 1):
            title = scenario.__doc__ or scenario.__name__
            say(f"{number:3} {title}")
            try:
                scenario(demo)
            except (Failed, httpx.HTTPError, KeyError, ValueError) as error:
                reason = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
                failures.append(f"{title}: {reason}")
                say(f"    ✗ {reason}")
        failures += _table(demo, say)
    finally:
        demo.close()
    return failures


def _table(demo: Demo, say: Callable[[str], None]) -> list[str]:
    """What Twilio holds beside what it should hold; the differences."""
    held = demo.held()
    say("")
    say("What Twilio holds")
    say(f"  {'sid':34}  {'to':14}  {'status':11}  {'feedback':11}  expected")
    wrong = []
    for sid, message in held.items():
        expected = demo.expected.get(sid, "no such message")
        right = message["feedback"] == expected
        mark = "✓" if right else "✗"
        feedback = message["feedback"] or "none"
        say(f"  {sid:34}  {mask(message['to']):14}  {message['status']:11}  {feedback:11}  {expected} {mark}")
        if not right:
            wrong.append(f"{sid}: feedback {feedback}, expected {expected}")
    wrong += [f"{sid}: Twilio does not hold it" for sid in demo.expected.keys() - held.keys()]
    return wrong
