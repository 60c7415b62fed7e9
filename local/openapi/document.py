"""The whole document (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.0)."""

import tomllib
from collections.abc import Sequence
from typing import Any, override

import yaml

from local.functions import ROOT
from local.openapi import problems
from local.openapi.callers import CALLERS
from local.openapi.links import LINKS, PAGE_HEADERS
from local.openapi.operation import JSON, Answer, Body, Examples, Operation
from local.openapi.schemas import wire_schemas
from local.openapi.webhooks import WEBHOOKS
from otp_feedback.adapters.web.page import security_headers
from otp_feedback.adapters.web.problems import MEDIA_TYPE, STATUS

OPERATIONS = CALLERS + LINKS + WEBHOOKS

_TAGS = {
    "caller": ("Verifications", "For the stack's owner: IAM, or JWT where the stack names an issuer."),
    "public": ("Links", "For whoever got a link."),
    "twilio": ("Webhooks", "For Twilio alone, which signs what it sends."),
}
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "caller": [{"AwsSigV4": []}, {"Token": []}],
    "public": [],
    "twilio": [{"TwilioSignature": []}],
}
_DESCRIPTION = """\
Sends one-time passwords and other confirmation messages through Twilio, knows which message each user acted on, and
tells Twilio so.

Errors are `application/problem+json` (RFC 9457); `type` is `urn:otp-feedback:` and a name that does not change. What
API Gateway itself answers (a caller without authorisation, throttling, a fault) is a JSON object with a `message`.

Without the API, the function `start_directly` (AWS Lambda `Invoke`; the stack's output `SendFunctionArn`) takes the
body of `POST /verifications`, and the `Idempotency-Key` in it as `idempotency_key`. It returns what the body of the
answer would be, a problem's as well. As an error it raises only what may pass or be mended: `Unavailable`,
faults and misconfiguration.
"""
_GATEWAY = {
    401: ("Unauthorized", "the token is missing or not accepted."),
    403: ("Forbidden", "the request is not signed, or its signer may not call this."),
    413: ("Request Entity Too Large", "the body is larger than 10 MB."),
    429: ("Too Many Requests", "the route is throttled."),
    500: ("Internal Server Error", "the function failed."),
    503: ("Service Unavailable", "the function cannot run at the moment."),
}
"""What API Gateway answers in a function's place."""


def document() -> dict[str, Any]:
    """The API's document as plain values."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OTP Feedback",
            "version": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
            "description": _DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {
                "url": "https://{api_id}.execute-api.{region}.amazonaws.com",
                "description": "A deployed stack: its output ApiUrl",
                "variables": {"api_id": {"default": "a1b2c3d4e5"}, "region": {"default": "us-east-1"}},
            },
            {"url": "http://127.0.0.1:8080", "description": "The laptop stack: make dev"},
        ],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.values()],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {_gateway_name(status): _gateway_response(status) for status in _GATEWAY},
            "parameters": _parameters(),
            "headers": _headers(),
            "examples": {problems.schema_name(kind): problems.example(kind) for kind in STATUS},
            "securitySchemes": _security_schemes(),
        },
    }


def to_yaml(value: dict[str, Any]) -> str:
    """The document as it is committed: in the order given, without anchors."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"# Written by `make openapi` from the code; a test compares the two.\n{text}"


class _Dumper(yaml.SafeDumper):
    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [_TAGS[operation.caller][0]],
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.description,
        "security": _SECURITY[operation.caller],
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body is not None:
        described["requestBody"] = _body(operation.body)
    described["responses"] = {str(status): _response(operation, status) for status in _statuses(operation)}
    return described


def _body(body: Body) -> dict[str, Any]:
    content = {"schema": body.schema, "examples": _examples(body.examples)}
    return {"required": body.required, "content": {body.media_type: content}}


def _examples(values: Examples) -> dict[str, Any]:
    return {name.replace(" ", "-"): {"value": value} for name, value in values.items()}


def _statuses(operation: Operation) -> list[int]:
    own = {answer.status for answer in operation.answers}
    return sorted(own | {STATUS[kind] for kind in operation.problems} | _gateway_statuses(operation))


def _gateway_statuses(operation: Operation) -> set[int]:
    authorised = {401, 403} if operation.caller == "caller" else set()
    return {429, 500, 503} | authorised | ({413} if operation.body is not None else set())


