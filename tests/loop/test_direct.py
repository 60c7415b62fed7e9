"""`start_directly`, which Step Functions and other Lambdas invoke; and what the API's functions make of such events."""

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest

from local.aws import ACCOUNT_SID
from local.functions import ROOT, FunctionError
from local.stack import LAPTOP
from local.template import Route, Template
from local.webhooks import signature
from otp_feedback.domain.ids import encode_id
from tests.events.conformance import Document
from tests.loop.conftest import Running
from tests.loop.driver import Loop, fresh_number, problem_of

KEY = "execution-17"
IAM = {"iam": {"userId": "AROAEXAMPLEROLEID0001:checkout"}}
SENDING = "/verifications"
CONFIRM = "/verifications/{verification_id}/confirm"
ROUTES = Template(ROOT / "template.yaml", LAPTOP).routes()


def test_it_sends_as_over_http_and_answers_plainly(loop: Loop):
    to = fresh_number()
    answer = loop.stack.invoke("start_directly", {"to": to, "action": "code", "reference": "run-1"})
    (message,) = loop.messages(to)
    assert answer.keys() == {"verification_id", "status", "expires_at", "message"}
    assert answer["message"] == {"number": 1, "status": "accepted", "sid": message["sid"]}
    assert message["status_callback"].startswith(loop.stack.api_url)
    checked = loop.check(answer["verification_id"], loop.code(to), expect={"reference": "run-1"})
    assert checked.json()["status"] == "confirmed"


def test_the_key_in_the_body_makes_a_repeated_invocation_harmless(loop: Loop):
    event = {"to": fresh_number(), "action": "code", "idempotency_key": KEY}
    first = loop.stack.invoke("start_directly", event)
    with loop.unchanged():
        assert loop.stack.invoke("start_directly", event) == first
    refused = loop.stack.invoke("start_directly", {**event, "reference": "other"})
    assert (refused["type"], refused["status"]) == ("urn:otp-feedback:idempotency-conflict", 409)
    assert len(loop.messages(event["to"])) == 1


@pytest.mark.parametrize("subject", ["direct", "start_directly", "\x00", " "])
def test_a_caller_over_http_does_not_share_its_keys(loop: Loop, subject: str):
    start = {"to": fresh_number(), "action": "code"}
    first = loop.stack.invoke("start_directly", {**start, "idempotency_key": KEY})
    loop.advance(31)
    by_token = posed(f"POST {SENDING}", SENDING, start, authorizer={"jwt": {"claims": {"sub": subject}}})
    by_token["headers"]["idempotency-key"] = KEY
    second = json.loads(loop.stack.invoke("send_otp", by_token)["body"])
    assert second["message"]["status"] == "accepted"
    assert second["verification_id"] != first["verification_id"]


@pytest.mark.parametrize("claims", [{"sub": ""}, {}, {"sub": "-"}], ids=str)
def test_nobody_over_http_has_the_direct_entrances_name(loop: Loop, claims: dict[str, str]):
    start = {"to": fresh_number(), "action": "code"}
    loop.stack.invoke("start_directly", {**start, "idempotency_key": KEY})
    by_token = posed(f"POST {SENDING}", SENDING, start, authorizer={"jwt": {"claims": claims}})
    by_token["headers"]["idempotency-key"] = KEY
    with loop.unchanged():
        answer = loop.stack.invoke("send_otp", by_token)
    assert answer["statusCode"] == 403


@pytest.mark.parametrize("name", ["idempotencyKey", "Idempotency-Key", "idempotency_keys"])
def test_a_misspelt_key_is_told_its_name(loop: Loop, name: str):
    with loop.unchanged():
        refused = loop.stack.invoke("start_directly", {"to": fresh_number(), "action": "code", name: KEY})
    told = "" if "-" in name else f", not {name}"
    assert refused["detail"].endswith(f"secret, sid, idempotency_key{told}.")


