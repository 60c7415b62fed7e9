"""Erase what a stack's table holds of a phone number."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.aws import explained
from operations.errors import OperationError
from operations.number import NamedNumber
from operations.secret import keys_of, read_secret
from operations.stack import DeployedStack
from operations.terminal import Terminal
from otp_feedback.adapters.aws.items import Item, plain, read_verification, recipient_key, typed
from otp_feedback.domain.actions import Action
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.recipient import replied_to
from otp_feedback.domain.verification import Verification
from otp_feedback.usecases.reply import NOTHING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the table holds of a number.

    Parameters
    ----------
    verifications
        Its verifications.
    recipients
        Its budgets, by their keys: one item, and more where an earlier version kept one for each spelling.
    replies
        The keys of inbound messages and calls, and which of its verifications each was put to.
    """

    verifications: tuple[Verification, ...]
    recipients: Mapping[str, Item]
    replies: Mapping[str, str]

    @property
    def due(self) -> int:
        """Verifications of which a report to Twilio is due."""
        return sum(map(_is_due, self.verifications))

    @property
    def sids(self) -> tuple[str, ...]:
        """The messages at Twilio, as far as their SIDs are known."""
        return tuple(
            message.sid
            for verification in self.verifications
            for message in verification.messages.values()
            if message.sid is not None
        )


def erase(
    dynamodb: "DynamoDBClient",
    secrets: "SecretsManagerClient",
    stack: DeployedStack,
    number: NamedNumber,
    terminal: Terminal,
    *,
    force: bool = False,
) -> int:
    """Erase a number's verifications and budgets, and cut its inbound messages off from them.

    Returns the command's exit status: 1 where something was written meanwhile, and stays.

    Parameters
    ----------
    force
        Whether reports that are due to Twilio may be lost.

    Raises
    ------
    OperationError
        Nothing was erased: a report is due, or something did not answer.
    """
    keys = keys_of(read_secret(secrets, stack.secret_arn))
    with explained():
        found = find(dynamodb, stack.table, number.spellings, keys)
        _tell(found, terminal)
        if not (found.verifications or found.recipients or found.replies):
            return 0
        if found.due and not force:
            raise OperationError(
                "Nothing was erased: the outbox makes such a report within minutes, unless `make doctor` says why not. "
                f"Then erase again; or lose it: make erase STACK={stack.name} ARGS=--force"
            )
        if not terminal.agrees("Erase?"):
            terminal.say("Nothing was erased.")
            return 0
        return _delete(dynamodb, stack, found, terminal)


def find(dynamodb: "DynamoDBClient", table: str, spellings: tuple[str, ...], keys: Keys) -> Holdings:
    """Look through the whole table, which reads each item once, and once more where the number was asked to reply."""
    forms = {f":to{index}": form for index, form in enumerate(spellings)}
    condition = f"begins_with(pk, :kind) AND #to IN ({', '.join(forms)})"
    scanned = _scan(dynamodb, table, condition, {":kind": "V#", **forms}, {"#to": "to"})
    verifications = tuple(read_verification(item) for item in scanned)
    recipients = dict(_recipients(dynamodb, table, spellings, keys))
    awaited = {v.verification_id for v in verifications if v.action is Action.REPLY}
    awaited.update(*map(_replied_to, recipients.values()))
    if not awaited:
        return Holdings(verifications, recipients, {})
    bindings = map(plain, _scan(dynamodb, table, "begins_with(pk, :kind)", {":kind": "I#"}, {}))
    return Holdings(verifications, recipients, {each["pk"]: each["v"] for each in bindings if each["v"] in awaited})


def _recipients(
    dynamodb: "DynamoDBClient", table: str, spellings: tuple[str, ...], keys: Keys
) -> Iterator[tuple[str, Item]]:
    """What is kept under each spelling itself, and not under the subscriber's one form alone, as it was not always."""
    for spelling in spellings:
        key = recipient_key(keys.index("recipient", spelling))
        item = dynamodb.get_item(TableName=table, Key=typed({"pk": key}), ConsistentRead=True).get("Item")
        if item is not None:
            yield key, item


def _scan(
    dynamodb: "DynamoDBClient", table: str, condition: str, values: dict[str, Any], names: dict[str, str]
) -> Iterator[Item]:
    request: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        ConsistentRead=True,
        FilterExpression=condition,
        ExpressionAttributeValues=typed(values),
        **request,
    )
    for page in pages:
        yield from page["Items"]


