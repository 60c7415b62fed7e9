"""Rotate what can be rotated of a stack's secret: the MAC key, and the auth token."""

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from operations.connect import TOKEN_VARIABLE, check_login, refuse_emulators
from operations.errors import OperationError
from operations.secret import READ_AGAIN_MINUTES, connected, read_secret, write_secret
from operations.stack import DeployedStack
from operations.terminal import Terminal
from operations.twilio import Addresses, Login, TwilioAccount
from otp_feedback.domain.backoff import SID_GIVE_UP_MS
from otp_feedback.domain.ids import RandomBytes
from otp_feedback.domain.keys import DERIVED_MAC_KEY_ID
from otp_feedback.domain.policy import DEFAULT

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEY_BYTES = 32
DAY_MS = 86_400_000

_KEY_ID = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[b-z]?", re.ASCII)


def rotate_mac_key(
    secrets: "SecretsManagerClient",
    stack: DeployedStack,
    terminal: Terminal,
    random_bytes: RandomBytes,
    today: date,
) -> None:
    """Add a MAC key that signs from now on; those before stay, so that no live secret is refused.

    Parameters
    ----------
    random_bytes
        A cryptographic source.
    today
        In UTC; the new key is named after it.

    Raises
    ------
    OperationError
        Nothing was changed; says why.
    """
    stored = read_secret(secrets, stack.secret_arn)
    connected(stack, stored)
    keys: Mapping[str, str] = stored.fields.get("mac_keys") or {}
    key_id = _new_id(keys, today)
    key = base64.urlsafe_b64encode(random_bytes(KEY_BYTES)).decode().rstrip("=")
    fields = {**stored.fields, "mac_keys": {**keys, key_id: key}, "mac_key_id": key_id}
    write_secret(secrets, stack.secret_arn, stored, fields, emulated=stack.twilio_is_emulated)
    terminal.say(f"MAC key {key_id} signs new secrets within {READ_AGAIN_MINUTES} minutes.")
    for older, since in superseded(fields["mac_keys"]).items():
        if since is not None:
            terminal.say(f"MAC key {older} may be removed from {_removable(since, stack)} on (--remove-old).")
    terminal.say(f"MAC key {DERIVED_MAC_KEY_ID}, which follows from the root, is always accepted.")


def remove_old_keys(secrets: "SecretsManagerClient", stack: DeployedStack, terminal: Terminal, today: date) -> None:
    """Remove the MAC keys that no record can need any more.

    Raises
    ------
    OperationError
        Nothing was changed; says why.
    """
    stored = read_secret(secrets, stack.secret_arn)
    keys: Mapping[str, str] = stored.fields.get("mac_keys") or {}
    old = [
        key_id
        for key_id, since in superseded(keys).items()
        if since is not None and key_id != stored.text("mac_key_id") and _removable(since, stack) <= today
    ]
    if not old:
        terminal.say("No MAC key may be removed yet.")
        return
    for key_id in old:
        terminal.say(f"MAC key {key_id} is needed by no record any more.")
    if not terminal.agrees("Remove?"):
        terminal.say("Nothing was changed.")
        return
    kept = {key_id: key for key_id, key in keys.items() if key_id not in old}
    write_secret(
        secrets, stack.secret_arn, stored, {**stored.fields, "mac_keys": kept}, emulated=stack.twilio_is_emulated
    )
    terminal.say("Removed.")


