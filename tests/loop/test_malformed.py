"""Requests that cannot be used: the right problem names the field, echoes no value, writes and sends nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from local.aws import ACCOUNT_SID
from tests.events.conformance import Document
from tests.loop.driver import Loop, Started, fresh_number, problem_of

MARK = "ZqXw7Lp"
"""Stands in the values that came, and so must stand in no answer and no log line."""

NUMBER = "+4915112345678"
DEEP = b"[" * 4000 + b"]" * 4000
SID = "SM" + "a" * 32


@dataclass(frozen=True)
class Case:
    """A bad request, and the field that its answer names (`body` for the whole)."""

    name: str
    content: bytes
    field: str = "body"
    type: str = "malformed-request"
    status: int = 400


def body(name: str, wanted: str, **fields: Any) -> Case:
    """A JSON object with a field that is wrong; None leaves one out."""
    whole = {"to": NUMBER, "action": "code", **fields}
    content = json.dumps({name: value for name, value in whole.items() if value is not None}).encode()
    return Case(name, content, wanted)


ANY_JSON = [
    Case("no JSON", MARK.encode()),
    Case("cut off", b'{"to": "' + MARK.encode()),
    Case("trailing text", b"{} " + MARK.encode(), "?"),
    Case("an array", b'["' + MARK.encode() + b'"]'),
    Case("a string", b'"' + MARK.encode() + b'"'),
    Case("null", b"null"),
    Case("a number", b"1e400"),
    Case("not a number", b"NaN"),
    Case("deeply nested arrays", DEEP),
    Case("deeply nested objects", b'{"a":' * 1200 + b"1" + b"}" * 1200),
    Case("nested in a field", b'{"secret":' + DEEP[:3000] + DEEP[-3000:] + b"}", "?"),
    Case("invalid UTF-8", b'{"to": "\xff\xfe", "secret": "\xff"}', "?"),
    Case("invalid UTF-8 in a name", b'{"\xc3\x28": 1}'),
    Case("UTF-16", '{"to": "x"}'.encode("utf-16")),
    Case("a byte order mark", b"\xef\xbb\xbf{}"),
    Case("null bytes", b"\x00\x00{}"),
    Case("an unknown field", json.dumps({f"{MARK}!": MARK}).encode()),
    Case("a lone surrogate", b'{"\\ud800": "\\udfff"}', "?"),
    Case("1 MB of spaces", b" " * 1_000_000, "", "payload-too-large", 413),
    Case("1 MB of JSON", b'{"to": "' + b"a" * 1_000_000 + b'"}', "", "payload-too-large", 413),
    Case("a byte too many", b"{" + b" " * 8191 + b"}", "", "payload-too-large", 413),
]

NO_NUMBERS = {
    "too short": "+1555",
    "full-width digits": "+４９１５１１２３４５６７８",  # noqa: RUF001 - what is refused
    "Arabic digits": "+٤٩١٥١١٢٣٤٥٦٧٨",
    "a tel: URI": f"tel:{NUMBER}",
    "an extension": f"{NUMBER};ext=1",
    "10 kB of digits would not fit, 6 kB do": "+49" + "1" * 6000,
    "null bytes": f"\x00{NUMBER}",
    "a null byte at the end": f"{NUMBER}\x00",
    "a newline at the end": f"{NUMBER}\n",
    "letters": f"+1800{MARK}",
    "no plus": NUMBER[1:],
    "two plus": f"+{NUMBER}",
    "a zero first": "+0151123456",
    "spaces": "+49 151 12345678",
    "a country that there is none of": "+999123456789",
    "empty": "",
    "a minus": "-4915112345678",
    "a right-to-left mark": f"\u200f{NUMBER}",
    "an emoji": "+4915112345678\U0001f600",
    "a channel": f"whatsapp:{NUMBER}",
    "markup": "<script>alert(1)</script>",
}

START = [
    *[Case(f"to: {name}", json.dumps({"to": to, "action": "code"}).encode(), "to") for name, to in NO_NUMBERS.items()],
    Case("to: a lone surrogate", b'{"to": "+49151\\ud800", "action": "code"}', "?"),
    Case("10 kB in to", json.dumps({"to": "+" + "4" * 10_000}).encode(), "", "payload-too-large", 413),
    Case("5 MB of what is no JSON", b"\xff" * 5_000_000, "", "payload-too-large", 413),
    Case("nothing", b"", "to"),
    Case("an empty object", b"{}", "to"),
    body("to: missing", "to", to=None),
    body("to: a number", "to", to=4915112345678),
    body("to: a list", "to", to=[NUMBER]),
    body("action: missing", "action", action=None),
    body("action: unknown", "action", action=MARK),
    body("action: upper case", "action", action="CODE"),
    body("action: a list", "action", action=["code"]),
    body("action: empty", "action", action=""),
    body("locale: a number", "locale", locale=7),
    body("locale: too long", "locale", locale=MARK * 20),
    body("locale: none", "locale", locale=f"{MARK}!"),
    body("locale: without texts", "locale", locale="tlh"),
    body("locale: several without texts", "locale", locale="tlh, cy_GB"),
    body("locale: none among several", "locale", locale=f"de, {MARK}!"),
    body("reference: too long", "reference", reference=MARK * 10),
    body("reference: empty", "reference", reference=""),
    body("reference: spaces", "reference", reference=f"{MARK} {MARK}"),
    body("reference: a newline at the end", "reference", reference=f"{MARK}\n"),
    body("reference: an e-mail address", "reference", reference=f"{MARK}@example.com"),
    body("template: unknown", "template", template=MARK),
    body("template: too long", "template", template=MARK * 10),
    body("sender: unknown", "sender", sender=f"+1415{MARK}"),
    body("sender: not allowed", "sender", sender="+14155550177"),
    body("limit_key: empty", "limit_key", limit_key=""),
    body("limit_key: too long", "limit_key", limit_key=MARK * 40),
    body("secret: with code", "secret", secret=MARK),
    body("secret: too short", "secret", action="caller", secret="abc"),
    body("secret: too long", "secret", action="caller", secret="Abcdefgh" * 8 + "1"),
    body("secret: a newline at the end", "secret", action="caller", secret="Abcdefgh\n"),
    body("secret: a space", "secret", action="caller", secret=f"{MARK} 1"),
    body("secret: accents", "secret", action="caller", secret="Émile12"),
    body("secret: a number", "secret", action="caller", secret=123456),
    body("sid: none", "sid", action="caller", sid=MARK),
    body("sid: of a call", "sid", action="caller", sid="CA" + "a" * 32),
    body("sid: with link", "sid", action="link", sid=SID),
]

CHECK = [
    Case("nothing", b"", "secret"),
    Case("secret: missing", b"{}", "secret"),
    Case("secret: empty", b'{"secret": ""}', "secret"),
    Case("secret: null", b'{"secret": null}', "secret"),
    Case("secret: a number", b'{"secret": 123456}', "secret"),
    Case("secret: too long", json.dumps({"secret": MARK * 10}).encode(), "secret"),
    Case("secret: a list", json.dumps({"secret": [MARK]}).encode(), "secret"),
    Case("expect: a string", json.dumps({"secret": "1", "expect": MARK}).encode(), "expect"),
    Case("expect: unknown", json.dumps({"secret": "1", "expect": {f"{MARK}!": 1}}).encode(), "expect"),
    Case("expect.to: a number", b'{"secret": "1", "expect": {"to": 1}}', "expect.to"),
    Case("expect.to: too long", json.dumps({"secret": "1", "expect": {"to": MARK * 10}}).encode(), "expect.to"),
    Case("expect.reference", json.dumps({"secret": "1", "expect": {"reference": "é"}}).encode(), "expect.reference"),
]

CONFIRM = [
    Case("message: 0", b'{"message": 0}', "message"),
    Case("message: 4", b'{"message": 4}', "message"),
    Case("message: a string", b'{"message": "1"}', "message"),
    Case("message: a fraction", b'{"message": 1.5}', "message"),
    Case("message: true", b'{"message": true}', "message"),
    Case("message: huge", b'{"message": ' + b"9" * 400 + b"}", "message"),
]

ANOTHER = [
    Case("secret: too short", b'{"secret": "abc"}', "secret"),
    Case("secret: not for code", json.dumps({"secret": MARK}).encode(), "secret"),
    Case("sid: none", json.dumps({"sid": MARK}).encode(), "sid"),
    Case("sid: not for code", json.dumps({"sid": SID}).encode(), "sid"),
]

ROUTES = {
    "/verifications": ANY_JSON + START,
    "/verifications/{}/check": ANY_JSON + CHECK,
    "/verifications/{}/confirm": ANY_JSON + CONFIRM,
    "/verifications/{}/cancel": ANY_JSON,
    "/verifications/{}/messages": ANY_JSON + ANOTHER,
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_bad_body_is_a_problem_that_names_the_field_and_changes_nothing(loop: Loop, route: str):
    started = loop.started()
    path = route.format(started.verification_id)
    logged = len(loop.stack.logs())
    with loop.unchanged():
        for case in ROUTES[route]:
            for headers in ({"Content-Type": "application/json"}, {"Content-Type": "application/octet-stream"}):
                response = loop.post(path, content=case.content, headers=headers)
                assert_refused(response, case)
    assert MARK not in loop.stack.logs()[logged:]
    assert "Traceback" not in loop.stack.logs()[logged:]
    assert loop.view(started.verification_id)["attempts_left"] == 5


def assert_refused(response: httpx.Response, case: Case) -> None:
    assert (response.status_code, problem_of(response)) == (case.status, case.type), case.name
    document = response.json()
    assert ("field" in document) == (case.type == "malformed-request")
    if case.field not in {"", "?"}:
        assert document["field"] == case.field, case.name
        assert case.field in document["detail"]
    assert MARK not in response.text, case.name
    assert document.keys() <= {"type", "title", "status", "detail", "field"}
    assert len(response.text) < 500, case.name
    for value in (NUMBER, SID, "script", "999123"):
        assert value not in response.text, case.name


@pytest.mark.parametrize("route", ROUTES)
def test_an_unknown_field_is_named_in_the_answer_and_in_no_log(loop: Loop, route: str):
    started = loop.started()
    logged = len(loop.stack.logs())
    response = loop.post(route.format(started.verification_id), {MARK: "1"})
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", "body")
    assert response.json()["detail"].endswith(f", not {MARK}.")
    assert MARK not in loop.stack.logs()[logged:]


def test_eight_kilobytes_are_taken(loop: Loop):
    to = fresh_number()
    content = json.dumps({"to": to, "action": "code"}).encode()
    padded = content + b" " * (8192 - len(content))
    assert loop.post("/verifications", content=padded).status_code == 202


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {}, {"Content-Type": "application/json"}])
def test_a_body_is_read_whatever_its_type_says(loop: Loop, headers: dict[str, str]):
    content = json.dumps({"to": fresh_number(), "action": "code"}).encode()
    assert loop.post("/verifications", content=content, headers=headers).status_code == 202


WEBHOOKS = ("/twilio/status", "/twilio/message", "/twilio/call")


def webhook_of(path: str, started: Started) -> tuple[str, dict[str, str]]:
    """What Twilio would post to a webhook: the target and the fields."""
    match path:
        case "/twilio/status":
            target = f"{path}?message=1&verification={started.verification_id}"
            return target, {"AccountSid": ACCOUNT_SID, "MessageSid": started.sid, "MessageStatus": "delivered"}
        case "/twilio/message":
            sid = "SM" + "b" * 32
            ours = {"AccountSid": ACCOUNT_SID, "MessageSid": sid, "Body": "yes"}
        case _:
            ours = {"AccountSid": ACCOUNT_SID, "CallSid": "CA" + "b" * 32}
    return path, {**ours, "From": started.to, "To": "+14155550100"}


Post = Callable[[Loop, str, dict[str, str]], httpx.Response]


def without(fields: dict[str, str], name: str) -> dict[str, str]:
    """The fields but one."""
    return {other: value for other, value in fields.items() if other != name}


def with_signature(signature: str) -> Post:
    """Posts the fields under what is no signature of theirs."""
    headers = {"X-Twilio-Signature": signature.encode()}
    return lambda loop, target, fields: loop.post(target, data=fields, headers=headers)


def of_no_account(loop: Loop, target: str, fields: dict[str, str]) -> httpx.Response:
    """Posts fields that name no account, signed."""
    fields = without(fields, "AccountSid")
    return loop.post(target, data=fields, headers={"X-Twilio-Signature": loop.signature(target, fields)})


FORGERIES: dict[str, Post] = {
    "no signature": lambda loop, target, fields: loop.post(target, data=fields),
    **{
        f"signature {signature[:30]!r}": with_signature(signature)
        for signature in ("=", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "\u00e9", "x" * 4000, "")
    },
    "another token": lambda loop, target, fields: loop.webhook(target, fields, token="another"),
    "a foreign account": lambda loop, target, fields: loop.webhook(target, {**fields, "AccountSid": "AC" + "f" * 32}),
    "no account": of_no_account,
    "another address": lambda loop, target, fields: loop.webhook(
        target, fields, signature=loop.signature(f"{target}x", fields)
    ),
    "changed after signing": lambda loop, target, fields: loop.webhook(
        target, {**fields, "Extra": "1"}, signature=loop.signature(target, fields)
    ),
    "a JSON body": lambda loop, target, fields: loop.post(
        target, fields, headers={"X-Twilio-Signature": loop.signature(target, fields)}
    ),
}
NO_FORMS = (b"\xff\xfe=\xff", b"%FF=%FE", b"a" * 9000, b"&a=b" * 300)


@pytest.mark.parametrize("path", WEBHOOKS)
def test_a_webhook_that_twilio_did_not_make_is_refused_and_changes_nothing(loop: Loop, path: str):
    started = loop.started("reply")
    target, fields = webhook_of(path, started)
    logged = len(loop.stack.logs())

    def answer(name: str, response: httpx.Response) -> tuple[int, str]:
        assert started.to not in response.text, name
        return response.status_code, problem_of(response)

    with loop.unchanged():
        for name, post in FORGERIES.items():
            assert answer(name, post(loop, target, fields)) == (403, "invalid-signature"), name
        headers = {"X-Twilio-Signature": "AAAA", "Content-Type": "application/x-www-form-urlencoded"}
        for content in NO_FORMS:
            refused = answer("no form", loop.post(target, content=content, headers=headers))
            assert refused in {(400, "malformed-request"), (403, "invalid-signature")}, content[:20]
        large = loop.webhook(target, {**fields, "Body": "x" * 1_000_000})
        assert answer("1 MB", large) == (413, "payload-too-large")
    assert started.to not in loop.stack.logs()[logged:]
    before = loop.scan()
    assert loop.webhook(target, fields).is_success
    assert loop.scan() != before, "the good one changes something"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", "verification"),
        ("?message=1", "verification"),
        ("?message=1&verification=", "verification"),
        (f"?message=1&verification={MARK}", "verification"),
        ("?verification={0}&verification={0}&message=1", "verification"),
        ("?verification={0}", "message"),
        ("?verification={0}&message=0", "message"),
        ("?verification={0}&message=4", "message"),
        ("?verification={0}&message=%00", "message"),
        ("?verification={0}&message=1&message=2", "message"),
    ],
)
def test_a_signed_callback_for_an_address_that_we_never_gave_is_malformed(loop: Loop, query: str, wanted: str):
    started = loop.started()
    target = f"/twilio/status{query.format(started.verification_id)}"
    with loop.unchanged():
        response = loop.webhook(target, {"MessageSid": started.sid, "MessageStatus": "delivered"})
    assert (response.status_code, problem_of(response), response.json()["field"]) == (400, "malformed-request", wanted)
    assert MARK not in response.text


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"MessageStatus": "delivered"}, "MessageSid"),
        ({"MessageSid": "", "MessageStatus": "delivered"}, "MessageSid"),
        ({"MessageSid": MARK, "MessageStatus": "delivered"}, "MessageSid"),
        ({"MessageSid": "SM" + "g" * 32, "MessageStatus": "delivered"}, "MessageSid"),
        ({"MessageSid": SID}, "MessageStatus"),
    ],
)
def test_a_signed_callback_without_its_fields_is_malformed(loop: Loop, fields: dict[str, str], wanted: str):
    started = loop.started()
    with loop.unchanged():
        response = loop.webhook(f"/twilio/status?message=1&verification={started.verification_id}", fields)
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", wanted)
    assert MARK not in response.text


@pytest.mark.parametrize(
    ("path", "fields", "wanted"),
    [
        ("/twilio/message", {"From": NUMBER, "To": NUMBER}, "MessageSid"),
        ("/twilio/message", {"MessageSid": SID, "From": NUMBER}, "To"),
        ("/twilio/call", {"From": NUMBER, "To": NUMBER}, "CallSid"),
        ("/twilio/call", {"CallSid": "CA" + "c" * 32, "From": NUMBER}, "To"),
    ],
)
def test_a_signed_reply_without_its_fields_is_malformed(loop: Loop, path: str, fields: dict[str, str], wanted: str):
    with loop.unchanged():
        response = loop.webhook(path, fields)
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", wanted)
    assert NUMBER not in response.text


@pytest.mark.parametrize("path", WEBHOOKS)
def test_the_document_requires_of_a_webhook_what_is_refused_without_it(loop: Loop, path: str):
    document = Document()
    (content,) = document.operations()["POST", path]["requestBody"]["content"].values()
    required = document.resolve(content["schema"])["required"]
    target, _ = webhook_of(path, loop.started("reply"))
    shown = dict(content["examples"]["webhook"]["value"])
    ours = shown | {"AccountSid": ACCOUNT_SID}
    assert loop.webhook(target, ours).is_success
    for name in shown.keys() - {"AccountSid"}:
        response = loop.webhook(target, {other: value for other, value in ours.items() if other != name})
        assert response.is_success is (name not in required), name
