"""AWS and Twilio for the commands: a deployed stack in moto, an account with numbers."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, Protocol

import pytest

from local.aws import ACCOUNT_SID, AUTH_TOKEN, AwsServer
from operations import aws
from operations.stack import DeployedStack, read_stack
from operations.twilio import Addresses
from operations.webhooks import CALL_PATH, MESSAGE_PATH
from tests.operations.account import ServedAccount
from tests.operations.laptop import SENDER as SENDER_OF_LAPTOP
from tests.operations.laptop import Laptop, emulated_account, running
from tests.template.expanded import expanded, references

ROOT = "r" * 64
SENDER = "+14155550142"
PARAMETERS = (
    *(
        "Sender",
        "AllowedSenders",
        "Countries",
        "RecordDays",
        "LifetimeSeconds",
        "LogRetentionDays",
        "JwtIssuer",
    ),
    *("MessageIntervalSeconds", "HourlyLimit", "DailyLimit", "MaxAttempts", "AlarmEmail", "AlarmTopicArn"),
    *("Architecture", "KmsKeyArn", "TableDeletionProtection", "PublicBaseUrl", "CustomDomain"),
    *("TwilioBaseUrl", "TwilioRegion", "TwilioEdge", "FallbackMessageUrl", "FallbackCallUrl"),
)
"""What the commands read of a stack's parameters."""


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's credentials, and no proxy."""
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OTP_TWILIO_BASE_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


@dataclass(frozen=True)
class Deployed:
    """A stack in moto: what CloudFormation tells of it, and its secret."""

    stack: DeployedStack
    clients: "Clients"

    @property
    def secrets(self) -> Any:
        return self.clients("secretsmanager")

    @property
    def dynamodb(self) -> Any:
        return self.clients("dynamodb")

    def current(self) -> Any:
        """The secret's current version; without the label, moto answers with another one."""
        return self.secrets.get_secret_value(SecretId=self.stack.secret_arn, VersionStage="AWSCURRENT")

    def secret(self) -> dict[str, Any]:
        """The secret's fields as they are now."""
        fields: dict[str, Any] = json.loads(self.current()["SecretString"])
        return fields

    def keep(self, **fields: Any) -> None:
        """Put fields into the secret; its label is moved by hand, as moto would have two versions with it."""
        arn, before = self.stack.secret_arn, self.current()["VersionId"]
        text = json.dumps({**self.secret(), **fields})
        after = self.secrets.put_secret_value(SecretId=arn, SecretString=text, VersionStages=["kept"])["VersionId"]
        self.secrets.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=after, RemoveFromVersionId=before
        )

    def reaches(self, account: ServedAccount) -> Addresses:
        """Twilio's address for this stack."""
        return Addresses.of(self.stack, account.url)


class Deploy(Protocol):
    """Deploys a stack with parameters that differ from the template's defaults."""

    def __call__(self, **parameters: str) -> Deployed: ...


Clients = Callable[[str], Any]
"""Gives a client of a service; making one takes long."""

_names = (f"acme{number}" for number in count())


@pytest.fixture(scope="session")
def moto() -> Iterator[AwsServer]:
    """AWS; each test has stacks of its own there."""
    server = AwsServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def clients(moto: AwsServer) -> Iterator[Clients]:
    """Clients of it."""
    with ExitStack() as cleanup, pytest.MonkeyPatch.context() as patch:

        @cache
        def client(service: str) -> Any:
            for name, value in moto.environment.items():
                patch.setenv(name, value)
            return cleanup.enter_context(closing(aws.client(service)))

        yield client


