"""Everything that the doctor looks at, in the order in which it says so."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from operations import check_api, check_aws, check_functions, check_twilio
from operations.doctor import Checks
from operations.errors import OperationError
from operations.findings import Finding, failed, passed
from operations.secret import StoredSecret, connected, read_secret
from operations.stack import DeployedStack
from operations.twilio import Addresses, Login

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True, slots=True)
class CheckupClients:
    """AWS's services; `sts` and `functions` (Lambda) are low-level clients, too."""

    sts: Any
    cloudformation: "CloudFormationClient"
    functions: Any
    cloudwatch: "CloudWatchClient"
    dynamodb: "DynamoDBClient"
    secrets: "SecretsManagerClient"
    ssm: "SSMClient"


@dataclass(frozen=True, slots=True)
class Patient:
    """What is checked.

    Parameters
    ----------
    credentials
        botocore's, of whoever runs the command.
    replies
        Whether replies are to reach the stack.
    now_ms
        Tells epoch milliseconds.
    """

    stack: DeployedStack
    addresses: Addresses
    region: str
    credentials: Any = field(repr=False)
    replies: bool
    now_ms: Callable[[], int]


def checkup(clients: CheckupClients, patient: Patient) -> list[Checks]:
    """The checks of a stack."""
    stack = patient.stack

    def you() -> Iterator[Finding]:
        yield passed(f"AWS account {clients.sts.get_caller_identity()['Account']}, region {patient.region}")

    def twilio() -> Iterator[Finding]:
        yield from check_twilio.check_twilio(
            login_of(stack, read_secret(clients.secrets, stack.secret_arn)),
            patient.addresses,
            stack,
            lambda: patient.now_ms() / 1000,
            replies=patient.replies,
        )

    def api() -> Iterator[Finding]:
        login = _login_if_any(clients, stack)
        brings_tokens = bool(stack.text("JwtIssuer"))
        if patient.credentials is None and not brings_tokens:
            yield failed("there are no AWS credentials", "sign in, and check AWS_PROFILE")
            return
        caller = None if brings_tokens else check_api.Caller(patient.credentials, patient.region)
        yield from check_api.check_api(stack, caller, login)

    return [
        Checks("You", you),
        Checks("The stack", lambda: check_aws.check_stack(stack)),
        Checks(
            "Its functions",
            lambda: check_functions.check_functions(clients.cloudformation, clients.functions, stack),
        ),
        Checks("Its alarms", lambda: check_aws.check_alarms(clients.cloudwatch, stack.name, patient.now_ms())),
        Checks("Its secret", lambda: check_aws.check_secret(clients.secrets, stack)),
        Checks("Twilio", twilio),
        Checks("Its table", lambda: check_aws.check_table(clients.dynamodb, stack)),
        Checks("Its outbox", lambda: check_aws.check_outbox(clients.dynamodb, stack, patient.now_ms())),
        Checks("Its address", lambda: check_aws.check_base_url(clients.ssm, stack)),
        Checks("Its API", api),
    ]


def login_of(stack: DeployedStack, stored: StoredSecret) -> Login:
    """The Twilio credentials that a stack has.

    Raises
    ------
    OperationError
        It has none, or they cannot be used.
    """
    connected(stack, stored)
    return Login(
        stored.text("twilio_account_sid"),
        stored.text("twilio_auth_token"),
        stored.text("twilio_api_key_sid") or None,
        stored.text("twilio_api_key_secret") or None,
    )


def _login_if_any(clients: CheckupClients, stack: DeployedStack) -> Login | None:
    try:
        return login_of(stack, read_secret(clients.secrets, stack.secret_arn))
    except OperationError:
        # The secret's own check says what is wrong with it.
        return None
