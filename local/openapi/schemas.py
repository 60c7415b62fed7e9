"""The wire types as JSON schemas (2020-12, as OpenAPI 3.1 has them)."""

from typing import Any

import msgspec

from otp_feedback.adapters.web import wire as api

REQUESTS = (api.StartBody, api.MessageBody, api.CheckBody, api.ConfirmBody, api.CancelBody)
ANSWERS = (api.SentAnswer, api.VerificationView, api.ConfirmedAnswer, api.CanceledAnswer)

_NULL = {"type": "null"}
_FIRST = ("title", "type", "description", "properties", "required", "format", "enum", "pattern")

# What the use cases check across fields, and the types cannot say.
_ONLY_CALLERS_BRING_SECRETS = {
    "if": {"properties": {"action": {"const": "caller"}}},
    "then": {
        "anyOf": [
            {"required": ["secret"], "properties": {"secret": {"type": "string"}}},
            {"required": ["sid"], "properties": {"sid": {"type": "string"}}},
        ]
    },
    "else": {"properties": {"secret": _NULL, "sid": _NULL}},
}


def wire_schemas() -> dict[str, Any]:
    """The schemas of all bodies and of what they hold, by name."""
    asked, answered = _components(REQUESTS), _components(ANSWERS)
    schemas = {name: _request_schema(schema) for name, schema in asked.items()}
    schemas["StartBody"] |= _ONLY_CALLERS_BRING_SECRETS
    schemas |= {name: _answer_schema(schema) for name, schema in answered.items()}
    return schemas


def reference(wire_type: type) -> dict[str, Any]:
    """A reference to a wire type's schema."""
    return {"$ref": f"#/components/schemas/{wire_type.__name__}"}


def _components(types: tuple[type, ...]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return {name: _tidy(schema) for name, schema in components.items()}


def _tidy(schema: Any) -> Any:
    """Every enum with its type, which code generators look for, and what comes first first."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {name: _tidy(value) for name, value in schema.items()}
    if isinstance(tidy.get("enum"), list) and all(isinstance(value, str) for value in tidy["enum"]):
        tidy["type"] = "string"
    return {name: tidy[name] for name in sorted(tidy, key=_place)}


def _place(keyword: str) -> int:
    return _FIRST.index(keyword) if keyword in _FIRST else len(_FIRST) + (keyword == "examples")


def _request_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A body that is asked for: what is optional may be null."""
    return _with_properties(schema, _nullable)


def _answer_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A body that is answered: what is unknown is absent, never null."""
    return _with_properties(schema, _without_null)


def _with_properties(schema: dict[str, Any], change: Any) -> dict[str, Any]:
    changed = {name: value for name, value in schema.items() if name != "required" or value}
    changed["properties"] = {name: change(value) for name, value in schema["properties"].items()}
    if defaults := [name for name, value in schema["properties"].items() if value.get("default") is not None]:
        changed["required"] = [name for name in schema["properties"] if name in {*schema["required"], *defaults}]
    return changed


def _nullable(value: dict[str, Any]) -> dict[str, Any]:
    """`type: [string, "null"]` instead of a choice of two schemas, where there is a type."""
    if value.get("anyOf", [])[1:] != [_NULL]:
        return value
    [some, _] = value["anyOf"]
    return (
        {**some, "type": [some["type"], "null"]} if "type" in some and "enum" not in some else {"anyOf": [some, _NULL]}
    )


def _without_null(value: dict[str, Any]) -> dict[str, Any]:
    some: dict[str, Any] = value["anyOf"][0] if value.get("anyOf", [])[1:] == [_NULL] else value
    return {name: item for name, item in some.items() if name != "default"}
