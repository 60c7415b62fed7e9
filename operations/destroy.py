"""Undo a deployment: take the stack off its senders, delete it, and what it leaves behind if that is wanted."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, WaiterError

from operations.aws import explained
from operations.checkup import login_of
from operations.errors import OperationError
from operations.release import plan_release
from operations.secret import read_secret
from operations.stack import DeployedStack
from operations.terminal import Terminal
from operations.twilio import Addresses, TwilioAccount
from operations.webhooks import Change, tell_settings
from otp_feedback.domain.senders import is_whatsapp

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

SECRET_DAYS = 30
"""How long a deleted secret can be restored; DynamoDB keeps a deleted table's backup for 35 days."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is undone.

    Parameters
    ----------
    webhooks
        Whether the senders are changed at Twilio.
    data
        Whether the table and the secret are deleted, too.
    """

    webhooks: bool = True
    data: bool = False


@dataclass(frozen=True, slots=True)
class Clients:
    """AWS's services."""

    cloudformation: "CloudFormationClient"
    dynamodb: "DynamoDBClient"
    secrets: "SecretsManagerClient"


def destroy(clients: Clients, stack: DeployedStack, addresses: Addresses, terminal: Terminal, extent: Extent) -> int:
    """Show what is undone, ask, and undo it; the command's exit status.

    Raises
    ------
    OperationError
        Something could not be undone; says what.
    """
    if stack.status.endswith("_IN_PROGRESS"):
        raise OperationError(f"The stack {stack.name} is {stack.status}: wait until that has ended.")
    if stack.is_protected:
        raise OperationError(
            f"The termination protection of {stack.name} is on, and nothing was changed. Take it off first: aws "
            f"cloudformation update-termination-protection --no-enable-termination-protection --stack-name {stack.name}"
        )
    with ExitStack() as cleanup:
        account = _account(clients.secrets, stack, addresses) if extent.webhooks else None
        changes: list[Change] = []
        if account is not None:
            cleanup.enter_context(account)
            changes = _planned(account, stack)
        _tell(stack, changes, terminal, extent)
        if not terminal.agrees("Go on?"):
            terminal.say("Nothing was changed.")
            return 0
        if account is not None:
            _release(account, changes)
    terminal.say()
    terminal.say(f"Deleting {stack.name}, which takes some minutes ...")
    _delete_stack(clients.cloudformation, stack)
    terminal.say("The stack is deleted.")
    if extent.data:
        _delete_data(clients, stack, terminal)
    else:
        terminal.say("Once you are sure, delete what it kept:")
        if stack.text("TableDeletionProtection") == "true":
            terminal.say(f"  aws dynamodb update-table --table-name {stack.table} --no-deletion-protection-enabled")
        terminal.say(f"  aws dynamodb delete-table --table-name {stack.table}")
        terminal.say(f"  aws secretsmanager delete-secret --secret-id {stack.secret_arn}")
    return 0


def _account(secrets: "SecretsManagerClient", stack: DeployedStack, addresses: Addresses) -> TwilioAccount | None:
    stored = read_secret(secrets, stack.secret_arn)
    # A stack that was never connected has changed nothing at Twilio.
    return TwilioAccount(login_of(stack, stored), addresses) if stored.text("twilio_auth_token") else None


def _planned(account: TwilioAccount, stack: DeployedStack) -> list[Change]:
    try:
        return list(plan_release(account, stack))
    except OperationError as error:
        raise _unreleased(error) from error


def _release(account: TwilioAccount, changes: list[Change]) -> None:
    try:
        for change in changes:
            account.update(change.url, change.form)
    except OperationError as error:
        raise _unreleased(error) from error


def _unreleased(error: OperationError) -> OperationError:
    return OperationError(f"The stack stays. {error} To leave the senders as they are: ARGS=--no-webhooks.")


def _tell(stack: DeployedStack, changes: list[Change], terminal: Terminal, extent: Extent) -> None:
    for change in changes:
        tell_settings(change, terminal)
    if extent.webhooks:
        for sender in stack.senders:
            if is_whatsapp(sender):
                terminal.say("A WhatsApp sender's webhook must be taken off by hand in Twilio's console.")
    fate = "deleted as well" if extent.data else "kept (ARGS=--data deletes them as well)"
    terminal.say(f"The stack {stack.name} at {stack.base_url} is deleted; reports that are still due are lost.")
    terminal.say(f"The table and the secret are {fate}:")
    terminal.say(f"  {stack.table}")
    terminal.say(f"  {stack.secret_arn}")


def _delete_stack(cloudformation: "CloudFormationClient", stack: DeployedStack) -> None:
    with explained():
        try:
            cloudformation.delete_stack(StackName=stack.name)
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack.name)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ValidationError":
                raise
            raise OperationError(
                f"CloudFormation does not delete {stack.name}: see whether its termination protection is on."
            ) from error
        except WaiterError as error:
            raise OperationError(
                f"{stack.name} is not deleted: see its events in CloudFormation, then run the command again."
            ) from error


def _delete_data(clients: Clients, stack: DeployedStack, terminal: Terminal) -> None:
    with explained():
        _unprotect(clients.dynamodb, stack.table)
        clients.dynamodb.delete_table(TableName=stack.table)
        terminal.say("The table is deleted; DynamoDB keeps a backup of it for 35 days.")
        clients.secrets.delete_secret(SecretId=stack.secret_arn, RecoveryWindowInDays=SECRET_DAYS)
        terminal.say(f"The secret is deleted; it can be restored for {SECRET_DAYS} days.")


def _unprotect(dynamodb: "DynamoDBClient", table: str) -> None:
    if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.get_waiter("table_exists").wait(TableName=table)
