"""Rotating the MAC key and the auth token: the new one signs, the old one counts until nothing can need it."""

import json
import secrets
from datetime import date

import pytest

from operations.__main__ import main
from operations.errors import OperationError
from operations.rotate_keys import drop_previous_token, remove_old_keys, rotate_auth_token, rotate_mac_key, superseded
from otp_feedback.adapters.aws.secret import parse_secret
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.secret import Secret
from tests.operations.account import KEY, KEY_SECRET, OTHER_TOKEN, SID, TOKEN
from tests.operations.conftest import ROOT
from tests.operations.terminals import Scripted

ID = "A" * 22
CODE = Secret("123456")
DAY = date(2026, 11, 24)


@pytest.fixture
def connected(deploy):
    deployed = deploy()
    deployed.keep(twilio_account_sid=SID, twilio_auth_token=TOKEN)
    return deployed


def keys_of(deployed) -> Keys:
    return parse_secret(json.dumps(deployed.secret())).keys


def rotate(deployed, day=DAY, terminal=None):
    rotate_mac_key(deployed.secrets, deployed.stack, terminal or Scripted(), secrets.token_bytes, day)


def test_a_new_key_signs_and_every_older_one_is_accepted(connected):
    macs = [keys_of(connected).mac(ID, 1, CODE)]
    for day in (DAY, DAY, date(2027, 1, 2)):
        rotate(connected, day)
        macs.append(keys_of(connected).mac(ID, 1, CODE))
    assert [mac.key_id for mac in macs] == ["0", "2026-11-24", "2026-11-24b", "2027-01-02"]
    assert len({mac.digest for mac in macs}) == 4
    for mac in macs:
        assert keys_of(connected).matching(ID, {1: mac}, CODE) == {1}


def test_limits_and_recipients_stay(connected):
    before = keys_of(connected).index("recipient", "+4915112345678")
    rotate(connected)
    assert keys_of(connected).index("recipient", "+4915112345678") == before
    assert connected.secret()["root"] == ROOT
    assert connected.secret()["twilio_auth_token"] == TOKEN


def test_no_key_is_shown(connected):
    terminal = Scripted()
    rotate(connected, terminal=terminal)
    [key] = connected.secret()["mac_keys"].values()
    assert "2026-11-24 signs" in terminal.text
    assert key not in terminal.text


def test_it_says_when_an_older_key_may_go(connected):
    rotate(connected)
    terminal = Scripted()
    rotate(connected, date(2026, 12, 1), terminal)
    # Superseded on 1 December; records of 7 days, lives of minutes, and the rest of the days at both ends.
    assert "MAC key 2026-11-24 may be removed from 2026-12-10 on" in terminal.text


def test_records_that_are_kept_for_long_keep_their_key(deploy):
    deployed = deploy(RecordDays="90")
    deployed.keep(twilio_account_sid=SID, twilio_auth_token=TOKEN)
    rotate(deployed)
    terminal = Scripted()
    rotate(deployed, date(2026, 12, 1), terminal)
    assert "MAC key 2026-11-24 may be removed from 2027-03-03 on" in terminal.text


def test_a_key_is_removed_when_it_is_old_and_not_before(connected):
    rotate(connected)
    rotate(connected, date(2026, 12, 1))
    early = Scripted()
    remove_old_keys(connected.secrets, connected.stack, early, date(2026, 12, 9))
    assert "No MAC key may be removed yet" in early.text
    remove_old_keys(connected.secrets, connected.stack, Scripted("n"), date(2026, 12, 10))
    assert set(connected.secret()["mac_keys"]) == {"2026-11-24", "2026-12-01"}
    remove_old_keys(connected.secrets, connected.stack, Scripted("y"), date(2026, 12, 10))
    assert set(connected.secret()["mac_keys"]) == {"2026-12-01"}
    assert keys_of(connected).mac_key_id == "2026-12-01"
    remove_old_keys(connected.secrets, connected.stack, Scripted(), date(2030, 1, 1))
    assert set(connected.secret()["mac_keys"]) == {"2026-12-01"}


def test_keys_that_were_named_by_hand_are_never_removed():
    assert superseded({"mine": "", "2026-11-24": "", "2026-11-30": ""}) == {
        "2026-11-24": date(2026, 11, 30),
        "2026-11-30": None,
    }
    assert superseded({"2026-99-99": "", "2027-01-01": ""}) == {"2026-99-99": None}
    assert superseded({}) == {}


def test_the_key_that_signs_is_never_removed(connected):
    rotate(connected)
    rotate(connected, date(2026, 12, 1))
    connected.keep(mac_key_id="2026-11-24")
    remove_old_keys(connected.secrets, connected.stack, Scripted(), date(2030, 1, 1))
    assert keys_of(connected).mac_key_id == "2026-11-24"


def test_a_stack_that_is_not_connected_says_so(deploy):
    with pytest.raises(OperationError, match="run make connect"):
        rotate(deploy())


def test_the_command(connected, capsys):
    assert main(["rotate-keys", "--stack", connected.stack.name]) == 0
    assert "signs new secrets" in capsys.readouterr().out
    assert len(connected.secret()["mac_keys"]) == 1


class TestAuthToken:
    def turn(self, connected, twilio, *answers, environ=None):
        terminal = Scripted(*answers)
        rotate_auth_token(connected.secrets, connected.stack, connected.reaches(twilio), terminal, environ or {})
        return terminal

    def test_both_count_until_the_old_one_is_dropped(self, connected, twilio):
        connected.keep(twilio_api_key_sid=KEY, twilio_api_key_secret=KEY_SECRET)
        twilio.tokens = {TOKEN, OTHER_TOKEN}
        terminal = self.turn(connected, twilio, OTHER_TOKEN)
        secret = parse_secret(json.dumps(connected.secret()))
        assert secret.auth_tokens == (OTHER_TOKEN, TOKEN)
        assert secret.credentials.username == KEY
        assert "promote the secondary token" in terminal.text
        assert OTHER_TOKEN not in terminal.text
        assert len(terminal.hidden) == 1
        drop_previous_token(connected.secrets, connected.stack, Scripted("n"))
        assert len(parse_secret(json.dumps(connected.secret())).auth_tokens) == 2
        drop_previous_token(connected.secrets, connected.stack, Scripted("y"))
        assert parse_secret(json.dumps(connected.secret())).auth_tokens == (OTHER_TOKEN,)
        again = Scripted()
        drop_previous_token(connected.secrets, connected.stack, again)
        assert "no previous auth token" in again.text

    def test_one_that_twilio_does_not_know_is_refused(self, connected, twilio):
        with pytest.raises(OperationError, match="does not accept"):
            self.turn(connected, twilio, OTHER_TOKEN)
        assert connected.secret()["twilio_auth_token"] == TOKEN

    @pytest.mark.parametrize("token", [TOKEN, ""])
    def test_the_current_one_is_no_new_one(self, connected, twilio, token):
        with pytest.raises(OperationError, match="Create a secondary one"):
            self.turn(connected, twilio, token)
        assert "twilio_previous_auth_token" not in connected.secret()

    def test_the_emulators_is_refused(self, connected, twilio):
        twilio.tokens.add("12345")
        with pytest.raises(OperationError, match="emulator"):
            self.turn(connected, twilio, environ={"TWILIO_AUTH_TOKEN": "12345"})
