"""Promise 8: no log line, metric, error or record holds a secret, a full number or a message's text.

Every value that must not leak is marked and sent through every route of a running stack, in success and failure. Then
all that came out is searched for it: what the functions wrote to stdout and stderr (metrics among it), every answer of
the API, and the whole table, of which one field may hold the number.
"""

import base64
import contextlib
import hashlib
import json
import re
import traceback
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import httpx
import pytest

from local.aws import ACCOUNT_SID, AUTH_TOKEN
from local.functions import ROOT, FunctionError
from local.stack import LAPTOP, Stack
from local.template import Template
from local.twilio_emulator import API_KEYS, Delays
from otp_feedback.adapters.aws.secret import parse_secret
from otp_feedback.adapters.settings import Settings
from otp_feedback.domain.errors import ConfigurationError, InvalidRecipient, Problem
from otp_feedback.domain.ids import encode_id
from otp_feedback.domain.links import parse_link_id
from tests.loop.driver import PROBLEM, SENDER, Loop
from tests.loop.table import stack_in_memory
from tests.promises.canaries_detector import Detector, encodings, spacings

NEVER = Delays(1e6, 1e6, 1e6)

STACK_SECRETS = {
    "root": "root-canary-3f9a1c77e04b5d2286fa90bb",
    "twilio_auth_token": "token-canary-8c1e6a02d7",
    "twilio_api_key_secret": next(iter(API_KEYS.values())),
    "mac key": encode_id(hashlib.sha256(b"canary").digest()),
}
TEST_RECIPIENT, TEST_CODE = "+15005550142", "Canary7Kx2Q"
FRENCH = "+33639984217"
CALLERS_SECRET = "Cc7anary1"
BODY_MARK = "zebrafinch tells you softly"
INBOUND_MARK = "hummingbird wrote from the garden"
LIMIT_KEY = "limit-canary-203.0.113.77"
KEY = "key-canary-a81d5c0e"
WRONG_SECRET = "wrong-canary-77b3d2"
UNPARSABLE = "unparsable-canary-0d4e1f"

SETTINGS = {
    "OTP_CODE_DIGITS": "10",
    "OTP_MESSAGE_INTERVAL_S": "0",
    "OTP_HOURLY_LIMIT": "3",
    "OTP_LIMIT_KEY_HOURLY": "2",
    "OTP_COUNTRIES": "DE,US",
    "OTP_REPLY_KEYWORD": "garden",
    "OTP_REDACT_BODIES": "true",
    "OTP_STAGE": "development",
    "OTP_TEST_RECIPIENTS": json.dumps({TEST_RECIPIENT: TEST_CODE}),
    "OTP_TEMPLATES": json.dumps({"marked": {"action": "code", "body": f"{BODY_MARK}: {{secret}}"}}),
}


