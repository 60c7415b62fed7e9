"""Reads template.yaml, so that the laptop's routes, tables and settings are the deployed ones."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from samtranslator.yaml_helper import yaml_parse

type Authorisation = Literal["none", "iam", "jwt"]
type References = Mapping[str, str]
"""What `Ref` and `GetAtt` of resources give on the laptop: `VerificationsTable`, `StackSecret.Arn`, ..."""

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "otp-feedback",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()
"""What `!Ref AWS::NoValue` gives: the property is left out."""


class TemplateNotUnderstood(ValueError):
    """template.yaml uses something that the laptop stack does not understand; the message says where."""


@dataclass(frozen=True)
class Route:
    """One route of the HTTP API; `function` is the folder's name under functions/."""

    method: str
    path: str
    function: str
    authorisation: Authorisation


@dataclass(frozen=True)
class Schedule:
    """A function that EventBridge calls again and again."""

    function: str
    name: str


@dataclass(frozen=True)
class Function:
    """One Lambda function; `name` is its folder's name, `timeout_s` when Lambda would end it."""

    name: str
    logical_id: str
    folder: Path
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, str]


class Template:
    """The parts of a SAM template that the laptop stack runs.

    Parameters
    ----------
    path
        template.yaml.
    parameters
        Values that replace the template's defaults.

    Raises
    ------
    TemplateNotUnderstood
        A parameter is unknown or, where it is needed, without a value; an intrinsic is unknown.
    """

    def __init__(self, path: Path, parameters: Mapping[str, str] | None = None) -> None:
        self._begin(yaml_parse(path.read_text()), path.parent, parameters)

    @classmethod
    def of(cls, document: dict[str, Any], folder: Path, parameters: Mapping[str, str] | None = None) -> Self:
        """As the constructor, of a template that has been read: what SAM made of it, for instance."""
        template = cls.__new__(cls)
        template._begin(document, folder, parameters)
        return template

    def _begin(self, document: dict[str, Any], folder: Path, parameters: Mapping[str, str] | None) -> None:
        self.folder = folder
        self._document = document
        declared = self._document.get("Parameters", {})
        if unknown := set(parameters or {}) - set(declared):
            raise TemplateNotUnderstood(f"template.yaml has no parameter {', '.join(sorted(unknown))}")
        self.parameters: dict[str, str] = {
            name: str(value) for name, item in declared.items() if (value := item.get("Default")) is not None
        } | dict(parameters or {})
        self._references: Mapping[str, str] = {}

    def resources(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical id and properties of every resource of a type whose condition holds."""
        for logical_id, resource in self._document["Resources"].items():
            condition = resource.get("Condition")
            if resource["Type"] == kind and (condition is None or self._condition(condition)):
                yield logical_id, resource.get("Properties", {})

    def tables(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical id and `CreateTable` request of each DynamoDB table."""
        wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for logical_id, properties in self.resources("AWS::DynamoDB::Table"):
            request = {name: self.resolve(properties[name]) for name in wanted if name in properties}
            request["TableName"] = self.resolve(properties.get("TableName", logical_id))
            request["BillingMode"] = "PAY_PER_REQUEST"
            if "StreamSpecification" in properties:
                request["StreamSpecification"] = {
                    "StreamEnabled": True,
                    **self.resolve(properties["StreamSpecification"]),
                }
            yield logical_id, request

    def functions(self, references: References) -> dict[str, Function]:
        """The Lambda functions by folder name, their environment resolved with `references`."""
        self._references = references
        shared = self._document.get("Globals", {}).get("Function", {})
        found = {}
        for logical_id, properties in self.resources("AWS::Serverless::Function"):
            folder = self.folder / str(self.resolve(properties["CodeUri"]))
            variables = {
                **shared.get("Environment", {}).get("Variables", {}),
                **properties.get("Environment", {}).get("Variables", {}),
            }
            resolved = {name: self.resolve(value) for name, value in variables.items()}
            found[folder.name] = Function(
                name=folder.name,
                logical_id=logical_id,
                folder=folder,
                timeout_s=int(self.resolve(properties.get("Timeout", shared.get("Timeout", 3)))),
                memory_mb=int(self.resolve(properties.get("MemorySize", shared.get("MemorySize", 128)))),
                environment={name: _text(value) for name, value in resolved.items() if value is not NO_VALUE},
            )
        return found

    def routes(self) -> list[Route]:
        """The HTTP API's routes."""
        apis = dict(self.resources("AWS::Serverless::HttpApi"))
        found = []
        for function, _, event in self._events("HttpApi"):
            method, path = str(event.get("Method", "ANY")).upper(), str(event["Path"])
            api = apis.get(self._api_of(event), {})
            found.append(Route(method, path, function, self._authorisation(event, api)))
        return found

    def schedules(self) -> list[Schedule]:
        """The functions that run by the clock."""
        return [
            Schedule(function, name) for kind in ("Schedule", "ScheduleV2") for function, name, _ in self._events(kind)
        ]

    def _events(self, kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for _, properties in self.resources("AWS::Serverless::Function"):
            function = Path(str(self.resolve(properties["CodeUri"]))).name
            for name, event in properties.get("Events", {}).items():
                if event["Type"] == kind:
                    yield function, name, event.get("Properties", {})

    @staticmethod
    def _api_of(event: Mapping[str, Any]) -> str:
        api = event.get("ApiId", "ServerlessHttpApi")
        return str(api["Ref"]) if isinstance(api, dict) else str(api)

    def _authorisation(self, event: Mapping[str, Any], api: Mapping[str, Any]) -> Authorisation:
        """The OpenAPI body's `security` for the route, else what the event says, else the API's default."""
        shared = api.get("Auth", {})
        default = shared.get("DefaultAuthorizer", "AWS_IAM" if shared.get("EnableIamAuthorizer") else "NONE")
        chosen = self.resolve(event.get("Auth", {}).get("Authorizer", default))
        operations = api.get("DefinitionBody", {}).get("paths", {}).get(event["Path"], {})
        security = self.resolve(operations.get(str(event.get("Method", "")).lower(), {}).get("security", []))
        if security:
            (chosen,) = security[0]
        if chosen == "NONE":
            return "none"
        return "iam" if chosen == "AWS_IAM" else "jwt"

    def resolve(self, value: Any) -> Any:
        """Replace CloudFormation's intrinsics in a value by what they give on the laptop."""
        if isinstance(value, list):
            return [item for item in (self.resolve(item) for item in value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref":
                return self._ref(str(argument))
            if name == "Condition":
                return self._condition(str(argument))
            if name.startswith("Fn::"):
                return self._intrinsic(name.removeprefix("Fn::"), argument)
        resolved = {name: self.resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name in self._document.get("Parameters", {}):
            if name not in self.parameters:
                raise TemplateNotUnderstood(f"parameter {name} has no default and was given no value")
            return self.parameters[name]
        return self._resource(name)

    def _resource(self, name: str) -> str:
        # What the laptop does not run is still named, so that a setting which points at it is not empty.
        return self._references.get(name, name)

    def _condition(self, name: str) -> bool:
        return bool(self.resolve(self._document["Conditions"][name]))

    def _intrinsic(self, name: str, argument: Any) -> Any:
        intrinsics: dict[str, Callable[[Any], Any]] = {
            "GetAtt": lambda a: self._resource(".".join(map(str, a))),
            "Sub": self._sub,
            "If": lambda a: self.resolve(a[1] if self._condition(a[0]) else a[2]),
            "Equals": lambda a: _text(self.resolve(a[0])) == _text(self.resolve(a[1])),
            "Not": lambda a: not self.resolve(a[0]),
            "And": lambda a: all(self.resolve(item) for item in a),
            "Or": lambda a: any(self.resolve(item) for item in a),
            "Join": lambda a: str(a[0]).join(map(_text, self.resolve(a[1]))),
            "Select": lambda a: self.resolve(a[1])[int(self.resolve(a[0]))],
            "Split": lambda a: str(self.resolve(a[1])).split(str(a[0])),
            "FindInMap": lambda a: self._document["Mappings"][a[0]][self.resolve(a[1])][self.resolve(a[2])],
        }
        if name not in intrinsics:
            raise TemplateNotUnderstood(f"Fn::{name} is not understood by the laptop stack")
        return intrinsics[name](argument)

    def _sub(self, argument: Any) -> str:
        text, extra = (argument, {}) if isinstance(argument, str) else argument

        def replacement(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in extra:
                return _text(self.resolve(extra[name]))
            return _text(self._resource(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replacement, text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
