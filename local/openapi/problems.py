"""The problem types as OpenAPI sees them: one schema and one example each, made from what the API really answers."""

import json
from collections.abc import Sequence
from typing import Any

from otp_feedback.adapters.web.problems import STATUS, problem_response
from otp_feedback.domain.errors import (
    MalformedRequest,
    MessageRejected,
    Problem,
    TooManyMessages,
    WrongSecret,
)

MEMBERS: dict[str, dict[str, Any]] = {
    "field": {
        "type": "string",
        "description": "The field, header or parameter at fault; dotted where it is nested, `body` for the whole.",
        "examples": ["to"],
    },
    "attempts_left": {
        "type": "integer",
        "minimum": 0,
        "maximum": 5,
        "description": "Guesses that the verification still takes.",
    },
    "retry_after_s": {
        "type": "integer",
        "minimum": 1,
        "description": "Whole seconds after which the same request can succeed, as the header `Retry-After` says.",
    },
    "code": {
        "type": "integer",
        "description": "Twilio's error code (https://www.twilio.com/docs/api/errors), where its answer held one.",
    },
}
"""What a problem can hold beside RFC 9457's own members."""

_SAMPLES: dict[type[Problem], Problem] = {
    MalformedRequest: MalformedRequest("to", "must be a phone number in E.164: + and 7 to 15 digits"),
    WrongSecret: WrongSecret(4),
    TooManyMessages: TooManyMessages(30),
    MessageRejected: MessageRejected(30034),
}
_WITHOUT_DETAILS: dict[type[Problem], Problem] = {
    TooManyMessages: TooManyMessages(),
    MessageRejected: MessageRejected(None),
}
"""The same problems where they know less; what is missing here is optional."""


def sample(kind: type[Problem]) -> Problem:
    """A problem of that type, to be shown."""
    return _SAMPLES.get(kind) or kind()


def summary(kind: type[Problem]) -> str:
    """What a problem says, in one sentence."""
    return (kind.__doc__ or "").partition("\n")[0]


def schema_name(kind: type[Problem]) -> str:
    """The name of a problem's schema; no wire type ends like this."""
    return f"{kind.__name__}Problem"


def schema(kind: type[Problem]) -> dict[str, Any]:
    """The JSON schema of a problem."""
    shown = _body(sample(kind))
    always = _body(_WITHOUT_DETAILS.get(kind) or sample(kind))
    properties: dict[str, Any] = {
        "type": {"type": "string", "const": shown["type"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "const": STATUS[kind]},
        "detail": {
            "type": "string",
            "description": "What a person can do with it; of what the request held, an unknown field's name at most.",
        },
    }
    properties |= {name: MEMBERS[name] for name in shown if name not in properties}
    return {
        "title": schema_name(kind),
        "description": summary(kind),
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name in always],
    }


def example(kind: type[Problem]) -> dict[str, Any]:
    """A problem as the API writes it."""
    return {"summary": summary(kind), "value": _body(sample(kind))}


def retry_after(kind: type[Problem]) -> bool:
    """Whether a problem can say when to try again."""
    return "Retry-After" in problem_response(sample(kind)).headers


def one_of(kinds: Sequence[type[Problem]]) -> dict[str, Any]:
    """The schema of an answer that is any of these problems."""
    references = {kind: f"#/components/schemas/{schema_name(kind)}" for kind in kinds}
    if len(kinds) == 1:
        return {"$ref": references[kinds[0]]}
    mapping = {f"urn:otp-feedback:{kind.name}": reference for kind, reference in references.items()}
    return {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }


def _body(problem: Problem) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(problem_response(problem).body)
    return body
