"""What an emulator of CloudFormation can create of the stack, it creates."""

import json
import re

import boto3
import pytest

from local.aws import AwsServer
from tests.template.expanded import ROOT, choose, deployed, expanded, resources, source

CREATED = {
    "AWS::CloudWatch::Dashboard",
    "AWS::DynamoDB::Table",
    "AWS::Logs::LogGroup",
    "AWS::SNS::Topic",
}
ALARMS = {
    "FeedbackAgeAlarm",
    "FeedbackRejectedAlarm",
    "FeedbackSuspendedAlarm",
    "RetryStoppedAlarm",
    "SendFailedAlarm",
    "WrongSecretAlarm",
    "ConversionAlarm",
    "ErrorsAlarm",
    "UnavailableAlarm",
    "ThrottlesAlarm",
}
STACK = "otp-feedback-test"


@pytest.fixture
def stack(monkeypatch):
    """What moto's CloudFormation can create of the stack, by logical id; the rest is only named."""
    # moto's own decorator would wipe the stacks of other tests in this process.
    aws = AwsServer()
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    template = expanded()
    created = {name: r for name, r in template["Resources"].items() if r["Type"] in CREATED}
    template["Resources"] = named(created, set(template["Resources"]) - set(created))
    for unused in ("Outputs", "Rules", "Metadata", "Globals"):
        template.pop(unused, None)
    try:
        boto3.client("cloudformation").create_stack(
            StackName=STACK,
            TemplateBody=json.dumps(template),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in {
                    "AppName": "Acme",
                    "Sender": "+14155550100",
                    "Countries": "US",
                    "AlarmEmail": "ops@example.com",
                }.items()
            ],
        )
        described = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        yield {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in described}
    finally:
        aws.stop()