class Walk:
    """A walk through every route, that keeps what went in and what came out."""

    def __init__(self, stack: Stack, loop: "MarkedLoop") -> None:
        self.stack, self.loop = stack, loop
        self.canaries: dict[str, str] = {
            **STACK_SECRETS,
            "test recipient": TEST_RECIPIENT,
            "French": FRENCH,
            "test code": TEST_CODE,
            "caller's secret": CALLERS_SECRET,
            "text sent": BODY_MARK,
            "text received": INBOUND_MARK,
            "limit key": LIMIT_KEY,
            "Idempotency-Key": KEY,
            "wrong secret": WRONG_SECRET,
            "unparsable": UNPARSABLE,
        }
        self.asked_pages: list[bytes] = []
        self.answers: list[bytes] = []
        self.problems: set[str] = set()
        self.records: set[bytes] = set()
        self._numbers = iter(f"+4917139200{n:02d}" for n in range(100))

    def number(self) -> str:
        """A number that is looked for from now on."""
        number = next(self._numbers)
        self.canaries[f"number {number[-2:]}"] = number
        return number

    def remember(self, response: httpx.Response) -> None:
        """Keep an answer of the API."""
        response.read()
        if response.url.path.startswith("/_local"):
            return
        if response.headers.get("content-type") == PROBLEM:
            self.problems.add(response.json()["type"].rpartition(":")[2])
        head = "\r\n".join(f"{name}: {value}" for name, value in response.headers.items()).encode()
        answer = head + b"\r\n\r\n" + response.content
        asked = response.request.method == "GET" and response.url.path == "/confirm"
        (self.asked_pages if asked else self.answers).append(answer)

    def look(self) -> None:
        """Keep the table as it is, apart from the one field that may hold the number."""
        for key, item in self.loop.scan().items():
            fields = {name: value for name, value in item.items() if not (name == "to" and key.startswith("V#"))}
            self.records.add(key.encode() + b"\n" + b"\n".join(leaves(fields)))

    def note_secrets(self) -> None:
        """Look for whatever the messages at Twilio carry from now on."""
        for message in self.loop.all_messages():
            body = message["body"]
            sid = message["sid"]
            for code in re.findall(r"\b[0-9]{10}\b|\b[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{5}\b", body):
                self.canaries[f"secret of {sid}"] = code
            for link in re.findall(r"confirm\?id=([\w-]{44})", body):
                parsed = parse_link_id(link)
                assert parsed is not None
                self.canaries[f"link of {sid}"] = link
                self.canaries[f"link half of {sid}"] = link[len(link) // 2 :]
                self.canaries[f"link's secret of {sid}"] = parsed[1].reveal()
            if body:
                self.canaries[f"text of {sid}"] = body


class MarkedLoop(Loop):
    """A driver whose every answer is kept."""

    walk: Walk

    def keep_answers(self, walk: Walk) -> None:
        """Hand every answer of the API to a walk."""
        self._api.event_hooks = {"response": [walk.remember]}

    def all_messages(self) -> list[dict[str, Any]]:
        """Every message at Twilio."""
        messages: list[dict[str, Any]] = self._twilio.get("/_emulator/messages").json()
        return messages


def leaves(value: Any) -> Iterator[bytes]:
    """Every name and value in an item of DynamoDB's typed JSON, as bytes."""
    match value:
        case dict():
            for name, each in value.items():
                yield name.encode()
                yield from leaves(each)
        case list():
            for each in value:
                yield from leaves(each)
        case bytes():
            yield value
            yield base64.b64encode(value)
        case _:
            yield str(value).encode()


def give_marked_secret(stack: Stack) -> None:
    """Fill the stack's secret with marked values beside the ones that the emulator knows."""
    with closing(
        boto3.client(
            "secretsmanager",
            endpoint_url=stack.aws_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
    ) as client:
        (secret,) = client.list_secrets()["SecretList"]
        content = {
            "root": STACK_SECRETS["root"],
            "twilio_account_sid": ACCOUNT_SID,
            "twilio_auth_token": STACK_SECRETS["twilio_auth_token"],
            "twilio_previous_auth_token": AUTH_TOKEN,
            "twilio_api_key_sid": next(iter(API_KEYS)),
            "twilio_api_key_secret": STACK_SECRETS["twilio_api_key_secret"],
            "mac_keys": {"canary": STACK_SECRETS["mac key"]},
            "mac_key_id": "canary",
        }
        client.put_secret_value(SecretId=secret["ARN"], SecretString=json.dumps(content))


def send_and_check_codes(walk: Walk) -> None:
    """Codes: right, wrong, for another number, late, until locked, after the end; and other ways to ask for them."""
    loop = walk.loop
    to = walk.number()
    fields: dict[str, Any] = {"template": "marked", "limit_key": LIMIT_KEY, "reference": "order-1"}
    started = loop.started("code", to, key=KEY, **fields)
    loop.start(to, "code", key=KEY, **fields)
    loop.start(to, "password", key=KEY)
    walk.note_secrets()
    code = loop.code(to)
    loop.check(started.verification_id, WRONG_SECRET)
    loop.check(started.verification_id, code, expect={"to": walk.number()})
    loop.check(started.verification_id, code, expect={"reference": UNPARSABLE})
    loop.confirm(started.verification_id)
    loop.another(started.verification_id, key=KEY)
    loop.another(started.verification_id, {"secret": CALLERS_SECRET})
    walk.note_secrets()
    loop.check(started.verification_id, code)
    loop.check(started.verification_id, code)
    loop.another(started.verification_id)
    loop.cancel(started.verification_id)
    loop.view(started.verification_id)

    late = loop.started("code", walk.number())
    walk.note_secrets()
    code = loop.code(late.to)
    loop.advance(601)
    loop.check(late.verification_id, code)
    loop.report_due()

    locked = loop.started("password", walk.number())
    walk.note_secrets()
    for _ in range(6):
        loop.check(locked.verification_id, WRONG_SECRET)
    loop.check(locked.verification_id, loop.password(locked.to))

    canceled = loop.started("password", walk.number())
    walk.note_secrets()
    loop.cancel(canceled.verification_id)
    loop.check(canceled.verification_id, loop.password(canceled.to))
    loop.check(encode_id(bytes(16)), WRONG_SECRET)


def exhaust_budgets(walk: Walk) -> None:
    """More messages than a recipient gets, than a limit key gets, and to a country that gets none."""
    loop = walk.loop
    to = walk.number()
    for _ in range(4):
        loop.start(to, "code")
    for _ in range(3):
        loop.start(walk.number(), "code", limit_key=f"{LIMIT_KEY}-1")
    loop.start(FRENCH, "code")


def tap_links(walk: Walk) -> None:
    """Links: looked at, tapped, tapped again, forged, late; and in the API's own check."""
    loop = walk.loop
    started = loop.started("link", walk.number())
    walk.note_secrets()
    link = loop.link_id(started.to)
    loop.request("GET", f"/confirm?id={link}")
    loop.request("HEAD", f"/confirm?id={link}")
    loop.check(started.verification_id, link)
    loop.check(started.verification_id, loop.secret(started, "link"))
    loop.tap(f"{link[:-6]}{'AAAAAA'}")
    loop.tap(link)
    loop.tap(link)
    loop.tap(UNPARSABLE)
    loop.request("GET", f"/confirm?id={UNPARSABLE}")
    loop.request("POST", "/confirm", content=b"id=%ff" + UNPARSABLE.encode())

    late = loop.started("link", walk.number())
    walk.note_secrets()
    link = loop.link_id(late.to)
    loop.advance(601)
    loop.tap(link)
    loop.report_due()


def reply_and_call(walk: Walk) -> None:
    """Replies and calls: right, off the point, opting out, forged, and from nobody."""
    loop = walk.loop
    for kind in ("message", "call"):
        started = loop.started("reply", walk.number())
        walk.note_secrets()
        answers = [
            loop.inbound(kind, started.to, body="hello"),
            loop.inbound(kind, started.to, body=INBOUND_MARK),
            loop.inbound(kind, started.to, body=INBOUND_MARK),
            loop.inbound(kind, walk.number(), body=INBOUND_MARK),
            loop.inbound(kind, started.to, body="STOP"),
        ]
        walk.answers += [json.dumps(answer).encode() for answer in answers]
        loop.start(started.to, "code")
    fields = {"From": walk.number(), "To": SENDER, "Body": INBOUND_MARK, "MessageSid": f"SM{'0' * 32}"}
    loop.webhook("/twilio/message", fields, token="forged")
    loop.webhook("/twilio/message", {name: value for name, value in fields.items() if name != "MessageSid"})
    loop.webhook("/twilio/message", fields | {"From": UNPARSABLE})
    loop.webhook("/twilio/call", fields, token="forged")


def deliver(walk: Walk) -> None:
    """Status callbacks: in order, failed, of another message, forged; with the texts emptied at their end."""
    loop = walk.loop
    started = loop.started("code", walk.number())
    walk.note_secrets()
    fields = {"MessageSid": started.sid, "MessageStatus": "sent", "To": started.to, "From": SENDER, "Body": BODY_MARK}
    target = f"/twilio/status?message=1&verification={started.verification_id}"
    loop.webhook(target, fields)
    loop.webhook(target, fields | {"MessageSid": f"SM{'a' * 32}"})
    loop.webhook(target, fields, token="forged")
    loop.webhook(target, fields | {"AccountSid": f"AC{'1' * 32}"})
    loop.webhook(f"/twilio/status?message=1&verification={UNPARSABLE}", fields)
    loop.webhook(f"/twilio/status?message={UNPARSABLE}&verification={started.verification_id}", fields)
    loop.deliver(started.sid, "undelivered", error_code=30003)
    loop.deliver(started.sid, "delivered")


def take_callers_word(walk: Walk) -> None:
    """The caller's own secret and word, and the numbers that are for tests."""
    loop = walk.loop
    to = walk.number()
    started = loop.started("caller", to, secret=CALLERS_SECRET)
    walk.note_secrets()
    loop.start(to, "caller")
    loop.start(to, "code", secret=CALLERS_SECRET)
    loop.another(started.verification_id, {"secret": CALLERS_SECRET})
    loop.another(started.verification_id)
    loop.check(started.verification_id, WRONG_SECRET)
    loop.confirm(started.verification_id)
    loop.confirm(started.verification_id, message=2)
    loop.check(started.verification_id, CALLERS_SECRET)

    fixed = loop.started("code", TEST_RECIPIENT)
    loop.check(fixed.verification_id, WRONG_SECRET)
    loop.check(fixed.verification_id, TEST_CODE)
    loop.start(TEST_RECIPIENT, "link")


def be_refused_by_twilio(walk: Walk) -> None:
    """Twilio fails: sending, reporting, in the outbox, and while a lost message is looked for."""
    loop = walk.loop
    for status in (400, 401, 503):
        loop.fault("create_message", "status", status=status)
        loop.start(walk.number(), "code")
    for status in (400, 401, 404, 429, 503):
        started = loop.started("code", walk.number())
        walk.note_secrets()
        loop.fault("feedback", "status", status=status, times=2)
        loop.check(started.verification_id, loop.code(started.to))
        loop.report_due()
    to = walk.number()
    with walk.stack.killing("send_otp", "after", "twilio:create_message"):
        loop.start(to, "code")
    walk.note_secrets()
    message = loop.messages(to)[-1]
    lost = re.search(r"verification=([\w-]{22})", message["status_callback"])
    assert lost is not None
    loop.check(lost[1], loop.code(to))
    loop.report_due()
    assert loop.outcome(message["sid"]) == "confirmed"


def lose_the_database(walk: Walk) -> None:
    """Every call to DynamoDB and Secrets Manager loses its connection, one route after the other."""
    loop = walk.loop
    started = loop.started("code", walk.number())
    linked = loop.started("link", walk.number())
    walk.note_secrets()
    code, link = loop.code(started.to), loop.link_id(linked.to)
    to = walk.number()

    def lose(name: str, phase: str) -> None:
        if phase == "before" and name.startswith("dynamodb:"):
            raise ConnectionAbortedError("lost")

    with walk.stack.observing(lose):
        loop.start(to, "code", key=KEY)
        loop.start(to, "code", limit_key=LIMIT_KEY)
        loop.check(started.verification_id, code)
        loop.tap(link)
        loop.cancel(started.verification_id)
        loop.request("GET", f"/verifications/{started.verification_id}")
        fields = {"MessageSid": started.sid, "MessageStatus": "sent", "To": to, "From": SENDER}
        loop.webhook(f"/twilio/status?message=1&verification={started.verification_id}", fields)
        fields = {"MessageSid": f"SM{'b' * 32}", "From": to, "To": SENDER, "Body": INBOUND_MARK}
        loop.webhook("/twilio/message", fields)
        with contextlib.suppress(FunctionError):
            walk.stack.run_schedules()


def speak_badly(walk: Walk) -> None:
    """Requests that cannot be read, with marks in every place that an error might echo."""
    loop = walk.loop
    to = walk.number()
    start = {"to": to, "action": "code"}
    for body in (
        {"to": f"{to} ext. 5", "action": "code"},
        {"to": f"tel:{to}", "action": "code"},
        {"to": [to], "action": "code"},
        {**start, "action": UNPARSABLE},
        {**start, "locale": UNPARSABLE},
        {**start, "template": UNPARSABLE},
        {**start, "sender": UNPARSABLE},
        {**start, "reference": f"{UNPARSABLE} {to}"},
        {**start, UNPARSABLE: to},
        {**start, "limit_key": [LIMIT_KEY]},
        {**start, "action": "caller", "sid": UNPARSABLE},
        [to],
        to,
    ):
        loop.post("/verifications", body)
    loop.post("/verifications", headers={"Content-Type": "application/json"}, content=f'{{"to": "{to}'.encode())
    loop.post("/verifications", headers={"Content-Type": "text/x"}, content=b"\xff" + to.encode())
    loop.post("/verifications", {**start, "reference": UNPARSABLE * 600})
    loop.post("/verifications", start, key=f"{KEY} {UNPARSABLE}")
    unknown = encode_id(bytes(16))
    for path, field in (("check", "secret"), ("check", "expect"), ("confirm", "message"), ("cancel", UNPARSABLE)):
        loop.post(f"/verifications/{unknown}/{path}", {field: [WRONG_SECRET, UNPARSABLE]})
    loop.check(unknown, CALLERS_SECRET * 10)
    loop.check(UNPARSABLE, WRONG_SECRET)
    loop.request("GET", f"/verifications/{UNPARSABLE}")
    loop.request("GET", f"/nothing/{UNPARSABLE}")


def invoke_directly(walk: Walk) -> None:
    """Without the API: a start, the same start, starts that fail, and events of an API that asks nobody who calls."""
    to = walk.number()
    good = {"to": to, "action": "code", "idempotency_key": f"{KEY}-direct", "limit_key": LIMIT_KEY}
    for event in (good, good, {**good, "action": UNPARSABLE}, {**good, "to": f"{to}x"}, {**good, "locale": UNPARSABLE}):
        walk.answers.append(json.dumps(walk.stack.invoke("start_directly", event)).encode())
    for key in ("POST /verifications", f"POST /{UNPARSABLE}"):
        context = {"http": {"method": "POST"}}
        posed = {"routeKey": key, "rawPath": "/verifications", "requestContext": context, "body": json.dumps(good)}
        answer = walk.stack.invoke("send_otp", posed)
        walk.answers.append(json.dumps(answer).encode())
        walk.problems.add(json.loads(answer["body"])["type"].rpartition(":")[2])
    walk.note_secrets()


def try_every_route(walk: Walk) -> None:
    """Each route of the template, with an id that is unknown and marks for query, form and JSON."""
    fields = {"id": WRONG_SECRET, "secret": WRONG_SECRET, "to": walk.number(), "Body": INBOUND_MARK}
    for route in Template(ROOT / "template.yaml", {"PublicBaseUrl": "", "TwilioBaseUrl": "", **LAPTOP}).routes():
        target = route.path.replace("{verification_id}", encode_id(bytes(16)))
        walk.loop.request(route.method, target, params=fields)
        walk.loop.request(route.method, f"{target}?{UNPARSABLE}", data=fields)
        walk.loop.request(route.method, target, json=fields, headers={"Idempotency-Key": KEY})


STEPS = (
    send_and_check_codes,
    exhaust_budgets,
    tap_links,
    reply_and_call,
    deliver,
    take_callers_word,
    be_refused_by_twilio,
    lose_the_database,
    speak_badly,
    invoke_directly,
    try_every_route,
)


def test_nothing_marked_comes_out_anywhere(capfd: pytest.CaptureFixture[str]):
    """More than 90 values, each in more than 20 encodings, after more than 150 requests to every route."""
    with stack_in_memory(period_s=None, delays=NEVER, settings=SETTINGS) as stack, MarkedLoop(stack) as loop:
        give_marked_secret(stack)
        walk = Walk(stack, loop)
        loop.keep_answers(walk)
        for step in STEPS:
            step(walk)
            walk.note_secrets()
            walk.look()
        logs = stack.logs()
    written = capfd.readouterr()

    assert len(walk.canaries) > 90
    assert len(walk.answers) > 150
    # Twilio's emulator is not told to refuse a number.
    unseen = {InvalidRecipient.name}
    assert walk.problems == {problem.name for problem in Problem.__subclasses__()} - unseen
    sinks = {
        "log and metrics": logs.encode(),
        "stdout of the stack": written.out.encode(),
        "stderr of the stack": written.err.encode(),
        "answers": b"\n".join(walk.answers),
        "records": b"\n".join(sorted(walk.records)),
    }
    detector = Detector(walk.canaries)
    assert {name: detector.found(sink) for name, sink in sinks.items()} == dict.fromkeys(sinks, frozenset())
    # The page on which a link is confirmed posts its id, so it has to hold it.
    assert {name.partition(" ")[0] for name, _ in detector.found(b"\n".join(walk.asked_pages))} == {"link"}


@pytest.mark.parametrize(
    "content",
    [
        '{"root": "%(root)s"',
        '["%(root)s"]',
        '{"root": ["%(root)s"], "twilio_auth_token": "%(twilio_auth_token)s", "twilio_account_sid": "AC1"}',
        '{"root": "%(root)s", "twilio_auth_token": ["%(twilio_auth_token)s"], "twilio_account_sid": "AC1"}',
        '{"root": "%(root)s", "twilio_auth_token": "%(twilio_auth_token)s"}',
        '{%(common)s, "twilio_api_key_secret": "%(twilio_api_key_secret)s"}',
        '{%(common)s, "mac_keys": {"1": "%(mac key)s%(mac key)s"}}',
        '{%(common)s, "mac_keys": ["%(mac key)s"]}',
        '{%(common)s, "mac_key_id": "%(mac key)s"}',
    ],
)
def test_a_secret_of_the_stack_that_cannot_be_used_is_not_quoted(content: str):
    """Nine ways in which the stack's secret can be wrong: the error, with its whole traceback, quotes nothing of it."""
    common = f'"root": "{STACK_SECRETS["root"]}", "twilio_auth_token": "t", "twilio_account_sid": "AC1"'
    with pytest.raises(ConfigurationError) as caught:
        parse_secret(content % (STACK_SECRETS | {"common": common}))
    text = "".join(traceback.format_exception(caught.value)).encode()
    assert Detector(STACK_SECRETS).found(text) == frozenset()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTP_TEST_RECIPIENTS", f'{{"{TEST_RECIPIENT}": "{TEST_CODE}!"}}'),
        ("OTP_TEST_RECIPIENTS", f'{{"{FRENCH}0": "{TEST_CODE}"}}'),
        ("OTP_TEST_RECIPIENTS", f'{{"{TEST_RECIPIENT}": "{TEST_CODE}"'),
        ("OTP_TEMPLATES", f'{{"a": {{"action": "code", "body": "{BODY_MARK}"}}}}'),
        ("OTP_TEMPLATES", f'{{"a": "{BODY_MARK}'),
    ],
)
def test_a_setting_that_cannot_be_used_is_not_quoted(name: str, value: str):
    """Five settings that hold numbers, codes and texts: the error names the variable and quotes nothing of it."""
    environ = {"OTP_TABLE": "t", "OTP_SECRET_ARN": "a", "OTP_APP_NAME": "Acme", "OTP_SENDER": SENDER}
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environ({**environ, "OTP_STAGE": "development", name: value})
    canaries = {"number": TEST_RECIPIENT, "code": TEST_CODE, "text": BODY_MARK, "French": FRENCH}
    text = "".join(traceback.format_exception(caught.value)).encode()
    assert Detector(canaries).found(text) == frozenset()


