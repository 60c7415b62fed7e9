"""API Gateway's events in, responses out: bodies, callers, routes, and what is not put into answers and logs."""

import base64
import itertools
import json
import logging
from collections.abc import Callable
from functools import partial
from inspect import signature
from types import SimpleNamespace
from typing import Any, override

import pytest
from aws_lambda_powertools import Logger
from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.request_log import RequestJournal
from otp_feedback.adapters.web.function import HttpFunction
from otp_feedback.adapters.web.problems import Response
from otp_feedback.adapters.web.request import MAX_BODY_BYTES, HttpRequest, convert, decode
from otp_feedback.adapters.web.wire import CheckBody, StartBody
from otp_feedback.domain.errors import (
    ConfigurationError,
    MalformedRequest,
    PayloadTooLarge,
    Problem,
    Unavailable,
    UnknownVerification,
)

V = "A" * 22
_serial = itertools.count()
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 28_000)


def event(method: str = "POST", path: str = "/things", **facts: Any) -> dict[str, Any]:
    """An event of payload format 2.0."""
    authorizer = facts.pop("authorizer", None)
    facts = {"routeKey": f"{method} {path}", "rawPath": path} | facts
    context: dict[str, Any] = {
        "requestId": "request-1",
        "domainName": "api.example.com",
        "stage": "$default",
        "http": {"method": method, "path": path},
    }
    if authorizer is not None:
        context["authorizer"] = authorizer
    return {"version": "2.0", "requestContext": context, **facts}


def request(**facts: Any) -> HttpRequest:
    """A request to a route with no path parameters."""
    return HttpRequest(event(**facts), {}, RequestJournal(Logger(service="test"), "test"))


@pytest.mark.parametrize(
    ("facts", "body"),
    [
        ({}, b""),
        ({"body": None}, b""),
        ({"body": "text é"}, "text é".encode()),
        ({"body": base64.b64encode(b"\xff\x00").decode(), "isBase64Encoded": True}, b"\xff\x00"),
        ({"body": "", "isBase64Encoded": True}, b""),
        ({"body": "a" * MAX_BODY_BYTES}, b"a" * MAX_BODY_BYTES),
        ({"body": base64.b64encode(b"a" * MAX_BODY_BYTES).decode(), "isBase64Encoded": True}, b"a" * MAX_BODY_BYTES),
    ],
)
def test_a_body_is_its_bytes(facts: dict[str, Any], body: bytes):
    assert request(**facts).body() == body


@pytest.mark.parametrize(
    "facts",
    [
        {"body": "a" * (MAX_BODY_BYTES + 1)},
        {"body": "é" * MAX_BODY_BYTES},
        {"body": base64.b64encode(b"a" * (MAX_BODY_BYTES + 1)).decode(), "isBase64Encoded": True},
        {"body": "!" * 10_000_000, "isBase64Encoded": True},
    ],
)
def test_a_large_body_is_refused(facts: dict[str, Any]):
    with pytest.raises(PayloadTooLarge):
        request(**facts).body()


@pytest.mark.parametrize("body", ["!", "YQ", "Y Q=", "é"])
def test_bad_base64_is_malformed(body: str):
    with pytest.raises(MalformedRequest) as raised:
        request(body=body, isBase64Encoded=True).body()
    assert raised.value.field == "body"


@pytest.mark.parametrize(
    ("authorizer", "caller"),
    [
        (None, "-"),
        ({}, "-"),
        ({"iam": {"userId": "AIDAUSER"}}, "AIDAUSER"),
        ({"iam": {"userId": "AROAROLE:session-1"}}, "AROAROLE"),
        ({"jwt": {"claims": {"sub": "user-7"}, "scopes": None}}, "user-7"),
        ({"jwt": {"claims": {}}}, "-"),
        ({"jwt": {"claims": None}}, "-"),
        ({"jwt": {"claims": {"sub": ""}}}, "-"),
        ({"jwt": {"claims": {"sub": 7}}}, "-"),
        ({"iam": None}, "-"),
        ({"iam": {"userId": ""}}, "-"),
        ({"iam": {"userId": ":session"}}, "-"),
        ({"iam": {"userId": ["AIDAUSER"]}}, "-"),
        ({"lambda": {"userId": "AIDAUSER"}}, "-"),
        ("AIDAUSER", "-"),
    ],
)
def test_the_caller_is_the_principal_without_its_session(authorizer: Any, caller: str):
    assert request(authorizer=authorizer).caller == caller


@pytest.mark.parametrize("value", ["k", "x" * 255, "a/b+c=~!"])
def test_an_idempotency_key_is_visible_ascii(value: str):
    assert request(headers={"idempotency-key": value}).idempotency_key == value


@pytest.mark.parametrize("value", ["", " ", "a b", "x" * 256, "é", "a\n"])
def test_another_one_is_malformed(value: str):
    with pytest.raises(MalformedRequest) as raised:
        _ = request(headers={"idempotency-key": value}).idempotency_key
    assert raised.value.field == "Idempotency-Key"


