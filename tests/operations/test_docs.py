"""The page for operators: every alarm is explained, every reference leads somewhere, every permission is named."""

import json
import re
from pathlib import Path

import boto3
import pytest

from operations.__main__ import main
from tests.loop.driver import fresh_number
from tests.operations.account import SID, TOKEN
from tests.operations.laptop import NAME
from tests.template.expanded import COUNTED_BY, deployed, environment, expanded, resources

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/operations.md").read_text()
PRIVACY = (PROJECT / "docs/privacy.md").read_text()
HEADINGS = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
PREFIXES = {"cloudformation": "cloudformation", "secrets-manager": "secretsmanager", "cloudwatch": "cloudwatch"}


def test_every_alarm_is_explained_and_no_other():
    assert {heading for heading in HEADINGS if heading.endswith("Alarm")} == set(resources("AWS::CloudWatch::Alarm"))


def test_every_section_that_a_command_names_is_there():
    sources = [path.read_text() for path in (PROJECT / "operations").glob("*.py")]
    named = {name for text in sources for name in re.findall(r"docs/operations\.md, '([^'{]+)'", text)}
    assert named
    assert named <= set(HEADINGS)
    assert set(re.findall(r"\(\*([A-Z][^*]+)\*\)", PAGE)) <= set(HEADINGS)


@pytest.mark.parametrize("page", ["operations.md", "privacy.md", "first-deployment.md"])
def test_links_lead_to_files(page):
    text = (PROJECT / "docs" / page).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (PROJECT / "docs" / target).exists(), target


def test_every_row_belongs_to_a_table():
    pages = [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]
    blocks = [block for page in pages for block in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE)]
    assert blocks
    for block in blocks:
        rows = block.splitlines()
        assert re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", rows[min(1, len(rows) - 1)]), rows[0]


def test_what_cannot_be_made_again_is_guarded_in_production(deploy, clients):
    checklist = PAGE.partition("## Going to production")[2]
    [policy] = re.findall(r"--stack-policy-body '([^']+)'", checklist)
    allowed, denied = json.loads(policy)["Statement"]
    assert (allowed["Effect"], allowed["Action"], allowed["Resource"]) == ("Allow", "Update:*", "*")
    assert (denied["Effect"], set(denied["Action"])) == ("Deny", {"Update:Replace", "Update:Delete"})
    kept = {name for name, each in expanded()["Resources"].items() if each.get("UpdateReplacePolicy") == "Retain"}
    assert kept == {"VerificationsTable", "StackSecret"}
    assert set(denied["Resource"]) == {f"LogicalResourceId/{name}" for name in kept}
    clients("cloudformation").set_stack_policy(StackName=deploy().stack.name, StackPolicyBody=policy)
    assert "PARAMETERS=TableDeletionProtection=true" in checklist
    assert "update-termination-protection --enable-termination-protection" in checklist


CREATES = {
    "AWS::ApiGatewayV2::Api": {"apigateway:POST", "apigateway:PUT", "apigateway:PATCH"},
    "AWS::ApiGatewayV2::ApiMapping": {"apigateway:POST"},
    "AWS::ApiGatewayV2::DomainName": {"apigateway:POST"},
    "AWS::ApiGatewayV2::Stage": {"apigateway:POST", "logs:CreateLogDelivery", "logs:DescribeResourcePolicies"},
    "AWS::CloudWatch::Alarm": {"cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"},
    "AWS::CloudWatch::Dashboard": {"cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"},
    "AWS::DynamoDB::Table": {"dynamodb:CreateTable", "dynamodb:UpdateTimeToLive", "dynamodb:UpdateContinuousBackups"},
    "AWS::Events::Rule": {"events:PutRule", "events:PutTargets", "events:RemoveTargets"},
    "AWS::IAM::Role": {"iam:CreateRole", "iam:PutRolePolicy", "iam:PassRole", "iam:DeleteRole"},
    "AWS::Lambda::EventInvokeConfig": {"lambda:PutFunctionEventInvokeConfig"},
    "AWS::Lambda::Function": {"lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:PutFunctionConcurrency"},
    "AWS::Lambda::LayerVersion": {"lambda:PublishLayerVersion", "lambda:GetLayerVersion", "lambda:DeleteLayerVersion"},
    "AWS::Lambda::Permission": {"lambda:AddPermission", "lambda:RemovePermission"},
    "AWS::Logs::LogGroup": {"logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:DeleteLogGroup"},
    "AWS::Route53::RecordSet": {"route53:ChangeResourceRecordSets", "route53:GetChange"},
    "AWS::SNS::Topic": {"sns:CreateTopic", "sns:Subscribe", "sns:DeleteTopic"},
    "AWS::SSM::Parameter": {"ssm:PutParameter", "ssm:DeleteParameter"},
    "AWS::SecretsManager::Secret": {"secretsmanager:CreateSecret", "secretsmanager:GetRandomPassword"},
}
"""What CloudFormation calls, among others, for a resource of a type."""


def test_whoever_deploys_may_make_what_the_template_holds():
    section = PAGE.partition("## What whoever deploys may do")[2].partition("\n## ")[0]
    [policy] = re.findall(r"```json\n(.+?)```", section, re.DOTALL)
    granted = {action for statement in json.loads(policy)["Statement"] for action in statement["Action"]}
    kinds = {resource["Type"] for resource in expanded()["Resources"].values()}
    assert kinds == set(CREATES)
    assert set.union(*CREATES.values()) - granted == set()
    services = {action.partition(":")[0] for kind in kinds for action in CREATES[kind]}
    assert {action.partition(":")[0] for action in granted} == services | {"cloudformation", "s3"}
    assert not any("*" in action for action in granted)


