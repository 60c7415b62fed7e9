"""Undoing a deployment: what is shown, what changes at Twilio, what is deleted, and what stays."""

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, WaiterError

from operations.__main__ import main
from operations.connect import Wishes, connect
from operations.destroy import Clients, Extent, destroy
from operations.errors import OperationError
from operations.stack import read_stack
from tests.operations.account import DEMO_SMS, DEMO_VOICE, SERVICE, SID, TOKEN, ServedAccount, number_sid
from tests.operations.conftest import SENDER, Deployed
from tests.operations.terminals import Scripted

LOGIN = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": TOKEN}


@pytest.fixture
def connected(deploy, twilio):
    """Deploys a stack, and points its senders at it."""

    def connected(**parameters: str) -> Deployed:
        deployed: Deployed = deploy(**parameters)
        addresses = deployed.reaches(twilio)
        connect(deployed.secrets, deployed.stack, addresses, Scripted("y"), LOGIN, Wishes(asks=False))
        twilio.requests.clear()
        return deployed

    return connected


def run(deployed: Deployed, twilio: ServedAccount, *answers: str, **extent: bool) -> Scripted:
    clients = Clients(deployed.clients("cloudformation"), deployed.dynamodb, deployed.secrets)
    terminal = Scripted(*answers)
    assert destroy(clients, deployed.stack, deployed.reaches(twilio), terminal, Extent(**extent)) == 0
    assert not terminal.unused
    return terminal


def exists(deployed: Deployed) -> bool:
    try:
        read_stack(deployed.clients("cloudformation"), deployed.stack.name)
    except OperationError:
        return False
    return True


def has_table(deployed: Deployed) -> bool:
    return deployed.stack.table in deployed.dynamodb.list_tables()["TableNames"]


def addresses_of(twilio: ServedAccount, e164: str = SENDER) -> tuple[str, str]:
    number = twilio.numbers[number_sid(e164)]
    return number["sms_url"], number["voice_url"]


def test_the_stack_goes_and_its_sender_calls_nobody(connected, twilio):
    deployed = connected()
    terminal = run(deployed, twilio, "y")
    assert not exists(deployed)
    assert has_table(deployed)
    assert addresses_of(twilio) == ("", "")
    for shown in (
        "SmsUrl",
        "VoiceUrl",
        "https://otp.example.com/twilio/call#rc=5&rp=all",
        "(none)",
        "reports that are still due",
    ):
        assert shown in terminal.text
    assert f"aws dynamodb delete-table --table-name {deployed.stack.table}" in terminal.text
    assert f"aws secretsmanager delete-secret --secret-id {deployed.stack.secret_arn}" in terminal.text
    assert SENDER not in terminal.text
    assert TOKEN not in terminal.text
    assert "DeletedDate" not in deployed.secrets.describe_secret(SecretId=deployed.stack.secret_arn)


def test_who_says_no_keeps_everything(connected, twilio):
    deployed = connected()
    before = addresses_of(twilio)
    terminal = run(deployed, twilio, "n", data=True)
    assert "Nothing was changed." in terminal.text
    assert exists(deployed)
    assert has_table(deployed)
    assert addresses_of(twilio) == before
    assert twilio.changes == []


def test_the_data_go_only_where_that_is_asked_for(connected, twilio):
    deployed = connected()
    terminal = run(deployed, twilio, "y", data=True)
    assert not has_table(deployed)
    assert "DeletedDate" in deployed.secrets.describe_secret(SecretId=deployed.stack.secret_arn)
    assert "restored for 30 days" in terminal.text
    assert "delete-table" not in terminal.text


def test_a_table_that_is_protected_is_deleted_where_that_is_asked_for(connected, twilio):
    deployed = connected(TableDeletionProtection="true")
    with pytest.raises(ClientError, match="can't be deleted"):
        deployed.dynamodb.delete_table(TableName=deployed.stack.table)
    terminal = run(deployed, twilio, "y", data=True)
    assert not has_table(deployed)
    assert "The table is deleted" in terminal.text


@pytest.mark.parametrize(("protected", "told"), [("true", True), ("false", False)])
def test_who_keeps_a_protected_table_is_told_how_to_delete_it(connected, twilio, protected, told):
    deployed = connected(TableDeletionProtection=protected)
    terminal = run(deployed, twilio, "y")
    line = f"aws dynamodb update-table --table-name {deployed.stack.table} --no-deletion-protection-enabled"
    assert (line in terminal.text) is told
    assert has_table(deployed)


def test_what_was_handed_on_goes_on(connected, twilio):
    deployed = connected(
        FallbackMessageUrl="https://app.example.com/in", FallbackCallUrl="https://app.example.com/ring"
    )
    run(deployed, twilio, "y")
    assert addresses_of(twilio) == ("https://app.example.com/in", "https://app.example.com/ring")


def test_what_points_elsewhere_is_left_alone(connected, twilio):
    deployed = connected()
    twilio.numbers[number_sid(SENDER)] |= {"sms_url": DEMO_SMS, "voice_url": "https://otp.example.com.evil/twilio/call"}
    terminal = run(deployed, twilio, "y")
    assert addresses_of(twilio) == (DEMO_SMS, "https://otp.example.com.evil/twilio/call")
    assert twilio.changes == []
    assert "Url" not in terminal.text


