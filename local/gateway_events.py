"""What API Gateway's HTTP API makes of a request and of a function's answer (payload format 2.0).

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.template import PSEUDO_PARAMETERS, Authorisation, Route

TEXT_TYPES = frozenset({"application/json", "application/xml", "application/javascript"})
"""Beside `text/*` the content types whose bodies API Gateway passes on as text; all others are base64, also none."""
DEFAULT_CALLER = "LOCALCALLER:dev"

_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 .*Credential=([^/,\s]+)/", re.DOTALL)


class InvalidResponse(ValueError):
    """A function's answer that API Gateway would refuse; it answers 500 in its place."""


@dataclass(frozen=True)
class ArrivedRequest:
    """A request as it arrived: `path` and `query` still encoded, header names lower-case, repeated ones joined."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str = "127.0.0.1"
    protocol: str = "HTTP/1.1"


@dataclass(frozen=True)
class HttpAnswer:
    """The answer to be sent; a header may stand in it several times."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def match(route: Route, path: str) -> dict[str, str] | None:
    """The decoded path parameters if an encoded path is the route's, else None."""
    wanted, given = route.path.split("/"), path.split("/")
    parameters: dict[str, str] = {}
    for position, part in enumerate(wanted):
        if part.startswith("{") and part.endswith("+}"):
            rest = "/".join(given[position:])
            return {**parameters, part[1:-2]: unquote(rest)} if rest else None
        if position >= len(given):
            return None
        if part.startswith("{"):
            if not given[position]:
                return None
            parameters[part[1:-1]] = unquote(given[position])
        elif part != unquote(given[position]):
            return None
    return parameters if len(wanted) == len(given) else None


def to_event(request: ArrivedRequest, route: Route, parameters: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    """The event that a function gets for a request.

    API Gateway decodes the path before it passes it on, and takes cookies out of the headers.
    """
    key = f"{route.method} {route.path}"
    path = unquote(request.path)
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    host = urlsplit(f"//{request.headers.get('host', 'localhost')}")
    hops = [request.headers["x-forwarded-for"]] if "x-forwarded-for" in request.headers else []
    headers = {name: value for name, value in request.headers.items() if name != "cookie"} | {
        "x-amzn-trace-id": f"Root=1-{now_ms // 1000:08x}-{secrets.token_hex(12)}",
        "x-forwarded-for": ", ".join([*hops, request.source_ip]),
        "x-forwarded-port": str(host.port or 80),
        "x-forwarded-proto": "http",
    }
    event: dict[str, Any] = {"version": "2.0", "routeKey": key, "rawPath": path, "rawQueryString": request.query}
    if "cookie" in request.headers:
        event["cookies"] = [cookie.strip() for cookie in request.headers["cookie"].split(";")]
    event["headers"] = headers
    if request.query:
        event["queryStringParameters"] = _query_parameters(request.query)
    context: dict[str, Any] = {
        "accountId": PSEUDO_PARAMETERS["AWS::AccountId"],
        "apiId": "laptop",
        "domainName": host.hostname,
        "domainPrefix": "laptop",
        "http": {
            "method": request.method,
            "path": path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": secrets.token_urlsafe(11),
        "routeKey": key,
        "stage": "$default",
        "time": moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": now_ms,
    }
    if route.authorisation != "none":
        context["authorizer"] = _authorizer(request.headers.get("authorization", ""), route.authorisation)
    event["requestContext"] = context
    if parameters:
        event["pathParameters"] = dict(parameters)
    body, encoded = _body(request)
    if body:
        event["body"] = body
    event["isBase64Encoded"] = encoded
    return event


def from_result(result: Any, *, head: bool = False) -> HttpAnswer:
    """The HTTP answer that API Gateway makes of a function's result.

    Raises
    ------
    InvalidResponse
        API Gateway would answer 500.
    """
    if not isinstance(result, dict) or "statusCode" not in result:
        body = b"" if result is None else json.dumps(result).encode()
        return HttpAnswer(200, (("content-type", "application/json"),), b"" if head else body)
    status = result["statusCode"]
    if isinstance(status, bool) or not isinstance(status, int | str) or not re.fullmatch(r"[1-5][0-9]{2}", str(status)):
        raise InvalidResponse("statusCode is no HTTP status")
    text, given = result.get("body", ""), result.get("headers", {})
    text, given = "" if text is None else text, {} if given is None else given
    if not isinstance(text, str) or not isinstance(given, dict):
        raise InvalidResponse("body must be a string and headers an object")
    headers = {str(name).lower(): _header_value(value) for name, value in given.items()}
    headers.setdefault("content-type", "text/plain; charset=utf-8")
    headers.pop("content-length", None)
    cookies = [("set-cookie", str(cookie)) for cookie in result.get("cookies") or []]
    try:
        body = base64.b64decode(text, validate=True) if result.get("isBase64Encoded") else text.encode()
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidResponse("the body cannot be decoded") from error
    return HttpAnswer(int(status), (*headers.items(), *cookies), b"" if head else body)


def _header_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _query_parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _body(request: ArrivedRequest) -> tuple[str, bool]:
    if not request.body:
        return "", False
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in TEXT_TYPES or media_type.startswith("text/"):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


def _authorizer(header: str, authorisation: Authorisation) -> dict[str, Any]:
    """Who calls, as the header says; nothing is verified on the laptop."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" or authorisation == "jwt":
        return {"jwt": {"claims": _claims(token), "scopes": None}}
    credential = _CREDENTIAL.match(header)
    user = credential[1] if credential else DEFAULT_CALLER
    account = PSEUDO_PARAMETERS["AWS::AccountId"]
    return {
        "iam": {
            "accessKey": credential[1] if credential else "LOCALCALLER",
            "accountId": account,
            "callerId": user,
            "cognitoIdentity": None,
            "principalOrgId": "o-laptop",
            "userArn": f"arn:aws:iam::{account}:user/laptop",
            "userId": user,
        }
    }


def _claims(token: str) -> dict[str, str]:
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        claims = None
    if not isinstance(claims, dict):
        return {"sub": DEFAULT_CALLER}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in claims.items()}