def named(value, others):
    """Write the name of each resource that is not created in place of a reference to it."""
    if isinstance(value, list):
        return [named(item, others) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("Ref") in others:
        return value["Ref"]
    if "Fn::Sub" in value:
        return {"Fn::Sub": re.sub(r"\$\{(" + "|".join(sorted(others)) + r")\}", r"\1", value["Fn::Sub"])}
    return {key: named(item, others) for key, item in value.items()}


def test_the_table(stack):
    client = boto3.client("dynamodb")
    table = client.describe_table(TableName=stack["VerificationsTable"])["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    [index] = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "feedback-due"
    assert index["Projection"]["ProjectionType"] == "KEYS_ONLY"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["feedback_shard", "feedback_due_at"]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_the_secret_has_a_random_root_and_nothing_else(stack):
    generator = resources("AWS::SecretsManager::Secret")["StackSecret"]["GenerateSecretString"]
    template = json.loads(generator.pop("SecretStringTemplate"))
    key = generator.pop("GenerateStringKey")
    root = boto3.client("secretsmanager").get_random_password(**generator)["RandomPassword"]
    assert template | {key: root} == {"root": root}
    assert re.fullmatch(r"[A-Za-z0-9]{64}", root)


def test_cloudwatch_accepts_the_alarms(stack):
    client = boto3.client("cloudwatch")
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        concrete = choose(alarm, {"HasAlarmTopic": True})
        text = re.sub(r'\{"(Ref|Fn::Sub)": "([^"]+)"\}', r'"\2"', json.dumps(concrete))
        client.put_metric_alarm(AlarmName=name, **json.loads(text))
    described = client.describe_alarms()["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in described} == ALARMS


def test_log_groups_forget(stack):
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    assert {group["retentionInDays"] for group in groups} == {30}


def test_the_address_for_alarms_is_subscribed(stack):
    [subscription] = boto3.client("sns").list_subscriptions()["Subscriptions"]
    assert subscription["Endpoint"] == "ops@example.com"


def test_what_cannot_be_replaced_is_retained_and_can_be_restored():
    for name in ("VerificationsTable", "StackSecret"):
        resource = source()["Resources"][name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    table = resources("AWS::DynamoDB::Table")["VerificationsTable"]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_deletion_protection_is_off_until_it_is_asked_for():
    """While it is on, a first deployment that fails could not remove the table."""
    assert deployed({})["VerificationsTable"]["DeletionProtectionEnabled"] is False
    protected = deployed({"TableDeletionProtection": "true"})
    assert protected["VerificationsTable"]["DeletionProtectionEnabled"] is True


def test_the_secrets_generator_is_never_edited():
    secret = resources("AWS::SecretsManager::Secret")["StackSecret"]
    assert secret["GenerateSecretString"] == {
        "SecretStringTemplate": "{}",
        "GenerateStringKey": "root",
        "PasswordLength": 64,
        "ExcludePunctuation": True,
    }


def test_the_alarms():
    alarms = resources("AWS::CloudWatch::Alarm")
    assert set(alarms) == ALARMS
    for name, alarm in alarms.items():
        assert alarm["AlarmDescription"], name
        assert len(alarm["AlarmActions"]) == 2, name
        shown = [query for query in alarm["Metrics"] if query.get("ReturnData", True)]
        assert len(shown) == (2 if "ThresholdMetricId" in alarm else 1), name


def test_no_alarm_of_a_new_stack_rings_and_runs_that_end_do():
    """Actions follow a change of state, and a new alarm is INSUFFICIENT_DATA."""
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        if name == "RetryStoppedAlarm":
            assert alarm["TreatMissingData"] == "missing", "Lambda counts no run where there is none"
            assert alarm["InsufficientDataActions"] == alarm["AlarmActions"]
        else:
            assert alarm["TreatMissingData"] == "notBreaching", name
            assert "InsufficientDataActions" not in alarm, name


def test_alarms_and_dashboard_look_at_metrics_that_the_functions_write():
    package = [path.read_text() for path in _sources()]
    written = {name for text in package for name in re.findall(r"\"([A-Z][A-Za-z]+)\"", text)}
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        for query in alarm["Metrics"]:
            metric = query.get("MetricStat", {}).get("Metric", {})
            if isinstance(metric.get("Namespace"), dict):
                assert metric["Namespace"] == {"Fn::Sub": "OtpFeedback/${AWS::StackName}"}
                assert metric["MetricName"] in written, name


def _sources():
    yield from (ROOT / "layers/otp_feedback").rglob("*.py")
    yield from (ROOT / "functions").rglob("*.py")


def known(values):
    return [value for value in values if value is not None]


def evaluated(alarm, counted):
    """An alarm's value by CloudWatch's metric math, in which SUM and MAX pass over what was never counted."""
    functions = {"SUM": lambda values: sum(known(values)) if known(values) else None, "MAX": lambda v: max(known(v))}
    values = {query["Id"]: counted.get(query["Id"]) for query in alarm["Metrics"] if "Expression" not in query}
    for query in alarm["Metrics"]:
        if "Expression" in query:
            values[query["Id"]] = eval(query["Expression"], {"__builtins__": {}}, functions | values)  # noqa: S307 - the template's own
            if query.get("ReturnData", True):
                return values[query["Id"]]
    raise AssertionError("nothing is returned")


@pytest.mark.parametrize(
    ("counted", "value"),
    [
        ({"answers": 40, "refused": 40}, 0),
        ({"answers": 45, "refused": 40, "u0": 5}, 5),
        ({"answers": 25, "refused": 20, "u1": 2}, 5),
        ({"answers": 6, "u1": 6}, 6),
        ({"answers": 7}, 7),
        ({"answers": 3, "u1": 7}, 7),
        ({"answers": 0}, 0),
    ],
    ids=[
        "twilio refuses",
        "both",
        "twilio refuses and the gateway fails",
        "unavailable",
        "the gateway alone",
        "calls that we fail",
        "none",
    ],
)
def test_what_twilio_refuses_is_not_counted_as_ours(counted, value):
    assert evaluated(resources("AWS::CloudWatch::Alarm")["UnavailableAlarm"], counted) == value


def test_what_is_taken_off_the_apis_5xx_was_answered_with_one():
    """SendFailed counts what was answered 202 and 422 as well."""
    queries = {query["Id"]: query for query in resources("AWS::CloudWatch::Alarm")["UnavailableAlarm"]["Metrics"]}
    assert queries["refused"]["MetricStat"]["Metric"]["MetricName"] == "MessageRejected"


def test_the_dashboard_is_json():
    text = resources("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(text)["widgets"]
    assert len(widgets) == 8
    places = {(widget["x"], widget["y"]) for widget in widgets}
    assert len(places) == len(widgets)


def test_the_outputs():
    assert set(expanded()["Outputs"]) == {
        "ApiUrl",
        "CustomDomainTarget",
        "ApiId",
        "SendFunctionArn",
        "TableName",
        "SecretArn",
        "BaseUrlParameterName",
        "DashboardUrl",
        "ApiLogGroupName",
    }
    assert expanded()["Outputs"]["SendFunctionArn"]["Value"] == {"Fn::GetAtt": ["StartDirectlyFunction", "Arn"]}


def test_whoever_has_dns_elsewhere_is_told_what_to_point_it_at():
    output = expanded()["Outputs"]["CustomDomainTarget"]
    record = resources("AWS::Route53::RecordSet")["ApiDomainRecord"]
    assert output["Value"] == {"Fn::GetAtt": ["ApiDomain", "RegionalDomainName"]} == record["AliasTarget"]["DNSName"]
    assert output["Condition"] == expanded()["Resources"]["ApiDomain"]["Condition"] == "HasCustomDomain"