def rotate_auth_token(
    secrets: "SecretsManagerClient",
    stack: DeployedStack,
    addresses: Addresses,
    terminal: Terminal,
    environ: Mapping[str, str],
) -> None:
    """Take the account's secondary auth token for the current one, and accept the one before as long.

    Twilio signs with the primary token alone, so both must count while the secondary one is promoted
    (https://www.twilio.com/docs/iam/api/authtoken).

    Raises
    ------
    OperationError
        Nothing was changed; says why.
    """
    stored = read_secret(secrets, stack.secret_arn)
    before = connected(stack, stored)
    question = "The secondary auth token, not shown"
    token = environ.get(TOKEN_VARIABLE, "").strip() or terminal.ask_secretly(question, f"set {TOKEN_VARIABLE}")
    if not token or token == stored.text("twilio_auth_token"):
        raise OperationError(
            "Nothing was changed: this is the auth token that the stack has. Create a secondary one in Twilio's "
            f"console under Account, API keys & tokens, and give that (or in {TOKEN_VARIABLE})."
        )
    login = Login(before.account_sid, token)
    refuse_emulators(login, stack)
    with TwilioAccount(login, addresses) as account:
        check_login(account, login, terminal)
    fields = {
        **stored.fields,
        "twilio_auth_token": token,
        "twilio_previous_auth_token": stored.text("twilio_auth_token"),
    }
    write_secret(secrets, stack.secret_arn, stored, fields, emulated=stack.twilio_is_emulated)
    terminal.say(f"Wait {READ_AGAIN_MINUTES} minutes, until every function has read it. Until then both tokens count.")
    terminal.say("Then promote the secondary token in Twilio's console, which ends the one before,")
    terminal.say(f"and drop that here: make rotate-keys STACK={stack.name} ARGS=--drop-previous-token")


def drop_previous_token(secrets: "SecretsManagerClient", stack: DeployedStack, terminal: Terminal) -> None:
    """Accept no webhook any more that is signed with the auth token of before.

    Raises
    ------
    OperationError
        Nothing was changed; says why.
    """
    stored = read_secret(secrets, stack.secret_arn)
    if not stored.text("twilio_previous_auth_token"):
        terminal.say("There is no previous auth token.")
        return
    if not terminal.agrees("Has the secondary token been promoted at Twilio, so that nothing is signed as before?"):
        terminal.say("Nothing was changed.")
        return
    fields = {name: value for name, value in stored.fields.items() if name != "twilio_previous_auth_token"}
    write_secret(secrets, stack.secret_arn, stored, fields, emulated=stack.twilio_is_emulated)
    terminal.say(f"The previous auth token counts no more, within {READ_AGAIN_MINUTES} minutes.")


def today_utc(now_ms: Callable[[], int]) -> date:
    """The day in UTC."""
    return datetime.fromtimestamp(now_ms() / 1000, UTC).date()


def superseded(key_ids: Mapping[str, str]) -> dict[str, date | None]:
    """The keys but the newest, oldest first, and the day on which each stopped to sign.

    A key is named after the day it was made on, so it stopped on the day that the next one is named after;
    None where that cannot be told, because somebody named a key by hand.
    """
    made = {key_id: _made_on(key_id) for key_id in sorted(key_ids)}
    ordered = list(made)
    return {older: made[newer] if made[older] is not None else None for older, newer in pairwise(ordered)}


def _made_on(key_id: str) -> date | None:
    named = _KEY_ID.fullmatch(key_id)
    if named is None:
        return None
    try:
        return date.fromisoformat(named[1])
    except ValueError:
        return None


def _new_id(keys: Mapping[str, str], today: date) -> str:
    """A second key on the same day gets a letter."""
    for suffix in ("", *"bcdefghijklmnopqrstuvwxyz"):
        key_id = f"{today.isoformat()}{suffix}"
        if key_id not in keys:
            return key_id
    raise OperationError("Nothing was changed: the MAC key was rotated too often today.")


def _removable(since: date, stack: DeployedStack) -> date:
    """The day from which on no record can need a key that stopped to sign on `since`.

    A record is kept for its days after the last of its secret's life, and a message whose SID is unknown is looked for
    by its secret for seven days.
    """
    days = max(stack.whole("RecordDays", DEFAULT.record_days), SID_GIVE_UP_MS // DAY_MS)
    life_days = -(-stack.whole("LifetimeSeconds", DEFAULT.lifetime_s) // 86_400)
    return since + timedelta(days=days + life_days + 1)
