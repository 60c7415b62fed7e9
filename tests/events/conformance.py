"""What openapi.yaml says of an answer, checked against the answer."""

import base64
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import yaml
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from local.functions import ROOT

OPENAPI = ROOT / "openapi.yaml"


class Document:
    """The committed document."""

    @cached_property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load(OPENAPI.read_text())
        return content

    def operations(self) -> Mapping[tuple[str, str], dict[str, Any]]:
        """Every operation by method and path."""
        return {
            (method.upper(), path): operation
            for path, item in self.content["paths"].items()
            for method, operation in item.items()
        }

    def resolve(self, value: dict[str, Any]) -> dict[str, Any]:
        """What a reference points to; anything else as it is."""
        while "$ref" in value:
            found: Any = self.content
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            value = found
        return value

    def violations(self, schema: dict[str, Any], value: Any) -> list[str]:
        """In what a value differs from a schema."""
        rooted = {"allOf": [schema], "components": self.content["components"]}
        validator = OAS31Validator(rooted, format_checker=oas31_format_checker)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def problems(self, method: str, path: str) -> set[str]:
        """The names of the problems that the document has for a route."""
        found: set[str] = set()
        for response in self.operations()[method, path]["responses"].values():
            content = self.resolve(response).get("content", {}).get("application/problem+json")
            found |= self._problem_names(content["schema"]) if content else set()
        return found

    def assert_describes(self, method: str, path: str, answer: Mapping[str, Any]) -> None:
        """Check that a function's answer is one that the document has for the route."""
        responses = self.operations()[method, path]["responses"]
        status = str(answer["statusCode"])
        assert status in responses, f"{method} {path} answered {status}"
        response = self.resolve(responses[status])
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        for name, reference in response.get("headers", {}).items():
            header = self.resolve(reference)
            value = headers.get(name.lower())
            assert value is not None or not header.get("required"), f"{name} is missing"
            if value is not None:
                typed = int(value) if header["schema"].get("type") == "integer" else value
                assert not self.violations(header["schema"], typed), name
        body = answer.get("body") or ""
        if answer.get("isBase64Encoded"):
            body = base64.b64decode(body).decode()
        content = response.get("content", {})
        if not content:
            assert not body or method == "HEAD"
            return
        media_type = headers["content-type"].partition(";")[0]
        assert media_type in content, f"{method} {path} answered {status} with {media_type}"
        value = json.loads(body) if media_type.endswith("json") else body
        assert not self.violations(content[media_type]["schema"], value)
        if media_type.endswith("json"):
            assert set(value) <= self._known_members(content[media_type]["schema"])

    def _problem_names(self, schema: dict[str, Any]) -> set[str]:
        schema = self.resolve(schema)
        names = {schema["properties"]["type"]["const"].rpartition(":")[2]} if "properties" in schema else set()
        return names.union(*(self._problem_names(each) for each in schema.get("oneOf", [])))

    def _known_members(self, schema: dict[str, Any]) -> set[str]:
        """What the document names, so that nothing is answered which it does not."""
        schema = self.resolve(schema)
        members = set(schema.get("properties", {}))
        return members.union(*(self._known_members(each) for each in schema.get("oneOf", [])))
