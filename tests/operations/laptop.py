"""The laptop stack, made to look deployed: CloudFormation knows it, and callers' routes ask for a signature."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx
from werkzeug.wrappers import Request, Response

from local.aws import ACCOUNT_SID, AUTH_TOKEN
from local.servers import Listener
from local.stack import Stack
from local.twilio_emulator import Delays
from operations import aws
from operations.stack import DeployedStack, read_stack
from tests.loop.driver import Loop
from tests.operations.account import ServedAccount
from tests.template.expanded import FUNCTIONS, environment, references

NAME = "laptop"
SENDER = "+14155550100"
NEVER = Delays(queued=3600, sent=3600, delivered=3600)
ALARMS = ("laptop-FeedbackAgeAlarm-1A2B3C", "laptop-ErrorsAlarm-4D5E6F", "laptop-other-ErrorsAlarm-4D5E6F")
"""The last one is another stack's."""


class Front:
    """API Gateway's part: refuses unsigned requests to callers' routes, and passes the rest on."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.open = False
        self.closed = False
        self.behind = ""

    def serve(self, behind: str) -> None:
        """Start to pass requests on."""
        self.behind = behind
        self.listener.serve(self._application)

    def _application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        signature = request.headers.get("Authorization", "")
        signed = signature.startswith("AWS4-HMAC-SHA256 ") and "/us-east-1/execute-api/aws4_request" in signature
        if request.path.startswith("/verifications") and (self.closed or not (signed or self.open)):
            return Response('{"message":"Forbidden"}', 403, mimetype="application/json")
        answer = httpx.request(
            request.method,
            f"{self.behind}{request.full_path.rstrip('?')}",
            content=request.get_data(),
            headers={k: v for k, v in request.headers if k in {"Content-Type", "X-Twilio-Signature", "Authorization"}},
            trust_env=False,
        )
        return Response(answer.content, answer.status_code, content_type=answer.headers.get("Content-Type"))


@dataclass
class Laptop:
    """A running stack, and what the doctor sees of it."""

    front: Front
    stack: Stack
    loop: Loop
    deployed: DeployedStack

    def parameters(self, **changed: str) -> DeployedStack:
        """The stack as if it had been deployed with other parameters."""
        return DeployedStack(
            self.deployed.name, self.deployed.status, self.deployed.outputs, {**self.deployed.parameters, **changed}
        )


@contextmanager
def running(twilio: ServedAccount, environment: Any) -> Iterator[Laptop]:
    """Run it; `environment` sets variables."""
    with ExitStack() as cleanup:
        front = Front()
        cleanup.callback(front.listener.stop)
        parameters = {"PublicBaseUrl": front.listener.url}
        stack = cleanup.enter_context(Stack(period_s=None, delays=NEVER, parameters=parameters))
        front.serve(stack.api_url)
        stack.twilio.gateway_url = front.listener.url
        environment(stack.aws.environment)
        loop = cleanup.enter_context(Loop(stack))
        _describe(stack, front.listener.url, twilio.url)
        yield Laptop(front, stack, loop, read_stack(aws.client("cloudformation"), NAME))


def _describe(stack: Stack, base_url: str, twilio_url: str) -> None:
    """Tell CloudFormation of it, and give the table what moto is not given otherwise."""
    references = stack._references
    values = {
        "ApiUrl": base_url,
        "TableName": stack.table_name,
        "SecretArn": references["StackSecret"],
        "BaseUrlParameterName": references["BaseUrlParameter"],
    }
    given = {"Sender": SENDER, "TwilioBaseUrl": twilio_url, "AlarmEmail": "ops@example.com", "Countries": "DE"}
    template = {
        "Parameters": {name: {"Type": "String"} for name in given},
        "Resources": {"Role": ROLE, **{name: function(name, set(given)) for name in FUNCTIONS}},
        "Outputs": {name: {"Value": value} for name, value in values.items()},
    }
    aws.client("cloudformation").create_stack(
        StackName=NAME,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
    )
    aws.client("ssm").put_parameter(Name=values["BaseUrlParameterName"], Value=base_url, Type="String", Overwrite=True)
    for alarm in ALARMS:
        set_alarm(alarm, "OK")
    dynamodb = aws.client("dynamodb")
    dynamodb.update_time_to_live(
        TableName=stack.table_name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )
    dynamodb.update_continuous_backups(
        TableName=stack.table_name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    },
}


def function(name: str, parameters: set[str]) -> dict[str, Any]:
    """A function of the template with no code to speak of, and those of its variables that are these parameters."""
    variables = {key: value for key, value in environment(name).items() if set(references(value)) & parameters}
    variables["OTP_PUBLIC_BASE_URL"] = ""  # what the template makes of the two parameters that this stack lacks
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "app.lambda_handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": "def lambda_handler(event, context): pass"},
            "Environment": {"Variables": variables},
        },
    }


def set_alarm(name: str, state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]) -> None:
    """Have an alarm in a state."""
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def emulated_account() -> ServedAccount:
    """A Twilio account that takes the emulator's credentials, with the stack's sender pointing nowhere yet."""
    return ServedAccount(sid=ACCOUNT_SID, tokens={AUTH_TOKEN}, keys={})