@pytest.fixture
def deploy(moto: AwsServer, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Deploys what moto's CloudFormation can create of the template; the secret is made beside it.

    The usual variables point at it, so that whole commands can be run.
    """
    for variable, value in moto.environment.items():
        monkeypatch.setenv(variable, value)

    def deploy(**parameters: str) -> Deployed:
        name = next(_names)
        given = {"Sender": SENDER, "Countries": "US", "PublicBaseUrl": "https://otp.example.com"}
        secret = clients("secretsmanager").create_secret(Name=name, SecretString=json.dumps({"root": ROOT}))
        create_stack(clients("cloudformation"), name, created(secret["ARN"]), {**given, **parameters})
        return Deployed(read_stack(clients("cloudformation"), name), clients)

    return deploy


def created(secret_arn: str) -> dict[str, Any]:
    """The template's table and parameter, and its outputs; what moto cannot create is only named."""
    template = json.loads(_created())
    template["Outputs"]["SecretArn"]["Value"] = secret_arn
    return dict(template)


@cache
def _created() -> str:
    template = expanded()
    resources = {name: template["Resources"][name] for name in ("VerificationsTable", "BaseUrlParameter")}
    # moto knows Retain alone; on a stack that was made, both are the same.
    assert resources["VerificationsTable"]["DeletionPolicy"] == "RetainExceptOnCreate"
    resources["VerificationsTable"]["DeletionPolicy"] = "Retain"
    outputs = template["Outputs"]
    del outputs["CustomDomainTarget"]
    for name in ("ApiId", "SendFunctionArn", "DashboardUrl", "ApiLogGroupName", "SecretArn"):
        outputs[name]["Value"] = name
    # moto parses the whole template for each stack, slowly, so what these parts do not need is left out.
    chosen = re.findall(r'"Fn::If": \["(\w+)"', json.dumps([resources, outputs]))
    conditions = {name: template["Conditions"][name] for name in chosen}
    needed = {*references([resources, outputs, conditions]), *PARAMETERS}
    parameters = {
        name: {key: value for key, value in parameter.items() if key in {"Type", "Default"}}
        for name, parameter in template["Parameters"].items()
        if name in needed
    }
    return json.dumps({"Parameters": parameters, "Conditions": conditions, "Resources": resources, "Outputs": outputs})


def create_stack(cloudformation: Any, name: str, template: dict[str, Any], parameters: dict[str, str]) -> None:
    """Have moto's CloudFormation create a stack."""
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )


@pytest.fixture(scope="session")
def _account() -> Iterator[ServedAccount]:
    with ServedAccount() as account:
        yield account


@pytest.fixture
def twilio(_account: ServedAccount) -> ServedAccount:
    """An account that has the stack's sender."""
    _account.reset()
    _account.buy(SENDER)
    return _account


@pytest.fixture(scope="session")
def _laptop() -> Iterator[tuple[Laptop, ServedAccount]]:
    with pytest.MonkeyPatch.context() as patch, emulated_account() as account:

        def set_variables(variables: Mapping[str, str]) -> None:
            for name, value in variables.items():
                patch.setenv(name, value)

        with running(account, set_variables) as laptop:
            patch.undo()
            yield laptop, account


@pytest.fixture
def laptop(
    _laptop: tuple[Laptop, ServedAccount], _own_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Laptop]:
    """The whole service on this machine, as a deployed stack; the usual variables point at it."""
    running_laptop, _ = _laptop
    for name, value in running_laptop.stack.aws.environment.items():
        monkeypatch.setenv(name, value)
    with running_laptop.loop.test():
        yield running_laptop
    running_laptop.front.open = running_laptop.front.closed = False


@pytest.fixture
def emulated(_laptop: tuple[Laptop, ServedAccount]) -> Iterator[ServedAccount]:
    """The laptop's Twilio account, for its numbers; its sender points at the stack."""
    laptop, account = _laptop
    base_url = laptop.deployed.base_url
    account.buy(SENDER_OF_LAPTOP, sms_url=f"{base_url}{MESSAGE_PATH}", voice_url=f"{base_url}{CALL_PATH}")
    yield account
    account.reset(sid=ACCOUNT_SID, tokens={AUTH_TOKEN}, keys={})
