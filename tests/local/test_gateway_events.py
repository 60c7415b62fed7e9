"""Requests and answers as API Gateway's HTTP API makes them (payload format 2.0)."""

import base64
import json
from typing import Any

import pytest

from local.gateway_events import (
    DEFAULT_CALLER,
    ArrivedRequest,
    HttpAnswer,
    InvalidResponse,
    from_result,
    match,
    to_event,
)
from local.template import Authorisation, Route

NOW = 1_583_348_638_390


def event(
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    query: str = "",
    path: str = "/confirm",
    authorisation: Authorisation = "none",
) -> dict[str, Any]:
    request = ArrivedRequest("POST", path, query, {"host": "127.0.0.1:8080", **(headers or {})}, body)
    return to_event(request, Route("POST", "/confirm", "confirm_action", authorisation), {}, NOW)


def test_the_whole_event():
    request = ArrivedRequest(
        "POST",
        "/verifications/a%20b/check",
        "a=1&a=2&b=&c=%C3%A9+x",
        {
            "host": "127.0.0.1:8080",
            "content-type": "application/json; charset=utf-8",
            "cookie": "one=1; two=2",
            "user-agent": "curl/8",
            "x-forwarded-for": "203.0.113.9",
        },
        '{"é": 1}'.encode(),
    )
    route = Route("POST", "/verifications/{verification_id}/check", "confirm_action", "none")
    made = to_event(request, route, {"verification_id": "a b"}, NOW)
    headers, context = made.pop("headers"), made.pop("requestContext")
    assert made == {
        "version": "2.0",
        "routeKey": "POST /verifications/{verification_id}/check",
        "rawPath": "/verifications/a b/check",
        "rawQueryString": "a=1&a=2&b=&c=%C3%A9+x",
        "cookies": ["one=1", "two=2"],
        "queryStringParameters": {"a": "1,2", "b": "", "c": "é x"},
        "pathParameters": {"verification_id": "a b"},
        "body": '{"é": 1}',
        "isBase64Encoded": False,
    }
    assert headers.pop("x-amzn-trace-id").startswith("Root=1-")
    assert headers == {
        "host": "127.0.0.1:8080",
        "content-type": "application/json; charset=utf-8",
        "user-agent": "curl/8",
        "x-forwarded-for": "203.0.113.9, 127.0.0.1",
        "x-forwarded-port": "8080",
        "x-forwarded-proto": "http",
    }
    assert len(context.pop("requestId")) > 10
    assert context == {
        "accountId": "123456789012",
        "apiId": "laptop",
        "domainName": "127.0.0.1",
        "domainPrefix": "laptop",
        "http": {
            "method": "POST",
            "path": "/verifications/a b/check",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "curl/8",
        },
        "routeKey": "POST /verifications/{verification_id}/check",
        "stage": "$default",
        "time": "04/Mar/2020:19:03:58 +0000",
        "timeEpoch": NOW,
    }


def test_what_is_not_there_is_left_out():
    assert event().keys() & {"body", "cookies", "queryStringParameters", "pathParameters"} == set()
    assert event()["isBase64Encoded"] is False


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "APPLICATION/XML", "application/javascript"]
)
def test_text_is_passed_on_as_text(content_type: str):
    made = event({"content-type": content_type}, b"hello")
    assert (made["body"], made["isBase64Encoded"]) == ("hello", False)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"id=1"),
        ("application/octet-stream", b"\x00"),
        ("application/problem+json", b"{}"),
        ("", b"{}"),
        ("application/json", b'{"a": "\xff"}'),
    ],
)
def test_all_else_is_passed_on_as_base64(content_type: str, body: bytes):
    made = event({"content-type": content_type} if content_type else {}, body)
    assert (base64.b64decode(made["body"]), made["isBase64Encoded"]) == (body, True)


