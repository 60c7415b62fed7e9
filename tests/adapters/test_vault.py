"""The stack's secret: parsed strictly, cached, refetched once for a key that is not known, and never shown."""

import base64
import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.adapters.aws.secret import CACHE_S, REFRESH_PAUSE_S, RETRY_S, SecretVault, parse_secret
from otp_feedback.domain.errors import ConfigurationError, Unavailable
from otp_feedback.domain.keys import Keys

ROOT = "root-of-thirty-two-characters-ok"
ACCOUNT = "AC" + "1" * 32
FIELDS: dict[str, Any] = {"root": ROOT, "twilio_account_sid": ACCOUNT, "twilio_auth_token": "token-of-the-account"}
KEY = base64.urlsafe_b64encode(bytes(32)).decode()


def text(**changes: Any) -> str:
    """The secret's JSON; None leaves a field out."""
    fields = {**FIELDS, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


class SecretsManager:
    """Gives texts, the last one again and again, and counts."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = list(texts), 0
        self.failure: Exception | None = None

    def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803
        assert SecretId == "arn:secret"
        self.asked += 1
        if self.failure:
            raise self.failure
        return {"SecretString": self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The wall clock, which the test moves: its first element."""
    now = [1_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_the_auth_token_signs_webhooks_and_calls_the_api():
    secret = parse_secret(text())
    assert secret.account_sid == ACCOUNT
    assert secret.auth_tokens == ("token-of-the-account",)
    assert (secret.credentials.account_sid, secret.credentials.username, secret.credentials.password) == (
        ACCOUNT,
        ACCOUNT,
        "token-of-the-account",
    )
    assert secret.keys == Keys.derive(ROOT)


def test_an_api_key_calls_the_api_and_does_not_sign_webhooks():
    secret = parse_secret(text(twilio_api_key_sid="SK" + "2" * 32, twilio_api_key_secret="key-secret"))
    assert (secret.credentials.username, secret.credentials.password) == ("SK" + "2" * 32, "key-secret")
    assert secret.auth_tokens == ("token-of-the-account",)


def test_during_a_rotation_two_tokens_count():
    assert parse_secret(text(twilio_previous_auth_token="older")).auth_tokens == ("token-of-the-account", "older")
    assert parse_secret(text(twilio_previous_auth_token="")).auth_tokens == ("token-of-the-account",)


def test_mac_keys_are_taken_up():
    secret = parse_secret(text(mac_keys={"2": KEY}, mac_key_id="2"))
    assert secret.keys.mac_key_id == "2"
    assert set(secret.keys.mac_keys) == {"0", "2"}


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("", "secret"),
        ("no json", "secret"),
        ("[]", "secret"),
        ('"text"', "secret"),
        (text(root=None), "root"),
        (text(root=""), "root"),
        (text(root="short"), "root"),
        (text(root=7), "root"),
        (text(twilio_account_sid=None), "twilio_account_sid"),
        (text(twilio_auth_token=None), "twilio_auth_token"),
        (text(twilio_auth_token=["x"]), "twilio_auth_token"),
        (text(twilio_api_key_sid="SK1"), "twilio_api_key_secret"),
        (text(twilio_api_key_secret="x"), "twilio_api_key_secret"),
        (text(mac_keys=[KEY]), "mac_keys"),
        (text(mac_keys={"2": 7}), "mac_keys"),
        (text(mac_keys={"2": "short"}), "mac_keys"),
        (text(mac_key_id="2"), "mac_key_id"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_shown(content: str, field: str):
    with pytest.raises(ConfigurationError) as raised:
        parse_secret(content)
    assert raised.value.variable == field
    for hidden in (ROOT, "token-of-the-account", KEY):
        assert hidden not in str(raised.value)


@pytest.mark.parametrize("change", [{"twilio_account_sid": "AC" + "0" * 32}, {"twilio_auth_token": "12345"}])
def test_the_emulators_credentials_are_refused_but_by_the_emulator(change: dict[str, str]):
    with pytest.raises(ConfigurationError) as raised:
        parse_secret(text(**change))
    assert raised.value.variable == "twilio_auth_token"
    assert parse_secret(text(**change), emulated=True).keys == Keys.derive(ROOT)


def test_nothing_of_it_prints():
    secret = parse_secret(
        text(twilio_previous_auth_token="older-token", twilio_api_key_sid="SK1", twilio_api_key_secret="ks")
    )
    shown = f"{secret} {secret!r} {secret.credentials!r} {secret.keys!r}"
    for hidden in (ROOT, "token-of-the-account", "older-token", "ks'", "SK1"):
        assert hidden not in shown


def test_it_is_read_once_and_again_when_it_is_old(clock: list[float]):
    manager = SecretsManager(text(), text(twilio_auth_token="mended"))
    vault = SecretVault(manager, "arn:secret")
    assert manager.asked == 0
    for _ in range(3):
        assert vault.auth_tokens() == ("token-of-the-account",)
        vault.keys()
        vault.credentials()
    assert manager.asked == 1
    clock[0] += CACHE_S - 1
    vault.keys()
    assert manager.asked == 1
    clock[0] += 1
    assert vault.auth_tokens() == ("mended",)
    assert manager.asked == 2


def test_an_unknown_key_asks_once_in_a_while_however_many_records_name_it(clock: list[float]):
    manager = SecretsManager(text(), text(mac_keys={"2": KEY}))
    vault = SecretVault(manager, "arn:secret")
    vault.keys()
    clock[0] += REFRESH_PAUSE_S
    assert set(vault.refreshed_keys().mac_keys) == {"0", "2"}
    assert manager.asked == 2
    for _ in range(50):
        vault.refreshed_keys()
    assert manager.asked == 2
    clock[0] += REFRESH_PAUSE_S
    vault.refreshed_keys()
    assert manager.asked == 3


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "ThrottlingException"}}, "GetSecretValue"),
        ConnectTimeoutError(endpoint_url="x"),
    ],
)
def test_what_cannot_be_read_is_unavailable_and_asked_for_again(clock: list[float], failure: Exception):
    manager = SecretsManager(text())
    vault = SecretVault(manager, "arn:secret")
    manager.failure = failure
    for _ in range(2):
        with pytest.raises(Unavailable):
            vault.keys()
    manager.failure = None
    assert vault.account_sid() == ACCOUNT
    assert manager.asked == 3