def test_a_service_and_the_calls_of_its_pool(connected, twilio):
    twilio.serve_with(SENDER)
    run(connected(Sender=SERVICE, AllowedSenders="Acme,whatsapp:+14155550144"), twilio, "y")
    assert twilio.services[SERVICE]["inbound_request_url"] == ""
    assert twilio.services[SERVICE]["use_inbound_webhook_on_number"] is False
    assert addresses_of(twilio) == (DEMO_SMS, "")


def test_a_whatsapp_sender_is_told_of(connected, twilio):
    terminal = run(connected(AllowedSenders="whatsapp:+14155550144"), twilio, "y")
    assert "by hand in Twilio's console" in terminal.text
    assert "+14155550144" not in terminal.text


def test_a_stack_that_was_never_connected_asks_twilio_nothing(deploy, twilio):
    deployed = deploy()
    run(deployed, twilio, "y")
    assert not exists(deployed)
    assert twilio.requests == []


@pytest.mark.parametrize("fault", [{"tokens": {"another"}}, {"down": 503}])
def test_while_twilio_refuses_the_stack_stays_unless_its_webhooks_may(connected, twilio, fault):
    deployed = connected()
    before = addresses_of(twilio)
    for name, value in fault.items():
        setattr(twilio, name, value)
    with pytest.raises(OperationError, match=r"^The stack stays\. Twilio .*ARGS=--no-webhooks"):
        run(deployed, twilio)
    assert exists(deployed)
    run(deployed, twilio, "y", webhooks=False)
    assert not exists(deployed)
    assert addresses_of(twilio) == before


def test_where_twilio_fails_in_the_middle_the_stack_stays(connected, twilio):
    deployed = connected()

    def agree() -> str:
        twilio.down = 503
        return "y"

    clients = Clients(deployed.clients("cloudformation"), deployed.dynamodb, deployed.secrets)
    with pytest.raises(OperationError, match=r"^The stack stays"):
        destroy(clients, deployed.stack, deployed.reaches(twilio), Scripted(agree), Extent(data=True))
    assert exists(deployed)
    assert has_table(deployed)


def test_a_deployment_that_is_under_way_is_waited_for(deploy, twilio):
    deployed = deploy()
    moving = replace(deployed.stack, status="UPDATE_IN_PROGRESS")
    with pytest.raises(OperationError, match="UPDATE_IN_PROGRESS"):
        run(replace(deployed, stack=moving), twilio)


class Unwilling:
    """CloudFormation, which deletes nothing."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def delete_stack(self, StackName: str) -> None:  # noqa: N803 - boto3's
        raise self._error


class Protected:
    """CloudFormation as it tells of a stack with termination protection, which moto does not know."""

    def __init__(self, cloudformation) -> None:
        self._cloudformation = cloudformation

    def describe_stacks(self, StackName: str):  # noqa: N803 - boto3's
        [stack] = self._cloudformation.describe_stacks(StackName=StackName)["Stacks"]
        return {"Stacks": [{**stack, "EnableTerminationProtection": True}]}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ClientError({"Error": {"Code": "ValidationError"}}, "DeleteStack"), "termination protection"),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteStack"), "does not let you call DeleteStack"),
        (WaiterError("StackDeleteComplete", "DELETE_FAILED", {}), "see its events in CloudFormation"),
    ],
)
def test_what_cloudformation_does_not_delete_keeps_its_data(deploy, twilio, error, words):
    deployed = deploy()
    clients = Clients(Unwilling(error), deployed.dynamodb, deployed.secrets)  # type: ignore[arg-type]
    with pytest.raises(OperationError, match=words):
        destroy(clients, deployed.stack, deployed.reaches(twilio), Scripted("y"), Extent(data=True))
    assert has_table(deployed)


def test_a_protected_stack_keeps_its_webhooks(connected, twilio):
    deployed = connected()
    before = addresses_of(twilio)
    protected = read_stack(Protected(deployed.clients("cloudformation")), deployed.stack.name)  # type: ignore[arg-type]
    clients = Clients(deployed.clients("cloudformation"), deployed.dynamodb, deployed.secrets)
    with pytest.raises(OperationError, match="termination protection"):
        destroy(clients, protected, deployed.reaches(twilio), Scripted("y"), Extent())
    assert addresses_of(twilio) == before
    assert exists(deployed)


def test_the_command_without_anybody_to_ask(connected, twilio, capsys):
    deployed = connected()
    arguments = ["destroy", "--stack", deployed.stack.name, "--twilio-base-url", twilio.url]
    assert main(arguments) == 1
    assert "add --yes" in capsys.readouterr().err
    assert exists(deployed)
    assert main([*arguments, "--yes", "--data"]) == 0
    assert not exists(deployed)
    assert not has_table(deployed)
    assert addresses_of(twilio) == ("", "")
    assert DEMO_VOICE not in capsys.readouterr().out
