"""Put the Twilio credentials into a stack's secret, and point its senders at the stack."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations.errors import OperationError
from operations.secret import READ_AGAIN_MINUTES, StoredSecret, read_secret, write_secret
from operations.stack import SETTLED, DeployedStack
from operations.terminal import Terminal
from operations.twilio import Addresses, Login, TwilioAccount
from operations.webhooks import Change, SenderPlan, handed_on, plan_senders, tell_settings
from otp_feedback.adapters.aws.secret import EMULATOR_ACCOUNT, EMULATOR_TOKEN
from otp_feedback.domain.identifiers import ACCOUNT_SID, API_KEY_SID

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ACCOUNT_VARIABLE = "TWILIO_ACCOUNT_SID"
TOKEN_VARIABLE = "TWILIO_AUTH_TOKEN"  # noqa: S105 - a name
KEY_VARIABLE = "TWILIO_API_KEY"
KEY_SECRET_VARIABLE = "TWILIO_API_SECRET"  # noqa: S105 - a name

NO_KEY = "-"

_ACCOUNT_SID = re.compile(ACCOUNT_SID, re.ASCII)
_KEY_SID = re.compile(API_KEY_SID, re.ASCII)
_SECRET = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator asked for.

    Parameters
    ----------
    replies
        Whether inbound messages and calls are to reach the stack.
    calls
        Whether calls are, too.
    asks
        Whether there is somebody to ask; otherwise the environment or what is stored must hold the credentials.
    """

    replies: bool = True
    calls: bool = True
    asks: bool = True


def connect(
    secrets: "SecretsManagerClient",
    stack: DeployedStack,
    addresses: Addresses,
    terminal: Terminal,
    environ: Mapping[str, str],
    wishes: Wishes,
) -> int:
    """Connect a stack with a Twilio account.

    Returns
    -------
    int
        The command's exit status: 1 where one of the senders cannot send.

    Raises
    ------
    OperationError
        Nothing was changed; says why.
    """
    if stack.status not in SETTLED:
        raise OperationError(f"The stack {stack.name} is {stack.status}: wait until its deployment has ended.")
    stored = read_secret(secrets, stack.secret_arn)
    login = ask_login(terminal, environ, stored, asks=wishes.asks)
    refuse_emulators(login, stack)
    with TwilioAccount(login, addresses) as account:
        check_login(account, login, terminal)
        _store(secrets, stack, stored, login, terminal)
        return _point_senders(account, stack, terminal, wishes)


def ask_login(terminal: Terminal, environ: Mapping[str, str], stored: StoredSecret, *, asks: bool) -> Login:
    """The credentials: from the environment, else asked for, else those that are stored.

    Raises
    ------
    OperationError
        One is missing or malformed; names it, never its value.
    """
    account_sid = _credential(
        environ.get(ACCOUNT_VARIABLE),
        lambda hint: terminal.ask(f"Twilio account SID{hint}", f"set {ACCOUNT_VARIABLE}"),
        stored.text("twilio_account_sid"),
        asks=asks,
    )
    _require(account_sid, _ACCOUNT_SID, ACCOUNT_VARIABLE, "the account SID must be AC and 32 hexadecimal digits")
    same = account_sid == stored.text("twilio_account_sid")
    auth_token = _credential(
        environ.get(TOKEN_VARIABLE),
        lambda hint: terminal.ask_secretly(f"Its auth token{hint}, not shown", f"set {TOKEN_VARIABLE}"),
        stored.text("twilio_auth_token") if same else "",
        asks=asks,
    )
    _require(auth_token, _SECRET, TOKEN_VARIABLE, "the auth token must be given, without spaces")
    key_sid, key_secret = _ask_api_key(terminal, environ, stored if same else None, asks=asks)
    return Login(account_sid, auth_token, key_sid, key_secret)


def _ask_api_key(
    terminal: Terminal, environ: Mapping[str, str], stored: StoredSecret | None, *, asks: bool
) -> tuple[str | None, str | None]:
    kept = stored.text("twilio_api_key_sid") if stored is not None else ""
    question = f"API key SID ({f'Enter keeps {_tail(kept)}, {NO_KEY} removes it' if kept else 'Enter for none'})"
    key_sid = environ.get(KEY_VARIABLE, "").strip()
    if not key_sid and asks:
        key_sid = terminal.ask(question, f"set {KEY_VARIABLE}")
    if key_sid == NO_KEY or not (key_sid or kept):
        return None, None
    if not key_sid or (key_sid == kept and KEY_SECRET_VARIABLE not in environ):
        return kept, stored.text("twilio_api_key_secret") if stored is not None else None
    _require(key_sid, _KEY_SID, KEY_VARIABLE, "the API key's SID must be SK and 32 hexadecimal digits")
    key_secret = _credential(
        environ.get(KEY_SECRET_VARIABLE),
        lambda _: terminal.ask_secretly("Its secret, not shown", f"set {KEY_SECRET_VARIABLE}"),
        "",
        asks=asks,
    )
    _require(key_secret, _SECRET, KEY_SECRET_VARIABLE, "the API key's secret must be given, without spaces")
    return key_sid, key_secret


