"""Let a recipient be sent messages again that too many wrong guesses had locked."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from operations.aws import explained
from operations.secret import keys_of, read_secret
from operations.stack import DeployedStack
from operations.terminal import Terminal
from otp_feedback.adapters.aws.items import read_recipient, recipient_key, typed
from otp_feedback.domain.phone import PhoneNumber
from otp_feedback.domain.recipient import Recipient

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient


def unlock(
    dynamodb: "DynamoDBClient",
    secrets: "SecretsManagerClient",
    stack: DeployedStack,
    number: PhoneNumber,
    terminal: Terminal,
    now: int,
) -> int:
    """Forget a recipient's consecutive failures; its windows of messages stay.

    Returns the command's exit status: 1 where nothing is known of the number.

    Parameters
    ----------
    now
        Epoch milliseconds.

    Raises
    ------
    OperationError
        Nothing was changed; says why.
    """
    recipient = keys_of(read_secret(secrets, stack.secret_arn)).recipient(number.e164)
    before = _reset(dynamodb, stack.table, recipient)
    if before is None:
        terminal.say("This stack has sent nothing to the number.")
        return 1
    terminal.say(f"{before.failures} consecutive failures were forgotten (the limit is {stack.limits.max_failures}).")
    wait_ms = stack.limits.recipient.wait_ms(before.sends, now)
    if wait_ms:
        terminal.say(f"Its limit on messages holds for another {-(-wait_ms // 1000)} s.")
    return 0


def _reset(dynamodb: "DynamoDBClient", table: str, recipient: bytes) -> Recipient | None:
    """Returns the recipient as it was; None where there is none."""
    with explained():
        try:
            answer = dynamodb.update_item(
                TableName=table,
                Key=typed({"pk": recipient_key(recipient)}),
                UpdateExpression="SET #f = :zero",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeNames={"#f": "f"},
                ExpressionAttributeValues=typed({":zero": 0}),
                ReturnValues="ALL_OLD",
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                return None
            raise
    return read_recipient(answer["Attributes"])
