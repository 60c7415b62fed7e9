"""A changed parameter reaches the functions that are invoked: what a runbook changes in an attack must count."""

import re
from functools import cache

import pytest

from tests.template.expanded import REQUIRED, deployed, expanded, references, resources, source

OTHER = {
    "AllowedSenders": "Acme",
    "AndroidAppHash": "FA+9qCX9VSu",
    "AppName": "Bäckerei Müller",
    "Countries": "US",
    "FallbackCallUrl": "https://app.example.com/call",
    "FallbackMessageUrl": "https://app.example.com/message",
    "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "PublicBaseUrl": "https://otp.example.com",
    "ReplyKeyword": "YES",
    "Sender": "+14155550199",
    "SuccessUrl": "https://example.com/done",
    "Templates": '{"short": {"body": "{secret}"}}',
    "TestRecipients": '{"+15005550100": "123456"}',
    "TwilioBaseUrl": "https://twilio.example.com",
    "TwilioEdge": "dublin",
    "TwilioRegion": "ie1",
    "WebOtpDomain": "example.com",
    "CustomDomain": "otp.example.com",
}
"""Second values of the texts that can be anything; those of a choice or a number are found."""

unchanged = cache(lambda: deployed({}))
"""What is deployed before anything is changed; nobody changes it."""

TARGET = re.compile(r"(\w+)(?:\.Arn)?(?:/invocations)?\Z")


def second_value(name):
    parameter = source()["Parameters"][name]
    first = str(parameter.get("Default", REQUIRED.get(name)))
    if "AllowedValues" in parameter:
        return next(str(value) for value in parameter["AllowedValues"] if str(value) != first)
    if parameter["Type"] == "Number":
        higher = int(first) + 1
        return str(higher if higher <= parameter.get("MaxValue", higher) else higher - 2)
    value = OTHER[name]
    assert re.fullmatch(parameter["AllowedPattern"], value)
    assert value != first
    return value


def reached_by(name):
    """Functions that a parameter stands in, at first hand or by a condition."""
    template, found = expanded(), set()
    conditions = {each for each, value in template["Conditions"].items() if name in references(value)}
    for function, properties in resources("AWS::Lambda::Function").items():
        if name in references(properties) or conditions & set(re.findall(r"[A-Za-z]+", str(properties))):
            found.add(function)
    return found


REACHING = sorted(name for name in source()["Parameters"] if reached_by(name))


def invoked(stack):
    """Resources that API Gateway and EventBridge invoke, and that the output names for direct invocation."""
    [api] = [each for each in stack.values() if each["Type"] == "AWS::ApiGatewayV2::Api"]
    uris = [
        operation["x-amazon-apigateway-integration"]["uri"]
        for path in api["Body"]["paths"].values()
        for operation in path.values()
    ]
    rules = [each for each in stack.values() if each["Type"] == "AWS::Events::Rule"]
    arns = [target["Arn"] for rule in rules for target in rule["Targets"]]
    output = next(references(expanded()["Outputs"]["SendFunctionArn"]))
    found = {name for each in [*uris, *arns, output] for name in TARGET.findall(each)}
    assert found
    return found


def running(target, before, after):
    """The properties that an invoked resource runs with once an update has ended; an alias runs its version's.

    A version that stands under the same logical id is left alone, and is what it was when it was published.
    """
    resource = after[target]
    if resource["Type"] == "AWS::Lambda::Alias":
        version, _, _ = resource["FunctionVersion"].partition(".")
        stack = before if version in before else after
        return stack[stack[version]["FunctionName"]]
    assert resource["Type"] == "AWS::Lambda::Function"
    return resource


def function_of(target, stack):
    resource = stack[target]
    return resource["FunctionName"] if resource["Type"] == "AWS::Lambda::Alias" else target


def test_there_are_parameters_that_reach_functions():
    assert {"HourlyCap", "Countries", "KmsKeyArn", "Architecture", "SendReservedConcurrency"} <= set(REACHING)
    assert "LogRetentionDays" not in REACHING


@pytest.mark.parametrize("name", REACHING)
def test_a_changed_parameter_reaches_what_is_invoked(name):
    before, after = unchanged(), deployed({name: second_value(name)})
    moved = {
        function_of(target, after)
        for target in invoked(after)
        if running(target, before, after) != running(target, before, before)
    }
    assert moved == reached_by(name)


def test_every_function_is_invoked_by_something():
    stack = unchanged()
    assert {function_of(target, stack) for target in invoked(stack)} == set(resources("AWS::Lambda::Function"))


def test_an_alias_would_be_found_to_stay_behind():
    template = source()
    template["Globals"]["Function"]["AutoPublishAlias"] = "live"
    for function in resources("AWS::Lambda::Function"):
        template["Resources"][function]["Properties"]["AutoPublishAliasAllProperties"] = True
    before, after = (deployed({"HourlyCap": cap}, template) for cap in ("1000", "10"))
    alias = "SendOtpFunctionAliaslive"
    assert alias in invoked(after)
    assert after["SendOtpFunction"]["Environment"]["Variables"]["OTP_HOURLY_CAP"] == "10"
    assert running(alias, before, after)["Environment"]["Variables"]["OTP_HOURLY_CAP"] == "1000"
