"""The stack's secret: read whole, changed, and written only if nobody else wrote meanwhile."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.aws import explained
from operations.errors import OperationError
from operations.stack import DeployedStack
from otp_feedback.adapters.aws.secret import StackSecret, parse_secret
from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.domain.keys import Keys

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

READ_AGAIN_MINUTES = 5
"""How long functions may still go by the version before."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """The secret as it stands; nothing of it prints.

    Parameters
    ----------
    fields
        Its JSON object.
    version
        The id of the version that was read.
    """

    fields: Mapping[str, Any] = field(repr=False)
    version: str

    def text(self, name: str) -> str:
        """A field that holds a string; empty where there is none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


def read_secret(client: "SecretsManagerClient", arn: str) -> StoredSecret:
    """Read the current version.

    Raises
    ------
    OperationError
        It cannot be read, or holds no JSON object.
    """
    with explained():
        answer = client.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")
    try:
        fields = json.loads(answer["SecretString"])
    except (KeyError, ValueError):
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("root"), str):
        raise OperationError(
            "The stack's secret is not the JSON object with a root that the stack made. Restore the version before: "
            "docs/operations.md, 'Restoring'."
        )
    return StoredSecret(fields, answer["VersionId"])


def write_secret(
    client: "SecretsManagerClient", arn: str, stored: StoredSecret, fields: Mapping[str, Any], *, emulated: bool
) -> None:
    """Replace the secret by `fields`.

    It is written beside the current version and then made the current one, which Secrets Manager refuses if the
    current one is no longer `stored`. Nothing that another command wrote in between can so be lost.

    Parameters
    ----------
    emulated
        Whether the emulator's credentials are taken.

    Raises
    ------
    OperationError
        The functions could not use it, or the secret was changed meanwhile; the current version stays as it is.
    """
    if fields.get("root") != stored.fields.get("root"):
        raise ValueError("the root never changes")
    text = json.dumps(dict(fields))
    parsed(text, emulated=emulated)
    # A label of this run alone keeps the version until it is the current one.
    label = f"pending-{secrets.token_hex(8)}"
    with explained():
        version = client.put_secret_value(SecretId=arn, SecretString=text, VersionStages=[label])["VersionId"]
        try:
            client.update_secret_version_stage(
                SecretId=arn,
                VersionStage="AWSCURRENT",
                MoveToVersionId=version,
                RemoveFromVersionId=stored.version,
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "InvalidParameterException":
                raise
            raise OperationError("The secret was changed by somebody else meanwhile: run the command again.") from error
        finally:
            client.update_secret_version_stage(SecretId=arn, VersionStage=label, RemoveFromVersionId=version)


def parsed(text: str, *, emulated: bool) -> StackSecret:
    """The secret as the functions read it.

    Raises
    ------
    OperationError
        They could not use it; names the field.
    """
    try:
        return parse_secret(text, emulated=emulated)
    except ConfigurationError as error:
        raise OperationError(f"The stack's secret: {error}.") from error


def connected(stack: DeployedStack, stored: StoredSecret) -> StackSecret:
    """The secret of a stack that has its Twilio credentials.

    Raises
    ------
    OperationError
        It has none yet, or something in it cannot be used.
    """
    return parsed(json.dumps(dict(stored.fields)), emulated=stack.twilio_is_emulated)


def keys_of(stored: StoredSecret) -> Keys:
    """The stack's keys, which need no Twilio credentials.

    Raises
    ------
    OperationError
        Names the field that cannot be used.
    """
    fields = stored.fields
    try:
        return Keys.derive(stored.text("root"), fields.get("mac_keys"), stored.text("mac_key_id") or None)
    except ConfigurationError as error:
        raise OperationError(f"The stack's secret: {error}.") from error
