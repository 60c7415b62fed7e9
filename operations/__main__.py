"""`python -m operations COMMAND --stack NAME`; region and credentials come from the usual AWS variables."""

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from operations import aws, destroy
from operations.aws import explained
from operations.checkup import CheckupClients, Patient, checkup
from operations.connect import Wishes, connect
from operations.doctor import diagnose
from operations.erase import erase
from operations.errors import OperationError
from operations.number import NamedNumber, read_number
from operations.rotate_keys import drop_previous_token, remove_old_keys, rotate_auth_token, rotate_mac_key, today_utc
from operations.stack import DeployedStack, read_stack
from operations.terminal import Console, Terminal
from operations.twilio import Addresses
from operations.unlock import unlock
from otp_feedback.adapters.clock import now_ms

TWILIO_VARIABLE = "OTP_TWILIO_BASE_URL"

type Environ = Mapping[str, str]
type Command = Callable[[argparse.Namespace, Terminal, Environ], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status is 0, 1 where something is wrong, 2 where it was called wrongly."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options, Console(assume_yes=options.yes), os.environ)
    except OperationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (EOFError, KeyboardInterrupt):
        sys.stderr.write("\nStopped.\n")
        return 1


def _connect(options: argparse.Namespace, terminal: Terminal, environ: Environ) -> int:
    stack = _stack(options)
    wishes = Wishes(replies=not options.no_replies, calls=not options.no_calls, asks=not options.yes)
    addresses = Addresses.of(stack, options.twilio_base_url)
    return connect(_client("secretsmanager"), stack, addresses, terminal, environ, wishes)


def _doctor(options: argparse.Namespace, terminal: Terminal, _environ: Environ) -> int:
    stack = _stack(options)
    with explained():
        session = aws.session()
        credentials = session.get_credentials()
    clients = CheckupClients(
        sts=_client("sts"),
        cloudformation=_client("cloudformation"),
        functions=_client("lambda"),
        cloudwatch=_client("cloudwatch"),
        dynamodb=_client("dynamodb"),
        secrets=_client("secretsmanager"),
        ssm=_client("ssm"),
    )
    patient = Patient(
        stack=stack,
        addresses=Addresses.of(stack, options.twilio_base_url),
        region=session.region_name or "",
        credentials=credentials,
        replies=not options.no_replies,
        now_ms=now_ms,
    )
    return diagnose(checkup(clients, patient), terminal)


def _rotate_keys(options: argparse.Namespace, terminal: Terminal, environ: Environ) -> int:
    stack, vault = _stack(options), _client("secretsmanager")
    if options.auth_token:
        rotate_auth_token(vault, stack, Addresses.of(stack, options.twilio_base_url), terminal, environ)
    elif options.drop_previous_token:
        drop_previous_token(vault, stack, terminal)
    elif options.remove_old:
        remove_old_keys(vault, stack, terminal, today_utc(now_ms))
    else:
        rotate_mac_key(vault, stack, terminal, secrets.token_bytes, today_utc(now_ms))
    return 0


def _unlock(options: argparse.Namespace, terminal: Terminal, _environ: Environ) -> int:
    stack, number = _stack(options), _number(options, terminal)
    return unlock(_client("dynamodb"), _client("secretsmanager"), stack, number.kept, terminal, now_ms())


def _erase(options: argparse.Namespace, terminal: Terminal, _environ: Environ) -> int:
    stack, number = _stack(options), _number(options, terminal)
    return erase(_client("dynamodb"), _client("secretsmanager"), stack, number, terminal, force=options.force)


def _destroy(options: argparse.Namespace, terminal: Terminal, _environ: Environ) -> int:
    stack = _stack(options)
    clients = destroy.Clients(_client("cloudformation"), _client("dynamodb"), _client("secretsmanager"))
    extent = destroy.Extent(webhooks=not options.no_webhooks, data=options.data)
    return destroy.destroy(clients, stack, Addresses.of(stack, options.twilio_base_url), terminal, extent)


def _stack(options: argparse.Namespace) -> DeployedStack:
    if not options.stack:
        raise OperationError("Name the stack: STACK=otp-feedback-dev.")
    return read_stack(_client("cloudformation"), options.stack)


def _number(options: argparse.Namespace, terminal: Terminal) -> NamedNumber:
    text = options.number or terminal.ask("Phone number (+…)", "set NUMBER")
    number = read_number(text)
    if number.kept.e164 != text:
        terminal.say(f"This is another spelling of {number.kept.masked}, under which its budgets are kept.")
    return number


def _client(service: str) -> Any:
    with explained():
        return aws.client(service)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m operations", description="Commands for a deployed stack.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    reaches_twilio = argparse.ArgumentParser(add_help=False)
    reaches_twilio.add_argument(
        "--twilio-base-url",
        default=os.environ.get(TWILIO_VARIABLE),
        help=f"what stands in for Twilio's API, in tests (default: {TWILIO_VARIABLE})",
    )

    def add(name: str, command: Command, words: str, *, twilio: bool = False) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words, parents=[reaches_twilio] if twilio else [])
        added.set_defaults(command=command)
        added.add_argument("--stack", required=True, help="the stack's name")
        added.add_argument("--yes", action="store_true", help="do not ask")
        return added

    added = add("connect", _connect, "Store the Twilio credentials, and point the senders at the stack.", twilio=True)
    added.add_argument("--no-replies", action="store_true", help="leave the senders' webhooks alone")
    added.add_argument("--no-calls", action="store_true", help="leave where the senders' calls go alone")
    added = add("doctor", _doctor, "Check the stack; changes nothing.", twilio=True)
    added.add_argument("--no-replies", action="store_true", help="nobody replies, so webhooks may point elsewhere")
    added = add("rotate-keys", _rotate_keys, "Add a MAC key that signs from now on.", twilio=True)
    instead = added.add_mutually_exclusive_group()
    instead.add_argument("--remove-old", action="store_true", help="remove MAC keys that no record needs any more")
    instead.add_argument("--auth-token", action="store_true", help="take Twilio's secondary auth token instead")
    instead.add_argument("--drop-previous-token", action="store_true", help="accept the auth token of before no more")
    for name, command, words in (
        ("unlock", _unlock, "Forget a number's wrong guesses, so that it can be sent messages again."),
        ("erase", _erase, "Erase what the stack holds of a number."),
    ):
        add(name, command, words).add_argument("--number", help="in E.164; asked for where it is left out")
    commands.choices["erase"].add_argument("--force", action="store_true", help="even if reports to Twilio are lost")
    added = add("destroy", _destroy, "Take the stack off its senders, and delete it.", twilio=True)
    added.add_argument("--no-webhooks", action="store_true", help="leave the senders at Twilio alone")
    added.add_argument("--data", action="store_true", help="delete the table and the secret as well")
    return parser


if __name__ == "__main__":
    sys.exit(main())
