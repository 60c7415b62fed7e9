"""Let a recipient be sent messages again that too many wrong guesses had locked."""

from typing import TYPE_CHECKING

from operations.aws import explained
from operations.secret import keys_of, read_secret
from operations.stack import DeployedStack
from operations.terminal import Terminal
from otp_feedback.adapters.aws.budgets import DynamoDBBudgets
from otp_feedback.adapters.aws.table import Table
from otp_feedback.domain.phone import PhoneNumber

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

    Parameters
    ----------
    now
        Epoch milliseconds.

    Returns
    -------
    int
        The command's exit status: 1 where nothing is known of the number.

    Raises
    ------
    OperationError
        Nothing was changed; says why.
    """
    recipient = keys_of(read_secret(secrets, stack.secret_arn)).recipient(number.e164)
    with explained():
        before = DynamoDBBudgets(Table(dynamodb, stack.table)).unlock(recipient)
    if before is None:
        terminal.say("This stack has sent nothing to the number.")
        return 1
    terminal.say(f"{before.failures} consecutive failures were forgotten (the limit is {stack.limits.max_failures}).")
    wait_ms = stack.limits.recipient.wait_ms(before.sends, now)
    if wait_ms:
        terminal.say(f"Its limit on messages holds for another {-(-wait_ms // 1000)} s.")
    return 0