def sums(section):
    """The least and the most of each table's rows, and those of its last row."""
    for block in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        cells = [re.findall(r"[0-9]+(?:\.[0-9]+)?", line.split("|")[-2]) for line in block.splitlines()[2:]]
        ends = [(float(numbers[0]), float(numbers[-1])) for numbers in cells]
        yield tuple(map(sum, zip(*ends[:-1], strict=True))), ends[-1]


def test_the_costs_add_up_and_count_the_metrics():
    section = PAGE.partition("## Costs")[2].partition("\n## ")[0]
    for (least, most), (told_least, told_most) in sums(section):
        assert abs(least - told_least) < 0.5
        assert abs(most - told_most) < 0.5
    assert section.count("**together**") == 2
    metrics = [
        q for alarm in resources("AWS::CloudWatch::Alarm").values() for q in alarm["Metrics"] if "MetricStat" in q
    ]
    bands = [alarm for alarm in resources("AWS::CloudWatch::Alarm").values() if "ThresholdMetricId" in alarm]
    counted = len(metrics) + 2 * len(bands)
    assert f"| {counted} metrics that they look at" in section
    assert f"| {counted / 10:.2f} |" in section
    written = sum(len(metrics) for metrics in COUNTED_BY.values())
    assert f"month, {written} if every kind of failure occurs" in section
    assert f"to {written * 0.3:.2f} |" in section


def test_the_page_on_the_first_deployment_names_what_there_is():
    page = (PROJECT / "docs/first-deployment.md").read_text()
    template = expanded()
    assert set(re.findall(r"\(output (\w+)\)", page)) <= set(template["Outputs"])
    assert set(re.findall(r"\(resource (\w+)\)", page)) <= set(template["Resources"])
    assert set(re.findall(r"\b([A-Z][A-Za-z]+)=(?=[0-9<a\\])", page)) <= set(template["Parameters"])
    assert set(re.findall(r"Variables\.(OTP_\w+)", page)) <= set(environment("SendOtpFunction"))
    stage = deployed({})["ApiApiGatewayDefaultStage"]
    routes = [stage["RouteSettings"][route] for route in ("GET /confirm", "POST /twilio/status")]
    limits = [float(each["ThrottlingRateLimit"]) for each in (stage["DefaultRouteSettings"], *routes)]
    assert f"prints `{limits}`" in page
    for linking in ("README.md", "docs/operations.md"):
        assert "first-deployment.md)" in (PROJECT / linking).read_text()
    for heading in re.findall(r"operations\.md#([a-z-]+)", page):
        assert heading in {re.sub(r"[^a-z -]", "", each.lower()).replace(" ", "-") for each in HEADINGS}


def test_every_kind_of_record_is_told_of():
    keys = set(
        re.findall(
            r'return f?"([A-Z]#)', (PROJECT / "layers/otp_feedback/otp_feedback/adapters/aws/items.py").read_text()
        )
    )
    assert keys
    assert keys == set(re.findall(r"`([A-Z]#)`", PRIVACY))


@pytest.fixture
def called(monkeypatch):
    """Runs a command; the actions that it called."""
    seen: set[str] = set()

    def note(model, **_):
        service = model.service_model.service_id.hyphenize()
        seen.add(f"{PREFIXES.get(service, service)}:{model.name}")

    def run(*arguments: str) -> set[str]:
        seen.clear()
        session = boto3.Session()
        session.events.register("before-call", note)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        assert main([*arguments]) == 0
        return set(seen)

    return run


def documented(command: str) -> set[str]:
    [row] = [line for line in PAGE.splitlines() if re.match(rf"\| [a-z, -]*\b{command}\b[a-z, -]* \| `[a-z]+:", line)]
    return set(re.findall(r"`([a-z0-9-]+:[A-Za-z]+)`", row))


def test_the_permissions_of_commands_for_the_table_are_those_that_they_use(called, laptop, emulated):
    loop, number = laptop.loop, fresh_number()
    loop.started("reply", number)
    loop.inbound("message", number, body="yes")
    loop.report_due()
    due = loop.started()
    loop.fault("feedback", "status", status=503)
    loop.check(due.verification_id, loop.code(due.to))
    # The API is called with a signature, not through a client.
    assert called("doctor", "--stack", NAME) | {"execute-api:Invoke"} == documented("doctor")
    assert called("unlock", "--stack", NAME, "--number", number) == documented("unlock")
    assert called("erase", "--stack", NAME, "--number", number, "--yes") == documented("erase")


def test_the_permissions_of_commands_for_the_secret_are_those_that_they_use(called, deploy, twilio, monkeypatch):
    name = deploy(TableDeletionProtection="true").stack.name
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", SID)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    assert called("connect", "--stack", name, "--yes", "--twilio-base-url", twilio.url) == documented("connect")
    assert called("rotate-keys", "--stack", name) == documented("rotate-keys")
    undone = called("destroy", "--stack", name, "--yes", "--data", "--twilio-base-url", twilio.url)
    assert undone == documented("destroy")
