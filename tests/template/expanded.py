"""template.yaml as aws-sam-translator expands it, and what CloudFormation would make of it."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.template import Template

ROOT = Path(__file__).parents[2]
FUNCTIONS = {
    "SendOtpFunction": "send_otp",
    "StartDirectlyFunction": "start_directly",
    "ConfirmActionFunction": "confirm_action",
    "TrackDeliveryFunction": "track_delivery",
    "RetryFeedbackFunction": "retry_feedback",
}

COUNTED_BY = {
    "send_otp": {"Sent", "SendFailed", "MessageRejected", "Unavailable", "Fault"},
    "start_directly": {"Sent", "SendFailed", "Unavailable"},
    "confirm_action": {
        *("Confirmed", "WrongSecret", "Expired", "Locked"),
        *("FeedbackReported", "FeedbackDeferred", "FeedbackRejected", "Unavailable", "Fault"),
    },
    "track_delivery": {"Delivered", "Undelivered", "Unavailable", "Fault"},
    "retry_feedback": {
        *("FeedbackReported", "FeedbackDeferred", "FeedbackRejected", "FeedbackSuspended", "OldestFeedbackSeconds"),
        *("Unavailable", "Fault"),
    },
}
"""The metrics that each function can write; each is one that CloudWatch bills."""

REQUIRED = {"AppName": "Acme", "Sender": "+14155550100", "Countries": "US,DE"}
"""Values for the parameters that have no default."""


@cache
def _source() -> Any:
    return yaml_parse((ROOT / "template.yaml").read_text())


def source() -> dict[str, Any]:
    """The template as it stands in the file."""
    return copy.deepcopy(_source())


def expand(
    template: dict[str, Any], keys: Mapping[str, str] | None = None, parameters: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Expand a template as SAM does after packaging.

    Parameters
    ----------
    keys
        The S3 keys of layers and functions, by logical id.
    parameters
        Those that are deployed with; SAM knows their values, as CloudFormation tells them to it.
    """
    template = copy.deepcopy(template)
    for logical_id, resource in template["Resources"].items():
        for name in ("CodeUri", "ContentUri"):
            if name in resource.get("Properties", {}):
                key = (keys or {}).get(logical_id, logical_id)
                resource["Properties"][name] = f"s3://bucket/{key}"
    session = boto3.session.Session(region_name="us-east-1")
    return dict(Translator({}, Parser(), boto_session=session).translate(template, dict(parameters or {})))


@cache
def _expanded() -> str:
    return json.dumps(expand(_source()))


def expanded() -> dict[str, Any]:
    """The template as SAM expands it."""
    return dict(json.loads(_expanded()))


def deployed(parameters: Mapping[str, str], template: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """The resources that CloudFormation makes with these parameters, every reference resolved, by logical id.

    A resource is named by its logical id, an attribute of it by that and the attribute's name.
    """
    given = REQUIRED | dict(parameters)
    document = expand(source() if template is None else template, parameters=given)
    stack = Template.of(document, ROOT, given)
    kinds = {resource["Type"] for resource in document["Resources"].values()}
    return {
        name: {"Type": kind, **stack.resolve(properties)}
        for kind in kinds
        for name, properties in stack.resources(kind)
    }


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties of the expanded template's resources of a type, by logical id."""
    found = expanded()["Resources"].items()
    return {name: resource.get("Properties", {}) for name, resource in found if resource["Type"] == kind}


def environment(function: str) -> dict[str, Any]:
    """A function's environment variables."""
    return dict(resources("AWS::Lambda::Function")[function]["Environment"]["Variables"])


def references(value: Any) -> Iterator[str]:
    """Logical ids, parameters and pseudo parameters that a value names."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for name, argument in value.items():
            if name == "Ref":
                yield argument
            elif name == "Fn::GetAtt":
                yield argument.split(".")[0] if isinstance(argument, str) else argument[0]
            elif name == "Fn::Sub":
                text, extra = (argument, {}) if isinstance(argument, str) else argument
                yield from (m.split(".")[0] for m in re.findall(r"\$\{([^!}]+)\}", text) if m not in extra)
                yield from references(extra)
            elif name == "DependsOn":
                yield from [argument] if isinstance(argument, str) else argument
            else:
                yield from references(argument)


def cycle(template: dict[str, Any]) -> list[str]:
    """Resources that depend on each other in a circle; empty where there is none."""
    graph = {
        name: set(references({key: value for key, value in resource.items() if key != "Type"}))
        for name, resource in template["Resources"].items()
    }
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done or name not in graph:
            return []
        for other in sorted(graph[name]):
            if found := visit(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def choose(value: Any, conditions: Mapping[str, bool]) -> Any:
    """Replace each `Fn::If` by the branch that the conditions choose (those not named are false)."""
    if isinstance(value, list):
        return [item for item in (choose(item, conditions) for item in value) if item != {"Ref": "AWS::NoValue"}]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        condition, then, otherwise = value["Fn::If"]
        return choose(then if conditions.get(condition, False) else otherwise, conditions)
    chosen = {name: choose(item, conditions) for name, item in value.items()}
    return {name: item for name, item in chosen.items() if item != {"Ref": "AWS::NoValue"}}
