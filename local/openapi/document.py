"""The whole document (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.0)."""

import tomllib
from collections.abc import Sequence
from typing import Any

import yaml

from local.functions import ROOT
from local.openapi import problems
from local.openapi.operations import JSON, OPERATIONS, Answer, Body, Operation
from local.openapi.schemas import wire_schemas
from otp_feedback.adapters.pages import security_headers
from otp_feedback.adapters.problems import MEDIA_TYPE, STATUS

_VERIFICATION_ID = {
    "name": "verification_id",
    "in": "path",
    "required": True,
    "description": "As the start answered it.",
    "schema": wire_schemas()["SentAnswer"]["properties"]["verification_id"],
}
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
Sends one-time passwords and other confirmation messages through Twilio, knows which message each user acted on, and tells
Twilio so.

Errors are `application/problem+json` (RFC 9457); `type` is `urn:otp-feedback:` and a name that does not change. What API
Gateway itself answers (a caller without authorisation, throttling, a fault) is a JSON object with a `message`.

`send_otp` can also be invoked directly (AWS Lambda `Invoke`) with the body of `POST /verifications`, and the
`Idempotency-Key` in it as `idempotency_key`.
"""
# What API Gateway answers in the function's place: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
_GATEWAY = {
    401: ("Unauthorized", "The token is missing or not accepted."),
    403: ("Forbidden", "The request is not signed, or its signer may not call this."),
    413: ("Request Entity Too Large", "The body is larger than API Gateway takes."),
    429: ("Too Many Requests", "The route is throttled."),
    500: ("Internal Server Error", "A fault of the service."),
    503: ("Service Unavailable", "The function cannot run at the moment."),
}


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
            "schemas": wire_schemas()
            | {problems.schema_name(kind): problems.schema(kind) for kind in STATUS}
            | {"GatewayMessage": _gateway_schema()},
            "parameters": _parameters(),
            "headers": _headers(),
            "examples": {problems.schema_name(kind): problems.example(kind) for kind in STATUS},
            "securitySchemes": _security_schemes(),
        },
    }


def to_yaml(value: dict[str, Any]) -> str:
    """The document as it is committed: in the order given, without anchors."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"# Written by `make openapi` from the code; tests compare the two.\n{text}"


class _Dumper(yaml.SafeDumper):
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


def _statuses(operation: Operation) -> list[int]:
    own = {answer.status for answer in operation.answers}
    refused = {STATUS[kind] for kind in operation.problems}
    return sorted(own | refused | set(_gateway_statuses(operation)))


def _gateway_statuses(operation: Operation) -> list[int]:
    statuses = [429, 500, 503]
    if operation.caller == "caller":
        statuses += [401, 403]
    if operation.body is not None:
        statuses.append(413)
    return statuses


def _response(operation: Operation, status: int) -> dict[str, Any]:
    answers = [answer for answer in operation.answers if answer.status == status]
    kinds = [kind for kind in operation.problems if STATUS[kind] == status]
    by_gateway = status in _gateway_statuses(operation)
    descriptions = [answer.description for answer in answers]
    descriptions += [(kind.__doc__ or "").partition("\n")[0] for kind in kinds]
    content = {answer.media_type: _content(answer) for answer in answers if answer.media_type}
    if kinds:
        shown = {kind.name: {"$ref": f"#/components/examples/{problems.schema_name(kind)}"} for kind in kinds}
        content[MEDIA_TYPE] = {"schema": problems.one_of(kinds), "examples": shown}
    if by_gateway:
        message, description = _GATEWAY[status]
        descriptions.append(f"API Gateway: {description[0].lower()}{description[1:]}")
        content[JSON] = {"schema": {"$ref": "#/components/schemas/GatewayMessage"}, "example": {"message": message}}
    if operation.method == "HEAD":
        content = {}
    response: dict[str, Any] = {"description": " · ".join(descriptions)}
    headers = _response_headers(answers, kinds_retry=any(map(problems.retry_after, kinds)), shared=len(content) > 1)
    if headers:
        response["headers"] = headers
    if content:
        response["content"] = content
    if operation.continues and answers:
        response["links"] = _links()
    return response


def _content(answer: Answer) -> dict[str, Any]:
    return {"schema": answer.schema} | ({"examples": _examples(answer.examples)} if answer.examples else {})


def _examples(values: Any) -> dict[str, Any]:
    return {name.replace(" ", "-"): {"value": value} for name, value in values.items()}


def _response_headers(answers: Sequence[Answer], *, kinds_retry: bool, shared: bool) -> dict[str, Any]:
    """An answer's headers; where API Gateway answers with the same status, it sends none of them."""
    names = {name: component for answer in answers for name, component in answer.headers.items()}
    suffix = "" if not shared else "Optional"
    headers = {name: {"$ref": f"#/components/headers/{component}{suffix}"} for name, component in names.items()}
    if kinds_retry:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    return headers


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


def _parameters() -> dict[str, Any]:
    return {
        "VerificationId": _VERIFICATION_ID,
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
    page = security_headers(None)
    headers: dict[str, Any] = {
        "RetryAfter": {
            "description": "Seconds to wait; absent where waiting does not help.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "Location": {"description": "The stack's `SuccessUrl`.", "required": True, "schema": {"type": "string"}},
        "NoStore": {"required": True, "schema": {"type": "string", "const": "no-store"}},
        "ContentSecurityPolicy": {
            "description": "Nothing is loaded but the page's own style; the form goes to us and on to the `SuccessUrl`.",
            "required": True,
            "schema": {"type": "string", "pattern": "^default-src 'none'; style-src 'sha256-"},
        },
    }
    for name, value in page.items():
        component = name.replace("-", "")
        if name != "Cache-Control" and component not in headers:
            headers[component] = {"required": True, "schema": {"type": "string", "const": value}}
    optional = {
        f"{name}Optional": header | {"required": False} for name, header in headers.items() if header.get("required")
    }
    return headers | optional


def _gateway_schema() -> dict[str, Any]:
    return {
        "title": "GatewayMessage",
        "description": "What API Gateway answers in the function's place.",
        "type": "object",
        "properties": {"message": {"type": ["string", "null"]}},
        "required": ["message"],
    }


def _security_schemes() -> dict[str, Any]:
    return {
        "AwsSigV4": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4 for the service `execute-api`, by whoever may `execute-api:Invoke`.",
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
