"""A deployed stack, as CloudFormation tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.aws import explained
from operations.errors import OperationError
from otp_feedback.domain.recipient import Limits, Windows

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

NEEDED_OUTPUTS = ("ApiUrl", "TableName", "SecretArn", "BaseUrlParameterName")
SETTLED = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
"""What a stack's status is when it can be used and nothing is under way."""


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack that was made from template.yaml.

    Parameters
    ----------
    outputs, parameters
        As CloudFormation holds them, by name.
    is_protected
        Whether its termination protection is on.
    """

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    is_protected: bool = False

    @property
    def base_url(self) -> str:
        """The public address, without a slash at its end."""
        return self.outputs["ApiUrl"].rstrip("/")

    @property
    def table(self) -> str:
        """The table's name."""
        return self.outputs["TableName"]

    @property
    def secret_arn(self) -> str:
        """The secret's ARN."""
        return self.outputs["SecretArn"]

    @property
    def base_url_parameter(self) -> str:
        """The SSM parameter that holds the public address."""
        return self.outputs["BaseUrlParameterName"]

    @property
    def senders(self) -> tuple[str, ...]:
        """The default sender, then those that a caller may choose."""
        listed = [self.text("Sender"), *self.text("AllowedSenders").split(",")]
        return tuple(dict.fromkeys(sender.strip() for sender in listed if sender.strip()))

    @property
    def twilio_is_emulated(self) -> bool:
        """Whether the functions take the emulator's credentials: where Twilio's address is plain http."""
        return self.text("TwilioBaseUrl").startswith("http://")

    @property
    def limits(self) -> Limits:
        """How often a recipient may be sent a message."""
        default = Limits()
        windows = Windows(
            interval_s=self.whole("MessageIntervalSeconds", default.recipient.interval_s),
            hourly=self.whole("HourlyLimit", default.recipient.hourly),
            daily=self.whole("DailyLimit", default.recipient.daily),
        )
        return Limits(recipient=windows, max_attempts=self.whole("MaxAttempts", default.max_attempts))

    def text(self, parameter: str) -> str:
        """A parameter's value; empty where the stack has none."""
        return self.parameters.get(parameter, "")

    def whole(self, parameter: str, default: int) -> int:
        """A parameter's value as a whole number."""
        value = self.text(parameter)
        return int(value) if value else default


def read_stack(cloudformation: "CloudFormationClient", name: str) -> DeployedStack:
    """Look a stack up.

    Raises
    ------
    OperationError
        There is no such stack in this account and region, or it was not made from this template.
    """
    with explained():
        try:
            described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ValidationError":
                raise
            region = cloudformation.meta.region_name
            raise OperationError(
                f"There is no stack {name} in {region}: check STACK, AWS_REGION and AWS_PROFILE, or deploy it first."
            ) from error
    outputs = _table(described.get("Outputs", []), "OutputKey", "OutputValue")
    missing = [output for output in NEEDED_OUTPUTS if not outputs.get(output)]
    if missing:
        raise OperationError(
            f"The stack {name} ({described['StackStatus']}) has no output {', '.join(missing)}: "
            "it is not one of OTP Feedback, or its deployment has not come to its end."
        )
    parameters = _table(described.get("Parameters", []), "ParameterKey", "ParameterValue")
    is_protected = bool(described.get("EnableTerminationProtection"))
    return DeployedStack(name, described["StackStatus"], outputs, parameters, is_protected)


def _table(entries: Any, key: str, value: str) -> dict[str, str]:
    return {entry[key]: entry.get(value, "") for entry in entries}