FAILURES = [
    ClientError({"Error": {"Code": "ThrottlingException"}}, "GetSecretValue"),
    ConnectTimeoutError(endpoint_url="x"),
    None,
]


@pytest.mark.parametrize("failure", FAILURES, ids=["throttled", "unreachable", "spoilt"])
def test_a_good_secret_is_kept_where_it_cannot_be_read_again_which_is_tried_after_a_while(
    clock: list[float], failure: Exception | None
):
    manager = SecretsManager(text(), "not JSON", text(twilio_auth_token="mended"))
    vault = SecretVault(manager, "arn:secret")
    vault.keys()
    manager.failure = failure
    clock[0] += CACHE_S
    for _ in range(3):
        assert vault.auth_tokens() == ("token-of-the-account",)
        assert vault.keys() == Keys.derive(ROOT)
    assert manager.asked == 2
    manager.failure, manager.texts = None, manager.texts[-1:]
    clock[0] += RETRY_S - 1
    assert vault.auth_tokens() == ("token-of-the-account",)
    clock[0] += 1
    assert vault.auth_tokens() == ("mended",)
    assert manager.asked == 3


def test_a_key_that_cannot_be_asked_for_leaves_those_that_are_known(clock: list[float]):
    manager = SecretsManager(text())
    vault = SecretVault(manager, "arn:secret")
    known = vault.keys()
    manager.failure = FAILURES[0]
    clock[0] += REFRESH_PAUSE_S
    assert vault.refreshed_keys() == known
    assert manager.asked == 2


def test_it_is_not_read_where_that_might_outlast_the_invocation(clock: list[float]):
    left = LONGEST_CALL_S - 0.1
    manager = SecretsManager(text(), text(twilio_auth_token="mended"))
    vault = SecretVault(manager, "arn:secret", time_left=lambda: left)
    with pytest.raises(Unavailable):
        vault.keys()
    assert manager.asked == 0
    left = LONGEST_CALL_S
    assert vault.auth_tokens() == ("token-of-the-account",)
    left, clock[0] = LONGEST_CALL_S - 0.1, clock[0] + CACHE_S
    assert vault.auth_tokens() == ("token-of-the-account",)
    assert manager.asked == 1


def test_threads_share_one_read(clock: list[float]):
    manager = SecretsManager(text())
    vault = SecretVault(manager, "arn:secret")
    threads = [threading.Thread(target=vault.keys) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert manager.asked == 1