SAMPLES = {
    "number": "+491713920042",
    "code": "8302917465",
    "password": "k4mq-x7rt-9whzd",
    "link": "5dCkuN2pQy1TzDqFq9oW3v8ftNKRMURiHg34CtSI9kEn",
    "link of before": "q3VZcmFuZG9tLWlkLWhlcmUBAAECAwQFBgcICQoLDA0O",
    "token": STACK_SECRETS["twilio_auth_token"],
    "text": "zebrafinch tells you softly: 8302917465 (10 min)",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_detector_finds_each_encoding(name: str):
    """The search has power: seven values in some 30 encodings each, planted in a log, are all found there."""
    value = SAMPLES[name]
    detector = Detector({name: value})
    log = json.dumps({"level": "INFO", "sid": f"SM{'0123456789abcdef' * 2}", "planted": "%s", "ms": 1700000000})
    assert detector.found(log.encode()) == frozenset()
    planted = [form.decode() for _, form in encodings(value)]
    planted += [value.upper(), value.encode().hex().upper(), *spacings(value), f'{{"to":"{value}"}}']
    planted += [hashlib.sha256(value.encode()).hexdigest().upper()]
    raw = value.encode()
    planted += [
        base64.b64encode(b"x" * before + raw + b"\xff" * after).decode() for before in range(4) for after in range(4)
    ]
    planted += [base64.urlsafe_b64encode(b"?" * before + raw + b"\xff").decode() for before in range(4)]
    for text in planted:
        assert detector.found(log.replace("%s", text).encode()), text


def test_the_detector_finds_nothing_where_nothing_is():
    """The seven values are not found in 100 kB of random SIDs, digests, ids and times."""
    detector = Detector(SAMPLES)
    digests = (hashlib.sha256(bytes([n % 256, n // 256])) for n in range(1000))
    noise = "\n".join(
        f"{each.hexdigest()} {int(each.hexdigest()[:12], 16)} {encode_id(each.digest())}" for each in digests
    )
    assert detector.found(noise.encode()) == frozenset()
