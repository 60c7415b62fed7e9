"""The doctor's check that the functions run with the parameters that the stack was deployed with."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from operations.check_aws import MEND
from operations.findings import Finding, failed, passed
from operations.stack import DeployedStack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def check_functions(cloudformation: "CloudFormationClient", functions: Any, stack: DeployedStack) -> Iterator[Finding]:
    """That each function has the settings, the key and the processor that its stack's parameters say.

    Parameters
    ----------
    functions
        Lambda's low-level client.
    """
    template: Mapping[str, Any] = cloudformation.get_template(StackName=stack.name, TemplateStage="Processed")[
        "TemplateBody"
    ]
    names = _names(cloudformation, stack.name)
    if not names:
        yield failed("the stack has no functions", MEND)
        return
    sound = True
    for logical_id, name in sorted(names.items()):
        running: Any = functions.get_function_configuration(FunctionName=name)
        for finding in _faults(logical_id, template["Resources"][logical_id]["Properties"], running, stack):
            sound = False
            yield finding
    if sound:
        yield passed(f"its {len(names)} functions run with the stack's parameters")


def _names(cloudformation: "CloudFormationClient", stack: str) -> dict[str, str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def _faults(
    function: str, properties: Mapping[str, Any], running: Mapping[str, Any], stack: DeployedStack
) -> Iterator[Finding]:
    update = running.get("LastUpdateStatus", "Successful")
    if update != "Successful":
        yield failed(f"{function}'s last update is {update}", "wait, or look at the function in Lambda's console")
    environment = running.get("Environment", {})
    if "Error" in environment:
        yield failed(f"{function}'s settings cannot be read", "allow kms:Decrypt on the stack's key")
        return
    expected = {
        variable: stack.parameters[value["Ref"]]
        for variable, value in properties.get("Environment", {}).get("Variables", {}).items()
        if isinstance(value, dict) and value.get("Ref") in stack.parameters
    }
    if (variable := "OTP_PUBLIC_BASE_URL") in properties.get("Environment", {}).get("Variables", {}):
        expected[variable] = _public_base_url(stack)
    found = environment.get("Variables", {})
    differing = [name for name, value in sorted(expected.items()) if not _is_told(found.get(name), value)]
    if stack.text("KmsKeyArn") != running.get("KMSKeyArn", ""):
        differing.append("KmsKeyArn")
    if stack.text("Architecture") not in ("", *running.get("Architectures", [])):
        differing.append("Architecture")
    if differing:
        yield failed(f"{function} runs with other settings than the stack's: {', '.join(differing)}", MEND)


def _public_base_url(stack: DeployedStack) -> str:
    """What the template makes of two parameters; empty where the functions read the API's own address elsewhere."""
    domain = stack.text("CustomDomain")
    return stack.text("PublicBaseUrl") or (f"https://{domain}" if domain else "")


def _is_told(value: str | None, told: str) -> bool:
    """Whether CloudFormation's text is the value: it gives what is not ASCII back as question marks."""
    if value is None:
        return False
    pattern = r"(?:\?+|[^\x00-\x7f]+)".join(map(re.escape, _NOT_ASCII.split(value)))
    return value == told or ("?" in told and re.fullmatch(pattern, told) is not None)