def _replied_to(budgets: Item) -> Iterator[str]:
    """The verifications of the last sends that awaited a reply, those whose records are gone by now included."""
    holders = [value["S"] for name, value in budgets.items() if name.startswith("v") and "S" in value]
    yield from filter(None, map(replied_to, holders))


def _tell(found: Holdings, terminal: Terminal) -> None:
    terminal.say(f"{len(found.verifications)} verifications, {found.due} of them with a report to Twilio that is due")
    terminal.say(f"{len(found.recipients)} recipients with their budgets")
    terminal.say(f"{len(found.replies)} inbound messages and calls")


def _delete(dynamodb: "DynamoDBClient", stack: DeployedStack, found: Holdings, terminal: Terminal) -> int:
    """Verifications first: while one stays, its inbound messages stay bound to it and the recipient to its limits."""
    kept = {v.verification_id for v in found.verifications if not _delete_verification(dynamodb, stack.table, v)}
    replies = [key for key, verification_id in found.replies.items() if verification_id not in kept]
    _cut_off(dynamodb, stack.table, replies)
    gone = not kept and all(_delete_recipient(dynamodb, stack.table, *each) for each in found.recipients.items())
    terminal.say()
    terminal.say(f"Erased: {len(found.verifications) - len(kept)} verifications.")
    terminal.say(f"Cut off: {len(replies)} inbound messages and calls.")
    if not gone:
        terminal.say("Something was written for the number meanwhile, and stays with its budgets: erase again.")
        return 1
    if found.recipients:
        terminal.say("Erased: the recipient with its budgets.")
    _tell_what_remains(stack, found.sids, terminal)
    return 0


def _delete_verification(dynamodb: "DynamoDBClient", table: str, seen: Verification) -> bool:
    """Delete a record unless an action was confirmed, or a report fell due, since it was seen."""
    condition = "#st = :seen" if _is_due(seen) else "#st = :seen AND attribute_not_exists(feedback_shard)"
    return _delete_if(
        dynamodb,
        table,
        f"V#{seen.verification_id}",
        f"attribute_not_exists(pk) OR ({condition})",
        {"#st": "st"},
        {":seen": seen.state.value},
    )


def _delete_recipient(dynamodb: "DynamoDBClient", table: str, key: str, seen: Item) -> bool:
    """Delete the budgets unless a message was sent since they were seen."""
    if "s0" not in seen:
        return _delete_if(dynamodb, table, key, "attribute_not_exists(s0)", {}, {})
    last = plain({"s0": seen["s0"]})["s0"]
    return _delete_if(dynamodb, table, key, "attribute_not_exists(pk) OR s0 = :seen", {}, {":seen": last})


def _delete_if(
    dynamodb: "DynamoDBClient", table: str, key: str, condition: str, names: dict[str, str], values: dict[str, Any]
) -> bool:
    request: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    if values:
        request["ExpressionAttributeValues"] = typed(values)
    try:
        dynamodb.delete_item(TableName=table, Key=typed({"pk": key}), ConditionExpression=condition, **request)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
            return False
        raise
    return True


def _cut_off(dynamodb: "DynamoDBClient", table: str, replies: Iterable[str]) -> None:
    """Put inbound messages and calls to no verification, for ever, as those that answered none are.

    Were they deleted, a webhook that is sent once more could confirm a later verification of the number.
    """
    verification_id, number = NOTHING
    for key in replies:
        dynamodb.update_item(
            TableName=table,
            Key=typed({"pk": key}),
            UpdateExpression="SET v = :v, n = :n",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues=typed({":v": verification_id, ":n": number}),
        )


def _is_due(verification: Verification) -> bool:
    return verification.feedback_due_at is not None


def _tell_what_remains(stack: DeployedStack, sids: tuple[str, ...], terminal: Terminal) -> None:
    days = stack.whole("LogRetentionDays", 30)
    terminal.say()
    terminal.say("What remains elsewhere, and for how long:")
    terminal.say("  the table's backups     35 days (point-in-time recovery); erase again after restoring one")
    terminal.say("  the table's stream      24 hours")
    terminal.say(f"  logs                    {days} days, the number masked to its first two and last two digits")
    terminal.say("  inbound messages        their SIDs, so that none counts twice; they lead to nothing here any more")
    terminal.say(f"  Twilio's own copy       until you delete it there, see docs/privacy.md: {len(sids)} messages")
    for sid in sids:
        terminal.say(f"    {sid}")
