"""The stack's one secret: the root of its keys, and Twilio's credentials."""

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.adapters.credentials import TwilioCredentials
from otp_feedback.adapters.invocation import TimeLeft, unlimited
from otp_feedback.domain.errors import ConfigurationError, Unavailable
from otp_feedback.domain.keys import Keys

CACHE_S = 300
"""Seconds after which the secret is read again, so that new credentials and keys arrive by themselves."""

RETRY_S = 10
"""Seconds after which a failed read is tried again."""

REFRESH_PAUSE_S = 1
"""Seconds between two reads for unknown key ids, so that bad records cannot cause many reads."""

_log = logging.getLogger(__name__)

EMULATOR_ACCOUNT = "AC" + "0" * 32
EMULATOR_TOKEN = "12345"  # noqa: S105 - Twilio's own documented test value


class SecretsManagerClient(Protocol):
    """The call of boto3's client that the vault makes."""

    def get_secret_value(self, *, SecretId: str) -> Any: ...  # noqa: N803


@dataclass(frozen=True, slots=True)
class StackSecret:
    """The secret's contents, parsed; its repr shows nothing."""

    keys: Keys = field(repr=False)
    account_sid: str
    auth_tokens: tuple[str, ...] = field(repr=False)
    credentials: TwilioCredentials = field(repr=False)


class SecretVault:
    """`otp_feedback.usecases.ports.Vault` on Secrets Manager, and the credentials beside it.

    Parameters
    ----------
    client
        A low-level Secrets Manager client.
    arn
        The secret's exact ARN.
    emulated
        Whether Twilio is the laptop's emulator: only then its well-known credentials are taken.
    time_left
        Returns the seconds that are left; the secret is not read if that might outlast them.
    """

    def __init__(
        self, client: SecretsManagerClient, arn: str, *, emulated: bool = False, time_left: TimeLeft = unlimited
    ) -> None:
        self._client = client
        self._arn = arn
        self._emulated = emulated
        self._time_left = time_left
        self._lock = threading.Lock()
        self._secret: StackSecret | None = None
        self._read_at = 0.0

    def keys(self) -> Keys:
        return self._current(CACHE_S).keys

    def refreshed_keys(self) -> Keys:
        return self._current(REFRESH_PAUSE_S).keys

    def credentials(self) -> TwilioCredentials:
        """The credentials for the REST API: the API key if there is one, else the auth token."""
        return self._current(CACHE_S).credentials

    def account_sid(self) -> str:
        """The account whose webhooks are ours."""
        return self._current(CACHE_S).account_sid

    def auth_tokens(self) -> tuple[str, ...]:
        """The tokens that may sign webhooks: the current one, and the previous one while it is being rotated."""
        return self._current(CACHE_S).auth_tokens

    def _current(self, max_age_s: float) -> StackSecret:
        with self._lock:
            if self._secret is None:
                self._secret, self._read_at = self._read(), time.time()
            elif time.time() - self._read_at >= max_age_s:
                self._refresh(self._secret)
            return self._secret

    def _refresh(self, known: StackSecret) -> None:
        """Read the secret again; if that fails, the one read before stays good for a while."""
        try:
            self._secret, self._read_at = self._read(), time.time()
        except (Unavailable, ConfigurationError) as error:
            _log.warning("the stack's secret could not be read again: %s", error)
            self._secret, self._read_at = known, time.time() - CACHE_S + RETRY_S

    def _read(self) -> StackSecret:
        if self._time_left() < LONGEST_CALL_S:
            raise Unavailable
        try:
            text = self._client.get_secret_value(SecretId=self._arn)["SecretString"]
        except (BotoCoreError, ClientError) as error:
            raise Unavailable from error
        return parse_secret(text, emulated=self._emulated)


def parse_secret(text: str, *, emulated: bool = False) -> StackSecret:
    """Read the secret's JSON.

    Raises
    ------
    ConfigurationError
        Names the field that is missing or wrong; never its value.
    """
    try:
        fields = json.loads(text)
    except ValueError:
        raise ConfigurationError("secret", "must be JSON") from None
    if not isinstance(fields, dict):
        raise ConfigurationError("secret", "must be a JSON object")
    account_sid = _required(fields, "twilio_account_sid")
    token = _required(fields, "twilio_auth_token")
    if not emulated and (account_sid == EMULATOR_ACCOUNT or token == EMULATOR_TOKEN):
        raise ConfigurationError("twilio_auth_token", "is the emulator's; run make connect")
    previous = _optional(fields, "twilio_previous_auth_token")
    api_key, api_secret = _optional(fields, "twilio_api_key_sid"), _optional(fields, "twilio_api_key_secret")
    if (api_key is None) != (api_secret is None):
        raise ConfigurationError("twilio_api_key_secret", "goes together with twilio_api_key_sid")
    return StackSecret(
        keys=Keys.derive(_required(fields, "root"), _key_table(fields), _optional(fields, "mac_key_id")),
        account_sid=account_sid,
        auth_tokens=(token, previous) if previous else (token,),
        credentials=TwilioCredentials(account_sid, api_key or account_sid, api_secret or token),
    )


def _required(fields: dict[str, Any], name: str) -> str:
    value = _optional(fields, name)
    if value is None:
        raise ConfigurationError(name, "is missing from the stack's secret; run make connect")
    return value


def _optional(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(name, "must be a string")
    return value or None


def _key_table(fields: dict[str, Any]) -> dict[str, str]:
    table = fields.get("mac_keys") or {}
    if not isinstance(table, dict) or not all(isinstance(key, str) for key in table.values()):
        raise ConfigurationError("mac_keys", "must map key ids to base64url strings")
    return table