@pytest.mark.parametrize("verification_id", ["", "x", V + "A", "A" * 21 + "B", "é" * 22])
def test_an_id_that_cannot_exist_is_unknown(verification_id: str):
    there = HttpRequest(event(), {"verification_id": verification_id}, RequestJournal(Logger(service="test"), "test"))
    with pytest.raises(UnknownVerification):
        _ = there.verification_id


def test_a_sid_has_one_spelling():
    body = {"to": "+4915112345678", "action": "caller", "sid": "SM" + "a" * 32}
    convert(body, StartBody)
    with pytest.raises(MalformedRequest) as raised:
        convert(body | {"sid": "SM" + "A" * 32}, StartBody)
    assert raised.value.field == "sid"


def test_a_form_keeps_blank_and_repeated_fields_in_their_order():
    body = base64.b64encode(b"b=2&a=&b=1&c=%C3%A9+%2B").decode()
    assert request(body=body, isBase64Encoded=True).form() == [("b", "2"), ("a", ""), ("b", "1"), ("c", "é +")]


@pytest.mark.parametrize("raw", [b"\xff", b"a=%FF", b"&".join([b"a=1"] * 201)])
def test_a_form_that_is_none_is_malformed(raw: bytes):
    with pytest.raises(MalformedRequest):
        request(body=base64.b64encode(raw).decode(), isBase64Encoded=True).form()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = set(StartBody.__struct_fields__) | set(CheckBody.__struct_fields__) | {"body", "expect.to", "expect.reference"}


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_malformed(raw: bytes):
    for wire_type in (StartBody, CheckBody):
        assert refused_field(partial(decode, raw, wire_type)) in FIELDS | {None}


@given(JSON)
def test_any_value_decodes_or_is_malformed_alike_over_http_and_directly(value: Any):
    over_http = refused_field(partial(decode, json.dumps(value).encode(), StartBody))
    directly = refused_field(partial(convert, value, StartBody))
    assert {over_http, directly} <= FIELDS | {None}
    assert (over_http is None) is (directly is None)


def refused_field(attempt: Callable[[], object]) -> str | None:
    """The field for which a body is refused; None where it is taken."""
    try:
        attempt()
    except MalformedRequest as problem:
        return problem.field
    return None


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, b'{"expect":' * 5000])
def test_nesting_without_end_is_malformed(raw: bytes):
    with pytest.raises(MalformedRequest):
        decode(raw, CheckBody)


SIGNED = {"iam": {"userId": "AIDAUSER"}}


