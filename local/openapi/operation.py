"""What is said of a route."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from local.openapi.schemas import reference
from otp_feedback.domain.errors import Problem

type Caller = Literal["caller", "public", "twilio"]
type Examples = Mapping[str, Any]
"""Values by a name of one to three words."""

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
HTML = "text/html"
TWIML = "text/xml"

EXAMPLE_ID = "AAECAwQFBgcICQoLDA0ODw"
EXAMPLE_SID = "SM0123456789abcdef0123456789abcdef"

NO_STORE = {"Cache-Control": "NoStore"}


@dataclass(frozen=True)
class Body:
    """A request's body: its media type, its schema, valid examples."""

    media_type: str
    schema: dict[str, Any]
    examples: Examples
    required: bool = True


@dataclass(frozen=True)
class Answer:
    """An answer that is no problem; `headers` names entries of the document's components."""

    status: int
    description: str
    media_type: str | None = None
    schema: dict[str, Any] = field(default_factory=dict)
    examples: Examples = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One route.

    Parameters: `operation_id`; `caller`, who may call it; `parameters`, OpenAPI's; `problems`, the types that it can
    answer; `continues`, whether its answer names a verification that other routes take.
    """

    method: str
    path: str
    operation_id: str
    caller: Caller
    summary: str
    description: str
    answers: tuple[Answer, ...]
    problems: tuple[type[Problem], ...]
    body: Body | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    continues: bool = False


def json_answer(status: int, description: str, examples: Mapping[str, msgspec.Struct]) -> Answer:
    """An answer of one of the wire types."""
    wire_type = type(next(iter(examples.values())))
    shown = {name: msgspec.to_builtins(value) for name, value in examples.items()}
    return Answer(status, description, JSON, reference(wire_type), shown, NO_STORE)


def json_body(wire_type: type[msgspec.Struct], examples: Examples, *, required: bool = True) -> Body:
    """A body of one of the wire types."""
    return Body(JSON, reference(wire_type), examples, required)


def text(description: str, example: str, pattern: str | None = None) -> dict[str, Any]:
    """The schema of a form's field."""
    return {
        "type": "string",
        "description": description,
        **({"pattern": pattern} if pattern else {}),
        "examples": [example],
    }


def component_parameter(name: str) -> dict[str, Any]:
    """A parameter that several routes take."""
    return {"$ref": f"#/components/parameters/{name}"}