def _response(operation: Operation, status: int) -> dict[str, Any]:
    answers = [answer for answer in operation.answers if answer.status == status]
    kinds = [kind for kind in operation.problems if STATUS[kind] == status]
    by_gateway = status in _gateway_statuses(operation)
    if not answers and not kinds and operation.method != "HEAD":
        return {"$ref": f"#/components/responses/{_gateway_name(status)}"}
    described = [answer.description for answer in answers] + [problems.summary(kind) for kind in kinds]
    content = {
        answer.media_type: {"schema": answer.schema}
        | ({"examples": _examples(answer.examples)} if answer.examples else {})
        for answer in answers
        if answer.media_type is not None
    }
    if kinds:
        shown = {kind.name: {"$ref": f"#/components/examples/{problems.schema_name(kind)}"} for kind in kinds}
        content[MEDIA_TYPE] = {"schema": problems.one_of(kinds), "examples": shown}
    if by_gateway:
        response = _gateway_response(status)
        described.append(response["description"])
        content |= response["content"]
    headers = _response_headers([] if by_gateway else answers, retry=any(map(problems.retry_after, kinds)))
    return {
        "description": " · ".join(described),
        **({"headers": headers} if headers else {}),
        **({"content": content} if content and operation.method != "HEAD" else {}),
        **({"links": _links()} if operation.continues and answers else {}),
    }


def _response_headers(answers: Sequence[Answer], *, retry: bool) -> dict[str, Any]:
    names = {name: component for answer in answers for name, component in answer.headers.items()}
    names |= {"Retry-After": "RetryAfter"} if retry else {}
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in names.items()}


def _links() -> dict[str, Any]:
    """To the routes that take the verification which an answer names."""
    return {
        operation.operation_id: {
            "operationId": operation.operation_id,
            "parameters": {"verification_id": "$response.body#/verification_id"},
            "description": operation.summary,
        }
        for operation in OPERATIONS
        if "{verification_id}" in operation.path
    }


def _gateway_name(status: int) -> str:
    return "Gateway" + _GATEWAY[status][0].replace(" ", "")


def _gateway_response(status: int) -> dict[str, Any]:
    message, description = _GATEWAY[status]
    content = {"schema": {"$ref": "#/components/schemas/GatewayMessage"}, "example": {"message": message}}
    return {"description": f"API Gateway: {description}", "content": {JSON: content}}


def _schemas() -> dict[str, Any]:
    wire = wire_schemas()
    gateway = {
        "title": "GatewayMessage",
        "description": "What API Gateway answers in a function's place.",
        "type": "object",
        "properties": {"message": {"type": ["string", "null"]}},
        "required": ["message"],
    }
    return (
        wire
        | {"VerificationId": wire["SentAnswer"]["properties"]["verification_id"]}
        | {problems.schema_name(kind): problems.schema(kind) for kind in STATUS}
        | {"GatewayMessage": gateway}
    )


def _parameters() -> dict[str, Any]:
    return {
        "VerificationId": {
            "name": "verification_id",
            "in": "path",
            "required": True,
            "description": "As the start answered it.",
            "schema": {"$ref": "#/components/schemas/VerificationId"},
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Makes the request safe to repeat: one key, one message. Keys of two callers are two.",
            "schema": {"type": "string", "maxLength": 255, "pattern": r"^[!-~]{1,255}$(?!\n)"},
            "example": "3f1c7a52-6a0e-4c8c-9a55-2f3d1f9b6f0e",
        },
        "AcceptLanguage": {
            "name": "Accept-Language",
            "in": "header",
            "required": False,
            "description": "The page's language (RFC 9110, 12.5.4); English where it names none that there is.",
            "schema": {"type": "string"},
            "example": "de-DE,de;q=0.9,en;q=0.8",
        },
    }


def _headers() -> dict[str, Any]:
    values = security_headers(None)
    page = {
        component: {"required": True, "schema": {"type": "string", "const": values[name]}}
        for name, component in PAGE_HEADERS.items()
    }
    return page | {
        "ContentSecurityPolicy": {
            "description": "Nothing is loaded but the page's own style; the form leads to us and to the `SuccessUrl`.",
            "required": True,
            "schema": {"type": "string", "pattern": "^default-src 'none'; style-src 'sha256-"},
        },
        "Location": {"description": "The stack's `SuccessUrl`.", "required": True, "schema": {"type": "string"}},
        "RetryAfter": {
            "description": "Seconds to wait; absent where waiting does not help.",
            "schema": {"type": "integer", "minimum": 1},
        },
    }


def _security_schemes() -> dict[str, Any]:
    return {
        "AwsSigV4": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4 for `execute-api`, by whoever may `execute-api:Invoke`.",
            "x-amazon-apigateway-authtype": "awsSigv4",
        },
        "Token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "In place of the signature, where the stack names an issuer (`JwtIssuer`, `JwtAudience`).",
        },
        "TwilioSignature": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Twilio-Signature",
            "description": "https://www.twilio.com/docs/usage/security#validating-requests",
        },
    }