def _credential(given: str | None, ask: Any, kept: str, *, asks: bool) -> str:
    if given and given.strip():
        return given.strip()
    if not asks:
        return kept
    return ask(f" (Enter keeps {_tail(kept)})" if kept else "") or kept


def _tail(value: str) -> str:
    """Enough of a SID to recognise it; nothing of a token."""
    return f"{value[:2]}…{value[-4:]}" if value[:2] in {"AC", "SK"} else "the stored one"


def _require(value: str, pattern: re.Pattern[str], variable: str, rule: str) -> None:
    if not pattern.fullmatch(value):
        raise OperationError(f"Nothing was changed: {rule} (asked for, or in {variable}).")


def refuse_emulators(login: Login, stack: DeployedStack) -> None:
    """Refuse the credentials that the laptop's emulator has, unless the stack's Twilio is an emulator.

    Raises
    ------
    OperationError
        Everybody knows them, so everybody could sign webhooks.
    """
    emulators = login.account_sid == EMULATOR_ACCOUNT or login.auth_token == EMULATOR_TOKEN
    if emulators and not stack.twilio_is_emulated:
        raise OperationError(
            "Nothing was changed: these are the emulator's credentials, which everybody knows. "
            "Yours are on the first page of Twilio's console."
        )


def check_login(account: TwilioAccount, login: Login, terminal: Terminal) -> None:
    """Try the credentials at Twilio.

    Raises
    ------
    OperationError
        Twilio does not accept them, or the account is not active.
    """
    state = account.state()
    if state.status != "active":
        raise OperationError(
            f"Nothing was changed: the account is {state.status or 'in an unknown state'}, see Twilio's console."
        )
    terminal.say("Twilio accepts the account SID and the auth token.")
    if state.kind == "Trial":
        terminal.say("It is a trial account: messages go to verified numbers only.")
    if login.api_key_sid is not None:
        account.try_api_key()
        terminal.say("Twilio accepts the API key.")


def merged(stored: StoredSecret, login: Login) -> dict[str, Any]:
    """The secret's fields with these credentials; all that is not Twilio's stays as it is.

    A token that differs replaces the previous one as well: `rotate-keys --auth-token` is what keeps it.
    """
    fields = dict(stored.fields)
    unchanged = (stored.text("twilio_account_sid"), stored.text("twilio_auth_token")) == (
        login.account_sid,
        login.auth_token,
    )
    if not unchanged:
        fields.pop("twilio_previous_auth_token", None)
    fields |= {"twilio_account_sid": login.account_sid, "twilio_auth_token": login.auth_token}
    for name in ("twilio_api_key_sid", "twilio_api_key_secret"):
        fields.pop(name, None)
    if login.api_key_sid is not None and login.api_key_secret is not None:
        fields |= {"twilio_api_key_sid": login.api_key_sid, "twilio_api_key_secret": login.api_key_secret}
    return fields


def _store(
    secrets: "SecretsManagerClient", stack: DeployedStack, stored: StoredSecret, login: Login, terminal: Terminal
) -> None:
    fields = merged(stored, login)
    if fields == stored.fields:
        terminal.say("They are in the stack's secret already.")
        return
    write_secret(secrets, stack.secret_arn, stored, fields, emulated=stack.twilio_is_emulated)
    was_connected = bool(stored.text("twilio_auth_token"))
    when = f"within {READ_AGAIN_MINUTES} minutes" if was_connected else "from now on"
    terminal.say(f"They are in the stack's secret; the functions use them {when}.")


def _point_senders(account: TwilioAccount, stack: DeployedStack, terminal: Terminal, wishes: Wishes) -> int:
    plans = list(plan_senders(account, stack, calls=wishes.calls))
    for plan in plans:
        _tell(plan, terminal, wishes)
    changes = [change for plan in plans for change in plan.changes] if wishes.replies else []
    if changes:
        terminal.say()
        if terminal.agrees("Change this at Twilio?"):
            for change in changes:
                account.update(change.url, change.form)
            terminal.say("Changed. Replies to these senders reach the stack.")
        else:
            terminal.say("Nothing was changed at Twilio. Codes and links work all the same; replies confirm nothing.")
    terminal.say()
    terminal.say(f"Check the whole stack with: make doctor STACK={stack.name}")
    return 1 if any(plan.obstacles for plan in plans) else 0


def _tell(plan: SenderPlan, terminal: Terminal, wishes: Wishes) -> None:
    terminal.say()
    for obstacle in plan.obstacles:
        terminal.say(f"{obstacle.text}: {obstacle.advice}.")
    if plan.obstacles:
        return
    if not wishes.replies:
        terminal.say(f"{plan.sender}: can send.")
        return
    for change in plan.changes:
        _tell_change(change, terminal)
    for note in plan.notes:
        terminal.say(f"{plan.sender}: {note}.")
    if not plan.changes and not plan.notes:
        terminal.say(f"{plan.sender}: points at the stack already.")


def _tell_change(change: Change, terminal: Terminal) -> None:
    tell_settings(change, terminal)
    for parameter in filter(None, map(handed_on, change.settings)):
        terminal.say(
            f"  To keep the address of before, deploy with it as {parameter}: what answers nothing goes there."
        )