def jwt(claims: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.x"


@pytest.mark.parametrize(
    ("header", "user_id"),
    [
        ("", DEFAULT_CALLER),
        ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/execute-api/aws4_request", "AKIDEXAMPLE"),
        ("AWS4-HMAC-SHA256 SignedHeaders=host, Credential=AROA:session/20260101/x", "AROA:session"),
        ("AWS4-HMAC-SHA256 nothing", DEFAULT_CALLER),
        ("Basic eDp5", DEFAULT_CALLER),
    ],
)
def test_an_iam_caller(header: str, user_id: str):
    made = event({"authorization": header} if header else {}, authorisation="iam")
    assert made["requestContext"]["authorizer"]["iam"]["userId"] == user_id


@pytest.mark.parametrize(
    ("token", "claims"),
    [
        (jwt({"sub": "client", "exp": 5}), {"sub": "client", "exp": "5"}),
        ("nonsense", {"sub": DEFAULT_CALLER}),
        ("a.!.c", {"sub": DEFAULT_CALLER}),
        (jwt([1]), {"sub": DEFAULT_CALLER}),
    ],
)
def test_a_caller_with_a_token(token: str, claims: dict[str, str]):
    made = event({"authorization": f"Bearer {token}"}, authorisation="iam")
    assert made["requestContext"]["authorizer"]["jwt"]["claims"] == claims


def test_public_routes_know_no_caller():
    header = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/x"
    assert "authorizer" not in event({"authorization": header})["requestContext"]


@pytest.mark.parametrize(
    ("path", "given", "parameters"),
    [
        ("/confirm", "/confirm", {}),
        ("/confirm", "/confirm/", None),
        ("/confirm", "/Confirm", None),
        ("/confirm", "/%63onfirm", {}),
        ("/v/{id}", "/v/a%2Fb", {"id": "a/b"}),
        ("/v/{id}", "/v/", None),
        ("/v/{id}", "/v", None),
        ("/v/{id}/check", "/v/1/check", {"id": "1"}),
        ("/v/{id}/check", "/v/1", None),
        ("/{all+}", "/a/b", {"all": "a/b"}),
        ("/{all+}", "/", None),
    ],
)
def test_routes(path: str, given: str, parameters: dict[str, str] | None):
    assert match(Route("GET", path, "x", "none"), given) == parameters


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"a": 1}, HttpAnswer(200, (("content-type", "application/json"),), b'{"a": 1}')),
        ("text", HttpAnswer(200, (("content-type", "application/json"),), b'"text"')),
        (None, HttpAnswer(200, (("content-type", "application/json"),), b"")),
        ({"statusCode": 204}, HttpAnswer(204, (("content-type", "text/plain; charset=utf-8"),), b"")),
        (
            {"statusCode": "201", "headers": {"Content-Type": "x/y", "X-N": 5, "X-B": True}, "body": "é"},
            HttpAnswer(201, (("content-type", "x/y"), ("x-n", "5"), ("x-b", "true")), "é".encode()),
        ),
        (
            {"statusCode": 200, "headers": {"content-type": "x/y"}, "cookies": ["a=1", "b=2"], "body": None},
            HttpAnswer(200, (("content-type", "x/y"), ("set-cookie", "a=1"), ("set-cookie", "b=2")), b""),
        ),
        (
            {"statusCode": 200, "headers": {"content-type": "x/y"}, "body": "AAE=", "isBase64Encoded": True},
            HttpAnswer(200, (("content-type", "x/y"),), b"\x00\x01"),
        ),
    ],
)
def test_answers(result: Any, expected: HttpAnswer):
    assert from_result(result) == expected


def test_an_answer_to_head_has_no_body():
    assert from_result({"statusCode": 200, "body": "page"}, head=True).body == b""


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": 99},
        {"statusCode": True},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "body": "!", "isBase64Encoded": True},
    ],
)
def test_answers_that_api_gateway_refuses(result: Any):
    with pytest.raises(InvalidResponse):
        from_result(result)