class Function:
    """A function whose routes the test sets, and the lines it logged."""

    def __init__(self, lines: list[str], *, unsigned_callers: bool = False) -> None:
        self._lines = lines
        self.answer: Response | Exception = Response(200, "{}")
        # Powertools keeps one logger for each name, with the handler of whoever made it first.
        logger = Logger(service=f"test-http-{next(_serial)}", logger_handler=_Collector(lines))
        self._handler = HttpFunction(
            "test",
            logger,
            Invocation(),
            callers={("POST", "/things/{name}"): self._route},
            public={("GET", "/page"): self._route, ("HEAD", "/page"): self._route},
            unsigned_callers=unsigned_callers,
        )
        self.reached = 0

    def _route(self, _request: HttpRequest) -> Response:
        self.reached += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def call(self, **facts: Any) -> dict[str, Any]:
        """Answer an event, of an authorised caller's request unless told otherwise."""
        caller = {"routeKey": "POST /things/{name}", "pathParameters": {"name": "a"}, "authorizer": SIGNED}
        return self.answer_to(event(**{"path": "/things/a", **caller, **facts}))

    def answer_to(self, event: Any) -> dict[str, Any]:
        """Answer any event."""
        return self._handler(event, CONTEXT)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines logged so far."""
        return [json.loads(line) for line in self._lines]


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@pytest.fixture
def function() -> Function:
    """A function with one route."""
    return Function([])


def test_an_answer_carries_its_status_type_and_headers(function: Function):
    function.answer = Response(202, '{"a": 1}', headers={"Cache-Control": "no-store"})
    answer = function.call()
    assert (answer["statusCode"], answer["body"], answer["isBase64Encoded"]) == (202, '{"a": 1}', False)
    assert {name.lower(): value for name, value in answer["headers"].items()} == {
        "content-type": "application/json",
        "cache-control": "no-store",
    }


def test_one_wide_line_is_logged_for_each_request(function: Function):
    function.call()
    (line,) = function.lines
    assert line["message"] == "request"
    assert (line["correlation_id"], line["status"]) == ("request-1", 200)
    assert line["duration_ms"] >= 0


def test_a_problem_is_its_document_and_its_name_is_logged(function: Function):
    function.answer = MalformedRequest("to", "must be a number")
    answer = function.call(body='{"to": "hidden-value"}')
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["field"] == "to"
    (line,) = function.lines
    assert (line["outcome"], line["field"], line["status"]) == ("malformed-request", "to", 400)
    assert "hidden-value" not in json.dumps(line)


def test_a_wrong_deployment_is_unavailable_and_its_variable_logged(function: Function):
    function.answer = ConfigurationError("twilio_auth_token", "is missing")
    answer = function.call()
    assert answer["statusCode"] == 503
    assert json.loads(answer["body"])["type"] == "urn:otp-feedback:unavailable"
    assert "twilio_auth_token" not in answer["body"]
    assert "twilio_auth_token" in json.dumps(function.lines)


def test_a_fault_of_ours_is_logged_counted_and_answered_as_one_that_may_pass(
    function: Function, capsys: pytest.CaptureFixture[str]
):
    function.answer = RuntimeError("a bug")
    answer = function.call()
    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"] == "60"
    assert "a bug" not in answer["body"]
    assert any("RuntimeError: a bug" in line.get("exception", "") for line in function.lines)
    assert any(line["message"] == "request" and line["outcome"] == "fault" for line in function.lines)
    assert '"Fault":[1.0]' in capsys.readouterr().out


def test_what_is_unavailable_is_counted_and_nothing_else_is(function: Function, capsys: pytest.CaptureFixture[str]):
    function.answer = Unavailable()
    assert function.call()["statusCode"] == 503
    out = capsys.readouterr().out
    assert '"Unavailable":[1.0]' in out
    assert "Fault" not in out
    function.answer = UnknownVerification()
    function.call()
    assert "Unavailable" not in capsys.readouterr().out


@pytest.mark.parametrize("answer", [Response(200, "{}"), Unavailable(), UnknownVerification(), RuntimeError("a bug")])
def test_no_answer_may_be_stored(function: Function, answer: Response | Exception):
    function.answer = answer
    assert function.call()["headers"]["Cache-Control"] == "no-store"
    assert function.call(path="/nowhere")["headers"]["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/things", "/things/a/b", "/things/", "/page", "/things/b", "/things/{name}"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_route_key_that_does_not_fit_method_and_path_is_not_found(function: Function, method: str, path: str):
    for key in ("POST /things/{name}", "GET /page", f"{method} {path}", "$default", "", None, 7, ["GET /page"]):
        if (method, path, key) != ("GET", "/page", "GET /page"):
            answer = function.call(method=method, path=path, routeKey=key)
            assert answer["statusCode"] == 404
            assert json.loads(answer["body"])["type"] == "urn:otp-feedback:not-found"
    assert function.reached == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_public_route_asks_for_no_caller(function: Function, method: str):
    assert function.answer_to(event(method, "/page"))["statusCode"] == 200


def test_a_callers_route_answers_nobody_unless_that_was_chosen():
    strict, lax = Function([]), Function([], unsigned_callers=True)
    assert strict.call(authorizer=None)["statusCode"] == 403
    assert strict.reached == 0
    assert lax.call(authorizer=None)["statusCode"] == 200


@pytest.mark.parametrize("key", ["hidden-value", "POST /hidden-value"])
def test_a_route_key_that_is_none_of_ours_is_not_logged(function: Function, key: str):
    function.call(routeKey=key)
    assert "hidden-value" not in json.dumps(function.lines)


@given(JSON)
def test_any_event_is_answered(value: Any):
    function = Function([])
    for given_event in (value, {"requestContext": value}, event(authorizer=value, pathParameters=value)):
        assert function.answer_to(given_event)["statusCode"] in {400, 404}


def test_a_request_does_not_see_what_the_one_before_left(function: Function):
    function.answer = UnknownVerification()
    function.call()
    function.answer = Response(200)
    function.call()
    assert "outcome" not in function.lines[-1]


def test_every_problem_is_answered_not_raised(function: Function):
    for kind in Problem.__subclasses__():
        function.answer = _plain(kind)
        assert function.call()["statusCode"] >= 400


def _plain(kind: type[Problem]) -> Problem:
    parameters = signature(kind).parameters.values()
    return kind(*("to" if parameter.annotation is str else 1 for parameter in parameters))  # type: ignore[arg-type]


IMITATED = ["at `$.my_private`", " - at `$.my_private", "x` - at `$.my_private", "missing required field `my_private`"]


@pytest.mark.parametrize("text", [*IMITATED, "Object missing required field `my_private"])
def test_what_imitates_the_parsers_words_is_not_echoed(text: str):
    for body in ({"to": "+4915112345678", "action": text}, {"to": "+4915112345678", "action": "code", text: 1}):
        with pytest.raises(MalformedRequest) as raised:
            convert(body, StartBody)
        assert raised.value.field in {"action", "body"}
        assert "private" not in str(raised.value)
