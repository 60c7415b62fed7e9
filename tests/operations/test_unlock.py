"""Unlocking a number that too many wrong guesses have blocked."""

import pytest

from operations.__main__ import main
from operations.errors import OperationError
from operations.unlock import unlock
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.phone import parse_number
from otp_feedback.domain.recipient import Limits
from otp_feedback.usecases.ports import Refused
from tests.operations.conftest import ROOT
from tests.operations.terminals import Scripted
from tests.service import DynamoDBStore

NUMBER = "+4915112345678"
NOW = 1_800_000_000_000
HOUR_MS = 3_600_000


@pytest.fixture
def deployed(deploy):
    return deploy()


@pytest.fixture
def store(deployed):
    return DynamoDBStore(deployed.dynamodb, deployed.stack.table)


@pytest.fixture
def recipient():
    return Keys.derive(ROOT).recipient(NUMBER)


def run(deployed, terminal, now=NOW):
    return unlock(deployed.dynamodb, deployed.secrets, deployed.stack, parse_number(NUMBER), terminal, now)


def test_a_blocked_number_can_be_sent_messages_again(deployed, store, recipient):
    store.reserve_send(recipient, "v#1", NOW - HOUR_MS, Limits(), "w1")
    for _ in range(75):
        store.add_failure(recipient)
    assert isinstance(store.reserve_send(recipient, "v#1", NOW, Limits(), "w2"), Refused)
    terminal = Scripted()
    assert run(deployed, terminal) == 0
    assert "75 consecutive failures were forgotten" in terminal.text
    assert NUMBER not in terminal.text
    assert not isinstance(store.reserve_send(recipient, "v#1", NOW, Limits(), "w3"), Refused)


@pytest.mark.parametrize(
    ("blocked", "asked"), [("+551187654321", "+5511987654321"), ("+5491112345678", "+541112345678")]
)
def test_a_subscriber_with_two_forms_is_unlocked_under_either(deployed, store, blocked, asked):
    for sent, unlocked in ((blocked, asked), (asked, blocked)):
        recipient = Keys.derive(ROOT).recipient(sent)
        store.add_failure(recipient)
        arguments = (deployed.dynamodb, deployed.secrets, deployed.stack, parse_number(unlocked), Scripted(), NOW)
        assert unlock(*arguments) == 0
        assert store.read_recipient(recipient).failures == 0


def test_its_limit_on_messages_and_its_last_confirmation_stay(deployed, store, recipient):
    store.reset_failures(recipient, NOW - 5)
    store.reserve_send(recipient, "v#1", NOW - 10_000, Limits(), "w1")
    before = store.read_recipient(recipient)
    terminal = Scripted()
    run(deployed, terminal)
    assert store.read_recipient(recipient) == before
    assert "holds for another 20 s" in terminal.text


def test_a_number_that_nothing_was_sent_to_gets_no_record(deployed, store, recipient):
    terminal = Scripted()
    assert run(deployed, terminal) == 1
    assert store.read_recipient(recipient) is None
    assert "sent nothing to the number" in terminal.text


@pytest.mark.parametrize(
    "number",
    ["4915112345678", "+49 151 1234567", "tel:+4915112345678", "+49151123456789012", "x", "+99912345678"],
)
def test_what_is_no_number_in_e164_is_refused(deployed, capsys, number):
    assert main(["unlock", "--stack", deployed.stack.name, "--number", number]) == 1
    error = capsys.readouterr().err
    assert "NUMBER must" in error
    assert number not in error


@pytest.mark.parametrize(
    ("kept", "typed"), [("+4915112345678", "+49015112345678"), ("+525512345678", "+5215512345678")]
)
def test_a_number_is_taken_in_the_spelling_that_somebody_was_shown(deployed, store, capsys, kept, typed):
    key = Keys.derive(ROOT).recipient(kept)
    store.add_failure(key)
    assert main(["unlock", "--stack", deployed.stack.name, "--number", typed]) == 0
    assert store.read_recipient(key).failures == 0
    output = capsys.readouterr().out
    assert f"another spelling of {parse_number(kept).masked}" in output
    assert kept not in output
    assert typed not in output


def test_the_command(deployed, store, recipient, capsys):
    store.add_failure(recipient)
    assert main(["unlock", "--stack", deployed.stack.name, f"--number={NUMBER}"]) == 0
    assert NUMBER not in "".join(capsys.readouterr())
    assert store.read_recipient(recipient).failures == 0


def test_without_a_secret_nothing_is_guessed(deployed):
    deployed.secrets.put_secret_value(SecretId=deployed.stack.secret_arn, SecretString="not JSON")
    with pytest.raises(OperationError, match="not the JSON object"):
        run(deployed, Scripted())