@pytest.mark.parametrize("name", ["idempotency_key", "idempotencyKey", "Idempotency-Key"])
def test_over_http_a_key_in_the_body_is_told_to_be_a_header(loop: Loop, name: str):
    started = loop.started()
    paths = (SENDING, f"{SENDING}/{started.verification_id}/messages")
    for path, body in zip(paths, ({"to": fresh_number(), "action": "code"}, {}), strict=True):
        with loop.unchanged():
            refused = loop.post(path, {**body, name: KEY})
        assert refused.status_code == 400
        assert refused.json()["field"] == "body"
        assert refused.json()["detail"] == "body takes no idempotency_key: it is the header Idempotency-Key."


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": "+1555"}, "to"),
        ({"to": None}, "to"),
        ({"action": "dance"}, "action"),
        ({"unknown": 1}, "body"),
        ({"idempotency_key": 17}, "idempotency_key"),
        ({"idempotency_key": "a b"}, "idempotency_key"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"secret": "abc"}, "secret"),
        ({"template": "none"}, "template"),
    ],
    ids=str,
)
def test_what_is_wrong_is_answered_with_a_problem_that_echoes_nothing(
    loop: Loop, change: dict[str, object], field: str
):
    event = {"to": fresh_number(), "action": "code", **change}
    with loop.unchanged():
        refused = loop.stack.invoke("start_directly", event)
    assert (refused["type"], refused["status"]) == ("urn:otp-feedback:malformed-request", 400)
    assert change.keys() == {"unknown"} or refused["field"] == field
    for value in (*change.values(), event["to"]):
        assert value in (None, "", 1, 17) or str(value) not in json.dumps(refused)


@pytest.mark.parametrize("event", [{}, [], "text", None, 7, {"Records": []}, {"detail": {}}], ids=str)
def test_an_event_that_is_no_request_is_answered_with_a_problem(loop: Loop, event: object):
    with loop.unchanged():
        assert loop.stack.invoke("start_directly", event)["type"] == "urn:otp-feedback:malformed-request"


def test_a_limit_is_answered_as_over_http(loop: Loop):
    event = {"to": fresh_number(), "action": "code"}
    loop.stack.invoke("start_directly", event)
    with loop.unchanged():
        refused = loop.stack.invoke("start_directly", event)
        assert refused == loop.start(event["to"]).json()
    schema = Document().content["components"]["schemas"]["TooManyMessagesProblem"]
    assert Document().violations(schema, refused) == []


def posed(route: str, path: str, body: Mapping[str, Any], **context: Any) -> dict[str, Any]:
    """An event as API Gateway makes them, by somebody who may only invoke functions."""
    method = route.partition(" ")[0]
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"domainName": "evil.example", "http": {"method": method, "path": path}, **context},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def test_neither_entrance_takes_the_others_events(loop: Loop):
    start = {"to": fresh_number(), "action": "code"}
    authorised = posed(f"POST {SENDING}", SENDING, start, authorizer=IAM)
    with loop.unchanged():
        for for_the_api in (authorised, {**start, "requestContext": {}}, {**start, "requestContext": None}):
            refused = loop.stack.invoke("start_directly", for_the_api)
            assert (refused["status"], refused["field"]) == (400, "requestContext")
        for function in ("send_otp", "confirm_action", "track_delivery"):
            for direct in (start, {**start, "requestContext": None}, {}, None, [start]):
                answer = loop.stack.invoke(function, direct)
                assert (answer["statusCode"], json.loads(answer["body"])["field"]) == (400, "requestContext")


@pytest.fixture
def unfixed(running: Running) -> Loop:
    """A stack whose address only its parameter tells: another name of the laptop's."""
    loop = running(OTP_PUBLIC_BASE_URL="", OTP_BASE_URL_PARAMETER="/tests/base-url")
    with closing(boto3.client("ssm", endpoint_url=loop.stack.aws_url)) as parameters:
        parameters.put_parameter(Name="/tests/base-url", Value=f"{own_address(loop)}/", Type="String", Overwrite=True)
    return loop


def own_address(loop: Loop) -> str:
    return loop.stack.api_url.replace("127.0.0.1", "localhost")


