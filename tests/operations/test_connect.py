"""Connecting a stack: what is stored, what is changed at Twilio, what is refused, and what is shown of it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from local.aws import ACCOUNT_SID as EMULATORS_ACCOUNT
from local.aws import AUTH_TOKEN as EMULATORS_TOKEN
from operations.__main__ import main
from operations.connect import Wishes, connect
from operations.errors import OperationError
from operations.stack import DeployedStack
from operations.twilio import Addresses
from otp_feedback.adapters.aws.secret import parse_secret
from tests.operations.account import KEY, KEY_SECRET, OTHER_TOKEN, SERVICE, SID, TOKEN, ServedAccount, number_sid
from tests.operations.conftest import ROOT, SENDER, Deployed
from tests.operations.terminals import Scripted

MESSAGES = "https://otp.example.com/twilio/message#rc=5&rp=all"
CALLS = "https://otp.example.com/twilio/call#rc=5&rp=all"
LOGIN = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": TOKEN}
PROJECT = Path(__file__).parents[2]


def run(
    deployed: Deployed, twilio: ServedAccount, terminal: Scripted, environ: dict[str, str] | None = None, **wishes: bool
) -> int:
    status = connect(
        deployed.secrets, deployed.stack, deployed.reaches(twilio), terminal, environ or {}, Wishes(**wishes)
    )
    assert not terminal.unused
    return status


def sender_of(twilio: ServedAccount, e164: str = SENDER) -> dict[str, object]:
    return twilio.numbers[number_sid(e164)]


def test_a_fresh_stack_gets_credentials_and_its_sender_points_at_it(deploy, twilio):
    deployed = deploy()
    terminal = Scripted(SID, TOKEN, "", "y")
    assert run(deployed, twilio, terminal) == 0
    assert deployed.secret() == {"root": ROOT, "twilio_account_sid": SID, "twilio_auth_token": TOKEN}
    number = sender_of(twilio)
    assert (number["sms_url"], number["sms_method"]) == (MESSAGES, "POST")
    assert (number["voice_url"], number["voice_method"]) == (CALLS, "POST")
    for shown in ("SmsUrl", MESSAGES, "VoiceUrl", CALLS, "https://demo.twilio.com/welcome/sms/reply"):
        assert shown in terminal.text
    assert [question for question in terminal.hidden if "token" in question]
    assert TOKEN not in terminal.text
    assert SENDER not in terminal.text


def test_who_says_no_keeps_the_webhooks_and_has_the_credentials(deploy, twilio):
    deployed = deploy()
    before = dict(sender_of(twilio))
    assert run(deployed, twilio, Scripted(SID, TOKEN, "", "n")) == 0
    assert sender_of(twilio) == before
    assert twilio.changes == []
    assert deployed.secret()["twilio_auth_token"] == TOKEN


def test_a_second_time_there_is_nothing_to_do(deploy, twilio):
    deployed = deploy()
    run(deployed, twilio, Scripted(SID, TOKEN, "", "y"))
    version = deployed.current()["VersionId"]
    twilio.requests.clear()
    terminal = Scripted("", "", "")
    assert run(deployed, twilio, terminal) == 0
    assert "points at the stack already" in terminal.text
    assert twilio.changes == []
    assert deployed.current()["VersionId"] == version


def test_the_keys_are_left_alone(deploy, twilio):
    deployed = deploy()
    keys = {"mac_keys": {"2026-11-24": "A" * 43}, "mac_key_id": "2026-11-24"}
    deployed.keep(**keys, note="somebody's")
    run(deployed, twilio, Scripted("n"), LOGIN, asks=False)
    secret = deployed.secret()
    assert {name: secret[name] for name in keys} == keys
    assert (secret["root"], secret["note"]) == (ROOT, "somebody's")
    assert parse_secret(json.dumps(secret)).keys.mac_key_id == "2026-11-24"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"tokens": {"another"}}, "does not accept these credentials"),
        ({"sid": "AC" + "0f" * 16}, "does not accept these credentials"),
        ({"status": "suspended"}, "the account is suspended"),
        ({"test_credentials": True}, "test credentials"),
        ({"down": 503}, "Twilio answered with status 503"),
    ],
)
def test_credentials_that_twilio_refuses_are_not_stored(deploy, twilio, fault, words):
    deployed = deploy()
    for name, value in fault.items():
        setattr(twilio, name, value)
    with pytest.raises(OperationError, match=words):
        run(deployed, twilio, Scripted(SID, TOKEN, ""))
    assert deployed.secret() == {"root": ROOT}
    assert twilio.changes == []


def test_where_twilio_cannot_be_reached_nothing_is_stored(deploy):
    deployed = deploy()
    nowhere = Addresses("http://127.0.0.1:9", "http://127.0.0.1:9")
    with pytest.raises(OperationError, match="cannot be reached"):
        connect(deployed.secrets, deployed.stack, nowhere, Scripted(), LOGIN, Wishes(asks=False))
    assert deployed.secret() == {"root": ROOT}


@pytest.mark.parametrize("login", [(EMULATORS_ACCOUNT, TOKEN), (SID, EMULATORS_TOKEN)])
def test_the_emulators_credentials_are_refused_before_anybody_is_asked(deploy, twilio, login):
    deployed = deploy(Stage="staging")
    with pytest.raises(OperationError, match="emulator's credentials"):
        run(deployed, twilio, Scripted(*login, ""))
    assert twilio.requests == []
    assert deployed.secret() == {"root": ROOT}


def test_a_stack_whose_twilio_is_the_emulator_takes_its_credentials(deploy):
    with ServedAccount(sid=EMULATORS_ACCOUNT, tokens={EMULATORS_TOKEN}) as emulator:
        emulator.buy(SENDER)
        deployed = deploy(Stage="staging", TwilioBaseUrl=emulator.url)
        assert run(deployed, emulator, Scripted(EMULATORS_ACCOUNT, EMULATORS_TOKEN, "", "n")) == 0
        assert deployed.secret()["twilio_auth_token"] == EMULATORS_TOKEN


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (["AC123", TOKEN], "account SID must be AC"),
        (["", TOKEN], "account SID must be AC"),
        ([SID + "\n", TOKEN], "account SID must be AC"),
        ([KEY], "account SID must be AC"),
        ([SID, ""], "auth token must be given"),
        ([SID, "two words"], "auth token must be given"),
        ([SID, TOKEN, SID], "API key's SID must be SK"),
        ([SID, TOKEN, KEY, ""], "API key's secret must be given"),
    ],
)
def test_malformed_credentials_are_named_and_not_repeated(deploy, twilio, answers, words):
    deployed = deploy()
    with pytest.raises(OperationError, match=words) as refused:
        run(deployed, twilio, Scripted(*answers))
    assert not any(answer.strip() in str(refused.value) for answer in answers if answer.strip())
    assert deployed.secret() == {"root": ROOT}
    assert twilio.requests == []


def test_an_api_key_is_tried_as_the_functions_use_it(deploy, twilio):
    deployed = deploy()
    terminal = Scripted(SID, TOKEN, KEY, KEY_SECRET, "n")
    run(deployed, twilio, terminal)
    assert (deployed.secret()["twilio_api_key_sid"], deployed.secret()["twilio_api_key_secret"]) == (KEY, KEY_SECRET)
    assert ("GET", f"/2010-04-01/Accounts/{SID}/Messages.json") in twilio.requests
    assert KEY_SECRET not in terminal.text
    with pytest.raises(OperationError, match="does not accept"):
        run(deployed, twilio, Scripted("", "", "SK" + "0" * 32, "wrong"))
    assert deployed.secret()["twilio_api_key_sid"] == KEY
    run(deployed, twilio, Scripted("", "", "", "n"))
    assert deployed.secret()["twilio_api_key_sid"] == KEY
    run(deployed, twilio, Scripted("", "", "-", "n"))
    assert not {"twilio_api_key_sid", "twilio_api_key_secret"} & set(deployed.secret())


def test_another_account_keeps_nothing_of_the_one_before(deploy, twilio):
    deployed = deploy()
    deployed.keep(
        twilio_account_sid="AC" + "0e" * 16,
        twilio_auth_token="before",
        twilio_previous_auth_token="long-before",
        twilio_api_key_sid=KEY,
        twilio_api_key_secret="before",
    )
    with pytest.raises(OperationError, match="auth token must be given"):
        run(deployed, twilio, Scripted(SID, ""))
    run(deployed, twilio, Scripted(SID, TOKEN, "", "n"))
    assert deployed.secret() == {"root": ROOT, "twilio_account_sid": SID, "twilio_auth_token": TOKEN}


def test_a_new_token_ends_the_previous_one_and_the_same_token_keeps_it(deploy, twilio):
    deployed = deploy()
    deployed.keep(twilio_account_sid=SID, twilio_auth_token=TOKEN, twilio_previous_auth_token="before")
    run(deployed, twilio, Scripted("", "", "", "n"))
    assert deployed.secret()["twilio_previous_auth_token"] == "before"
    twilio.tokens = {OTHER_TOKEN}
    run(deployed, twilio, Scripted("", OTHER_TOKEN, "", "n"))
    assert deployed.secret() == {"root": ROOT, "twilio_account_sid": SID, "twilio_auth_token": OTHER_TOKEN}


def test_what_somebody_else_wrote_meanwhile_is_not_lost(deploy, twilio):
    deployed = deploy()

    def another_command() -> str:
        deployed.keep(mac_keys={"2026-11-24": "A" * 43}, mac_key_id="2026-11-24")
        return ""

    with pytest.raises(OperationError, match="changed by somebody else"):
        run(deployed, twilio, Scripted(SID, TOKEN, another_command))
    assert deployed.secret() == {"root": ROOT, "mac_keys": {"2026-11-24": "A" * 43}, "mac_key_id": "2026-11-24"}


class TestSenders:
    def test_a_messaging_service_and_the_calls_of_its_pool(self, deploy, twilio):
        pool = [f"+1415555011{n}" for n in range(5)]
        for number in pool:
            twilio.buy(number)
        twilio.buy("+14155550119", voice=False)
        twilio.serve_with(*pool, "+14155550119", use_inbound_webhook_on_number=True)
        terminal = Scripted("y")
        assert run(deploy(Sender=SERVICE), twilio, terminal, LOGIN, asks=False) == 0
        service = twilio.services[SERVICE]
        assert service["inbound_request_url"] == MESSAGES
        assert service["use_inbound_webhook_on_number"] is False
        assert {sender_of(twilio, number)["voice_url"] for number in pool} == {CALLS}
        assert sender_of(twilio, SENDER)["voice_url"] != CALLS
        assert not any(number in terminal.text for number in pool)

    def test_calls_can_be_left_alone(self, deploy, twilio):
        run(deploy(), twilio, Scripted("y"), LOGIN, asks=False, calls=False)
        assert sender_of(twilio)["sms_url"] == MESSAGES
        assert "demo.twilio.com" in str(sender_of(twilio)["voice_url"])

    def test_all_webhooks_can_be_left_alone(self, deploy, twilio):
        terminal = Scripted()
        assert run(deploy(), twilio, terminal, LOGIN, asks=False, replies=False) == 0
        assert twilio.changes == []
        assert "can send" in terminal.text

    def test_an_application_goes_before_the_numbers_own_addresses(self, deploy, twilio):
        application = "AP" + "0" * 32
        twilio.buy(SENDER, sms_application_sid=application, voice_application_sid=application)
        run(deploy(), twilio, Scripted("y"), LOGIN, asks=False)
        assert sender_of(twilio)["sms_application_sid"] == ""
        assert sender_of(twilio)["voice_application_sid"] == ""

    def test_a_sip_trunk_is_left_alone_and_told(self, deploy, twilio):
        twilio.buy(SENDER, trunk_sid="TK" + "0" * 32)
        terminal = Scripted("y")
        run(deploy(), twilio, terminal, LOGIN, asks=False)
        assert "SIP trunk" in terminal.text
        assert "demo.twilio.com" in str(sender_of(twilio)["voice_url"])

    def test_what_is_replaced_can_go_on_and_shows_no_password(self, deploy, twilio):
        twilio.buy(SENDER, sms_url="https://user:hunter2@app.example.com/in?key=hunter3", voice_url="")
        terminal = Scripted("n")
        run(deploy(), twilio, terminal, LOGIN, asks=False)
        assert "https://app.example.com/in?…" in terminal.text
        assert "FallbackMessageUrl" in terminal.text
        assert "FallbackCallUrl" not in terminal.text
        assert "hunter" not in terminal.text

    def test_each_sender_that_a_caller_may_choose(self, deploy, twilio):
        other = "+14155550143"
        twilio.buy(other)
        twilio.buy("+141555501429")
        senders = f"{other},MGMarket,whatsapp:+14155550144"
        terminal = Scripted("y")
        assert run(deploy(AllowedSenders=senders), twilio, terminal, LOGIN, asks=False) == 0
        assert sender_of(twilio, other)["sms_url"] == MESSAGES
        assert "demo" in str(sender_of(twilio, "+141555501429")["sms_url"])
        assert "alphanumeric sender MGMarket: nobody can reply" in terminal.text
        assert "WhatsApp" in terminal.text
        assert "+14155550144" not in terminal.text

    @pytest.mark.parametrize("sender", ["+14155550199", SERVICE])
    def test_a_sender_of_somebody_else(self, deploy, twilio, sender):
        terminal = Scripted()
        assert run(deploy(Sender=sender), twilio, terminal, LOGIN, asks=False) == 1
        assert "is not one of the account's: check the stack's parameters" in terminal.text

    def test_a_number_that_is_part_of_another_one(self, deploy, twilio):
        del twilio.numbers[number_sid(SENDER)]
        twilio.buy(SENDER + "9")
        assert run(deploy(), twilio, Scripted(), LOGIN, asks=False) == 1
        assert twilio.changes == []

    def test_a_number_on_a_later_page(self, deploy, twilio):
        del twilio.numbers[number_sid(SENDER)]
        for digit in range(4):
            twilio.buy(f"{SENDER}{digit}")
        twilio.buy(SENDER)
        assert run(deploy(), twilio, Scripted("y"), LOGIN, asks=False) == 0
        assert sender_of(twilio)["sms_url"] == MESSAGES

    def test_a_number_that_cannot_send_texts(self, deploy, twilio):
        twilio.buy(SENDER, sms=False)
        terminal = Scripted()
        assert run(deploy(), twilio, terminal, LOGIN, asks=False) == 1
        assert "cannot send text messages" in terminal.text


def test_a_deployment_that_is_under_way_is_waited_for(deploy, twilio):
    deployed = deploy()
    stack = deployed.stack
    moving = DeployedStack(stack.name, "UPDATE_IN_PROGRESS", stack.outputs, stack.parameters)
    with pytest.raises(OperationError, match="UPDATE_IN_PROGRESS"):
        run(Deployed(moving, deployed.clients), twilio, Scripted())


def test_a_secret_that_lost_its_root_is_not_made_worse(deploy, twilio):
    deployed = deploy()
    deployed.secrets.put_secret_value(SecretId=deployed.stack.secret_arn, SecretString='{"twilio_account_sid": "x"}')
    with pytest.raises(OperationError, match="not the JSON object with a root"):
        run(deployed, twilio, Scripted())


def test_the_command_without_anybody_to_ask(deploy, twilio, monkeypatch, capsys):
    deployed = deploy()
    arguments = ["connect", "--stack", deployed.stack.name, "--yes", "--twilio-base-url", twilio.url]
    assert main(arguments) == 1
    assert "TWILIO_ACCOUNT_SID" in capsys.readouterr().err
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    assert main(arguments) == 0
    assert sender_of(twilio)["sms_url"] == MESSAGES
    assert deployed.secret()["twilio_auth_token"] == TOKEN
    assert TOKEN not in "".join(capsys.readouterr())


def test_a_token_is_not_shown_while_it_is_typed(deploy, twilio):
    deployed = deploy()
    shown = typed(
        ["connect", "--stack", deployed.stack.name, "--twilio-base-url", twilio.url],
        [("account SID", SID), ("auth token", TOKEN), ("API key SID", ""), ("Change this", "y")],
    )
    assert SID in shown
    assert TOKEN not in shown
    assert deployed.secret()["twilio_auth_token"] == TOKEN
    assert sender_of(twilio)["sms_url"] == MESSAGES


def typed(arguments: list[str], answers: list[tuple[str, str]]) -> str:
    """Run a command at a pseudo-terminal, and type each answer when its question stands there; all that it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "operations", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # Not the terminal of whoever runs the tests.
        start_new_session=True,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": "layers/otp_feedback"},
    )
    os.close(theirs)
    shown, remaining = "", list(answers)
    while True:
        try:
            read = os.read(ours, 4096)
        except OSError:  # Linux' end of file at a pseudo-terminal
            break
        shown += read.decode()
        if remaining and remaining[0][0] in shown.rpartition("\n")[2]:
            os.write(ours, f"{remaining.pop(0)[1]}\n".encode())
    os.close(ours)
    assert process.wait(10) == 0, shown
    assert not remaining, shown
    return shown
