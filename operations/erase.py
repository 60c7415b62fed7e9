"""Erase what a stack's table holds of a phone number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operations.aws import explained
from operations.errors import OperationError
from operations.number import NamedNumber
from operations.secret import keys_of, read_secret
from operations.stack import DeployedStack
from operations.terminal import Terminal
from otp_feedback.adapters.aws.erasure import DynamoDBErasure
from otp_feedback.adapters.aws.table import Table
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.recipient import Recipient, replied_to
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
        Its budgets, by their digests: one item, and more where an earlier version kept one for each spelling.
    replies
        The SIDs of inbound messages and calls, and which of its verifications each was put to.
    """

    verifications: tuple[Verification, ...]
    recipients: Mapping[bytes, Recipient]
    replies: Mapping[str, str]

    @property
    def due(self) -> int:
        """Verifications of which a report to Twilio is due."""
        return sum(verification.feedback_due_at is not None for verification in self.verifications)

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

    Parameters
    ----------
    force
        Whether reports that are due to Twilio may be lost.

    Returns
    -------
    int
        The command's exit status: 1 where something was written meanwhile, and stays.

    Raises
    ------
    OperationError
        Nothing was erased: a report is due, or something did not answer.
    """
    keys, table = keys_of(read_secret(secrets, stack.secret_arn)), DynamoDBErasure(Table(dynamodb, stack.table))
    with explained():
        found = find(table, number.spellings, keys)
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
        return _delete(table, stack, found, terminal)


def find(table: DynamoDBErasure, spellings: tuple[str, ...], keys: Keys) -> Holdings:
    """Look through the whole table, which reads each item once, and once more where the number was asked to reply.

    Budgets are looked for under each spelling itself, and not under the subscriber's one form alone, as they were not
    always kept under that.
    """
    verifications = table.verifications_to(spellings)
    recipients = table.recipients(map(keys.recipient_as_spelt, spellings))
    # The verifications of the last sends that awaited a reply, those whose records are gone by now included.
    held = [holder for recipient in recipients.values() for holder in recipient.holders]
    awaited = {v.verification_id for v in verifications if v.action.traits.awaits_reply}
    awaited.update(filter(None, map(replied_to, held)))
    return Holdings(verifications, recipients, table.bound_to(awaited) if awaited else {})


def _tell(found: Holdings, terminal: Terminal) -> None:
    terminal.say(f"{len(found.verifications)} verifications, {found.due} of them with a report to Twilio that is due")
    terminal.say(f"{len(found.recipients)} recipients with their budgets")
    terminal.say(f"{len(found.replies)} inbound messages and calls")


def _delete(table: DynamoDBErasure, stack: DeployedStack, found: Holdings, terminal: Terminal) -> int:
    """Verifications first: while one stays, its inbound messages stay bound to it and the recipient to its limits.

    Inbound messages and calls are put to no verification, as those that answered none are. Were they deleted, a
    webhook that is sent once more could confirm a later verification of the number.
    """
    kept = {v.verification_id for v in found.verifications if not table.delete_verification(v)}
    replies = [sid for sid, verification_id in found.replies.items() if verification_id not in kept]
    table.rebind(replies, NOTHING)
    gone = not kept and all(table.delete_recipient(*each) for each in found.recipients.items())
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