def test_links_and_callbacks_name_the_stacks_own_host_read_once(unfixed: Loop):
    over_http, directly = fresh_number(), fresh_number()
    event = posed(f"POST {SENDING}", SENDING, {"to": over_http, "action": "link"}, authorizer=IAM)
    with unfixed.watching() as calls:
        assert unfixed.stack.invoke("send_otp", event)["statusCode"] == 202
        assert unfixed.start(fresh_number(), "link").status_code == 202
        unfixed.stack.invoke("start_directly", {"to": directly, "action": "link"})
        unfixed.stack.invoke("start_directly", {"to": fresh_number(), "action": "link"})
    assert calls.count("ssm:GetParameter") == 2, "once for each function"
    for to in (over_http, directly):
        (message,) = unfixed.messages(to)
        assert message["status_callback"].startswith(f"{own_address(unfixed)}/twilio/status?")
        assert f"{own_address(unfixed)}/confirm?id=" in message["body"]
        assert unfixed.deliver(message["sid"], "delivered")["response_status"] == 204


@pytest.mark.parametrize(
    ("function", "path"),
    [("confirm_action", "/twilio/message"), ("confirm_action", "/twilio/call"), ("track_delivery", "/twilio/status")],
)
def test_a_webhook_signed_for_the_events_host_is_refused(unfixed: Loop, function: str, path: str):
    form = {"AccountSid": ACCOUNT_SID, "To": "+14155550100", "From": fresh_number(), "CallSid": "CA" + "0" * 32}
    for host, refused in (("https://evil.example", True), (own_address(unfixed), False)):
        event = posed(f"POST {path}", path, {})
        event |= {"body": urlencode(form), "headers": {"x-twilio-signature": signature(f"{host}{path}", form)}}
        assert (unfixed.stack.invoke(function, event)["statusCode"] == 403) is refused


def test_without_its_address_a_stack_is_unavailable_and_says_so_to_be_tried_again(running: Running):
    loop = running(OTP_PUBLIC_BASE_URL="", OTP_BASE_URL_PARAMETER="/tests/no-such-parameter")
    to = fresh_number()
    with loop.unchanged():
        assert problem_of(loop.start(to)) == "unavailable"
        with pytest.raises(FunctionError, match=r"^start_directly: Unavailable: "):
            loop.stack.invoke("start_directly", {"to": to, "action": "code"})
    assert loop.messages(to) == []


@pytest.mark.parametrize("route", ["POST /confirm", f"POST {CONFIRM}", "POST /twilio/message", "$default", None])
@pytest.mark.parametrize(
    "authorizer",
    [None, {}, {"iam": {}}, {"iam": {"userId": ""}}, {"jwt": {"claims": {"sub": ""}}}, {"lambda": {"sub": "me"}}],
    ids=str,
)
def test_callers_routes_believe_no_event_without_an_authoriser(
    loop: Loop, route: str | None, authorizer: dict[str, Any] | None
):
    started = loop.started("caller", secret="M4K8WZ")
    path = CONFIRM.replace("{verification_id}", started.verification_id)
    event = posed("POST /confirm", path, {}, **({} if authorizer is None else {"authorizer": authorizer}))
    event |= {"routeKey": route, "pathParameters": {"verification_id": started.verification_id}}
    with loop.unchanged():
        answer = loop.stack.invoke("confirm_action", event)
    refused = (403, "urn:otp-feedback:forbidden") if route == f"POST {CONFIRM}" else (404, "urn:otp-feedback:not-found")
    assert (answer["statusCode"], json.loads(answer["body"])["type"]) == refused


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_function_asks_for_a_caller_wherever_the_template_does(loop: Loop, route: Route):
    unknown = encode_id(bytes(16))
    event = posed(f"{route.method} {route.path}", route.path.replace("{verification_id}", unknown), {})
    event["pathParameters"] = {"verification_id": unknown} if "{" in route.path else None
    with loop.unchanged():
        answer = loop.stack.invoke(route.function, event)
    forbidden = "urn:otp-feedback:forbidden" in answer["body"]
    assert forbidden is (route.authorisation != "none")
    assert (answer["statusCode"] == 403) is (forbidden or route.path.startswith("/twilio/"))


def test_with_one_they_do(loop: Loop):
    started = loop.started("caller", secret="M4K8WZ")
    path = CONFIRM.replace("{verification_id}", started.verification_id)
    event = posed(f"POST {CONFIRM}", path, {}, authorizer=IAM)
    event["pathParameters"] = {"verification_id": started.verification_id}
    assert loop.stack.invoke("confirm_action", event)["statusCode"] == 200
