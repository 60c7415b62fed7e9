"""The doctor's checks of what the stack has in AWS."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from operations.errors import OperationError
from operations.findings import Finding, failed, judged, noted, passed
from operations.secret import connected, read_secret
from operations.stack import SETTLED, DeployedStack
from otp_feedback.adapters.aws.items import INDEX, INDEX_KEY, TTL
from otp_feedback.adapters.aws.outbox import DynamoDBOutbox
from otp_feedback.adapters.aws.table import Table
from otp_feedback.usecases.ports import OUTBOX_SHARDS

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

OLDEST_S = 900
"""How long a report may be due, as the stack's alarm has it."""

OVERDUE_S = 300
"""How long the schedule may leave a report alone whose time has come."""

SAMPLE = 25
"""Reports of each shard that are looked at, those whose time came first."""

NEW_MS = 20 * 60_000
"""Milliseconds in which RetryStoppedAlarm may have seen no run yet, because it is new."""

_ON = {"RetryStoppedAlarm": {"ALARM", "INSUFFICIENT_DATA"}}
"""The states in which an alarm rings, where that is not ALARM alone."""

MEND = "docs/operations.md, 'Drift'"


def check_stack(stack: DeployedStack) -> Iterator[Finding]:
    """That the stack's last deployment has ended well."""
    if stack.status == "UPDATE_ROLLBACK_COMPLETE":
        yield noted("the last deployment was rolled back", "look at the stack's events in CloudFormation")
    yield judged(
        stack.status in SETTLED,
        f"{stack.name} is {stack.status}, at {stack.base_url}",
        f"{stack.name} is {stack.status}",
        "wait for the deployment, or look at the stack's events in CloudFormation",
    )
    if not (stack.text("AlarmEmail") or stack.text("AlarmTopicArn")):
        yield noted("nobody is told of its alarms", "deploy with AlarmEmail or AlarmTopicArn")


def check_alarms(cloudwatch: "CloudWatchClient", stack: str, now: int) -> Iterator[Finding]:
    """That none of the stack's alarms is on.

    Parameters
    ----------
    now
        Epoch milliseconds.
    """
    # CloudFormation names a resource after its stack and its logical id, and adds letters of its own.
    pattern = re.compile(rf"{re.escape(stack)}-([A-Za-z0-9]+)-[A-Za-z0-9]+", re.ASCII)
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack}-")
    found = [(pattern.fullmatch(alarm["AlarmName"]), alarm) for page in pages for alarm in page["MetricAlarms"]]
    alarms = {match[1]: alarm for match, alarm in found if match is not None}
    if not alarms:
        yield failed("the stack has no alarms", MEND)
        return
    on = sorted(name for name, alarm in alarms.items() if alarm["StateValue"] in _ON.get(name, {"ALARM"}))
    for name in on:
        alarm = alarms[name]
        made_at = alarm["AlarmConfigurationUpdatedTimestamp"].timestamp() * 1000
        if alarm["StateValue"] == "INSUFFICIENT_DATA" and now - made_at < NEW_MS:
            yield noted(f"{name} is new and has seen no run yet", "run the doctor again in a quarter of an hour")
        else:
            yield failed(f"{name} is on", f"docs/operations.md, '{name}'")
    if not on:
        yield passed(f"none of its {len(alarms)} alarms is on")


def check_secret(secrets: "SecretsManagerClient", stack: DeployedStack) -> Iterator[Finding]:
    """That the functions can use the secret."""
    stored = read_secret(secrets, stack.secret_arn)
    try:
        secret = connected(stack, stored)
    except OperationError as error:
        yield failed(str(error), f"make connect STACK={stack.name}")
        return
    yield passed(
        f"Twilio credentials, and {len(secret.keys.mac_keys)} MAC keys of which {secret.keys.mac_key_id} signs"
    )
    if not stored.text("twilio_api_key_sid"):
        yield noted("requests use the auth token", "an API key can be revoked without it: make connect")
    if len(secret.auth_tokens) > 1:
        yield noted(
            "webhooks signed with the previous auth token are accepted",
            f"when the new one is promoted: make rotate-keys STACK={stack.name} ARGS=--drop-previous-token",
        )


def check_table(dynamodb: "DynamoDBClient", stack: DeployedStack) -> Iterator[Finding]:
    """That the table is as the template makes it."""
    table = dynamodb.describe_table(TableName=stack.table)["Table"]
    yield judged(
        table["TableStatus"] in {"ACTIVE", "UPDATING"},
        f"{stack.table} is {table['TableStatus']}, about {table.get('ItemCount', 0)} items",
        f"{stack.table} is {table['TableStatus']}",
        "wait, or restore it: docs/operations.md, 'Restoring'",
    )
    index: dict[str, Any] = next(
        (dict(each) for each in table.get("GlobalSecondaryIndexes", []) if each.get("IndexName") == INDEX), {}
    )
    yield judged(
        {each["KeyType"]: each["AttributeName"] for each in index.get("KeySchema", [])} == INDEX_KEY
        and index.get("IndexStatus", "ACTIVE") == "ACTIVE",
        f"the index {INDEX} is active",
        f"the index {INDEX} is missing, incomplete or another",
        MEND,
    )
    stream = table.get("StreamSpecification", {})
    yield judged(
        stream.get("StreamViewType") == "NEW_AND_OLD_IMAGES",
        "its stream holds the old and the new images",
        "it has no stream of old and new images",
        MEND,
    )
    expiry = dynamodb.describe_time_to_live(TableName=stack.table)["TimeToLiveDescription"]
    yield judged(
        expiry.get("TimeToLiveStatus") == "ENABLED" and expiry.get("AttributeName") == TTL,
        "records expire",
        "records do not expire, so numbers are kept for ever",
        MEND,
    )
    backups = dynamodb.describe_continuous_backups(TableName=stack.table)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    yield judged(recovery == "ENABLED", "it can be restored to any second", "it cannot be restored", MEND)


def check_outbox(dynamodb: "DynamoDBClient", stack: DeployedStack, now: int) -> Iterator[Finding]:
    """That reports to Twilio are made.

    Parameters
    ----------
    now
        Epoch milliseconds.
    """
    outbox = DynamoDBOutbox(Table(dynamodb, stack.table))
    entries = [entry for shard in range(OUTBOX_SHARDS) for entry in outbox.first_reports(shard, SAMPLE)]
    if not entries:
        yield passed("no report to Twilio is due")
        return
    overdue_s = max(now - entry.due_at for entry in entries) // 1000
    waiting_s = max(now - (outbox.due_since(entry) or now) for entry in entries) // 1000
    yield judged(
        overdue_s <= OVERDUE_S,
        "the schedule works through the reports that are due",
        f"a report has not been tried for {overdue_s} s",
        "see what retry_feedback says: make logs; and that its schedule is enabled in EventBridge",
    )
    yield judged(
        waiting_s <= OLDEST_S,
        f"the oldest report that is due has waited for {waiting_s} s",
        f"the oldest report that is due has waited for {waiting_s} s",
        "docs/operations.md, 'FeedbackAgeAlarm'",
    )


def check_base_url(ssm: "SSMClient", stack: DeployedStack) -> Iterator[Finding]:
    """That links, callbacks and signatures name the address that the API is at."""
    value = ssm.get_parameter(Name=stack.base_url_parameter)["Parameter"]["Value"].rstrip("/")
    yield judged(
        value == stack.base_url,
        f"{stack.base_url_parameter} holds the public address",
        f"{stack.base_url_parameter} holds another address than {stack.base_url}",
        MEND,
    )
