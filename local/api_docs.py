"""The API's page: openapi.yaml as people read it, without script and from this machine alone."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
import yaml
from werkzeug.wrappers import Request, Response

from local.functions import ROOT
from local.gateway import LocalPage

FOLDER = Path(__file__).parent
OPENAPI = ROOT / "openapi.yaml"
FORM = "application/x-www-form-urlencoded"
PROBLEM = "application/problem+json"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_MARKED = re.compile(r"`(?P<code>[^`]+)`|(?P<url>https://[^\s()`]*[^\s()`.,;:])")


def pages() -> dict[tuple[str, str], LocalPage]:
    """What is served, by method and path."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["pieces"] = pieces
    template = environment.get_template("api_docs.html")

    def show(_: Request) -> Response:
        # Read again each time: whoever edits the document sees it.
        return Response(template.render(view(OPENAPI.read_text())), mimetype="text/html", headers=HEADERS)

    return {
        ("GET", "/docs"): show,
        ("GET", "/docs/openapi.yaml"): lambda _: _file(OPENAPI, "application/yaml"),
        ("GET", "/docs/api_docs.css"): lambda _: _file(FOLDER / "api_docs.css", "text/css"),
    }


def view(text: str) -> dict[str, Any]:
    """What the page shows of a document (https://spec.openapis.org/oas/v3.1.0)."""
    content = yaml.safe_load(text)
    document = _resolved(content, content)
    operations = [
        _operation(method, path, operation, document)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    return {
        "info": document["info"],
        "servers": document["servers"],
        "groups": [(tag, [each for each in operations if tag["name"] in each["tags"]]) for tag in document["tags"]],
        "every_problem": list(fields(document["components"]["schemas"]["Problem"])),
        "problems": _problems(operations),
        "schemes": document["components"]["securitySchemes"],
    }


def pieces(text: str) -> list[list[tuple[str, str]]]:
    """A description's paragraphs, each cut into `text`, `code` and `url`."""
    return [_cut(" ".join(paragraph.split())) for paragraph in text.split("\n\n") if paragraph.strip()]


def _cut(paragraph: str) -> list[tuple[str, str]]:
    cut: list[tuple[str, str]] = []
    end = 0
    for found in _MARKED.finditer(paragraph):
        cut += [("text", paragraph[end : found.start()]), ("code", found["code"] or ""), ("url", found["url"] or "")]
        end = found.end()
    return [(kind, part) for kind, part in [*cut, ("text", paragraph[end:])] if part]


def _resolved(value: Any, root: Mapping[str, Any]) -> Any:
    """The document with what it refers to in the references' places; what stands beside a reference goes first."""
    if isinstance(value, list):
        return [_resolved(item, root) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" not in value:
        return {name: _resolved(item, root) for name, item in value.items()}
    found: Any = root
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return _resolved(found | {name: item for name, item in value.items() if name != "$ref"}, root)


def _operation(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody")
    return {
        **operation,
        "method": method.upper(),
        "path": path,
        "security": [name for choice in operation.get("security", document["security"]) for name in choice],
        "parameters": [
            parameter | {"limits": limits(parameter["schema"]), "examples": [parameter["example"]]}
            for parameter in operation.get("parameters", [])
        ],
        "body": body and {"required": body["required"], "contents": _contents(body)},
        "answers": [
            {"headers": [], **answer, "status": status, "contents": _contents(answer)}
            for status, answer in operation["responses"].items()
        ],
    }


def _contents(holder: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bodies of a request or an answer, by media type."""
    return [
        {
            "media_type": media_type,
            "description": content["schema"].get("description"),
            "fields": [] if media_type == PROBLEM else list(fields(content["schema"])),
            "examples": [(name, _written(value, media_type)) for name, value in _examples(content)],
            "problems": [_problem(each) for each in content["schema"].get("oneOf", [content["schema"]])]
            if media_type == PROBLEM
            else [],
        }
        for media_type, content in holder.get("content", {}).items()
    ]


def _examples(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if "example" in content:
        yield "", content["example"]
    for name, example in content.get("examples", {}).items():
        yield name, example["value"]


def _written(value: Any, media_type: str) -> str:
    """An example as it stands on the wire, with JSON in lines."""
    if media_type == FORM:
        return urlencode(value)
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _problem(schema: Mapping[str, Any]) -> dict[str, Any]:
    base = schema["allOf"][0]["properties"]
    own = schema["properties"]
    return {
        "name": own["type"]["const"].rpartition(":")[2],
        "status": own["status"]["const"],
        "description": schema["description"],
        "fields": list(fields({**schema, "properties": {n: each for n, each in own.items() if n not in base}})),
    }


def _problems(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every problem once, with its example, in the order of their statuses."""
    found: dict[str, dict[str, Any]] = {}
    for operation in operations:
        for answer in operation["answers"]:
            for content in answer["contents"]:
                for problem, (_, example) in zip(content["problems"], content["examples"], strict=False):
                    found[problem["name"]] = problem | {"example": example}
    return sorted(found.values(), key=lambda problem: (problem["status"], problem["name"]))


def fields(schema: Mapping[str, Any], prefix: str = "") -> Iterator[dict[str, Any]]:
    """The members of an object, what it holds after it with dotted names."""
    for name, member in schema.get("properties", {}).items():
        inner, nullable = _without_null(member)
        items = inner.get("items", {})
        yield {
            "name": f"{prefix}{name}",
            "in": "",
            "required": name in schema.get("required", []),
            "limits": [*limits(inner), *(["may be null"] if nullable else [])],
            "description": {**items, **inner, **member}.get("description", ""),
            "examples": inner.get("examples", []),
        }
        yield from fields(items or inner, f"{prefix}{name}{'[]' if items else ''}.")


def _without_null(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    if schema.get("anyOf", [])[1:] == [{"type": "null"}]:
        return schema["anyOf"][0], True
    if isinstance(schema.get("type"), list):
        return {**schema, "type": schema["type"][0]}, True
    return schema, False


def limits(schema: Mapping[str, Any]) -> list[str]:
    """What a value must be, in words."""
    said = [f"{schema['type']}"] if "type" in schema else []
    said += [f"one of {', '.join(f'`{each}`' for each in schema['enum'])}"] if "enum" in schema else []
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        said += _range(schema.get(least), schema.get(most), unit)
    if "pattern" in schema:
        # A trailing newline is nothing that a reader would think of.
        said.append(f"`{schema['pattern'].replace(r'(?!\n)', '')}`")
    return said


def _range(least: int | None, most: int | None, unit: str) -> list[str]:
    if least is not None and most is not None:
        return [f"{least} to {most}{unit}"]
    if most is not None:
        return [f"up to {most}{unit}"]
    return [f"at least {least}{unit}"] if least is not None else []


def _file(path: Path, mimetype: str) -> Response:
    return Response(path.read_bytes(), mimetype=mimetype, headers=HEADERS)
