"""Runs the laptop stack until Ctrl-C (`dev`), once through every action (`demo`), or for one function (`invoke`)."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO

from local import demo, sam
from local.functions import ROOT, FunctionError
from local.servers import AddressTaken
from local.stack import Ports, Stack, chosen_settings
from local.twilio_emulator import Delays

LOG_LINES = 40
"""How much of the functions' log a demo that failed shows."""
IDLE_RUN = ('"service":"retry_feedback"', '"taken":0')


@contextmanager
def open_log() -> Iterator[IO[str]]:
    """Where the functions write: stderr, but for the schedule's runs that found nothing to do."""
    receiving, sending = os.pipe()

    def pass_on() -> None:
        with os.fdopen(receiving, errors="replace") as lines:
            for line in lines:
                if not all(mark in line for mark in IDLE_RUN):
                    sys.stderr.write(line)

    thread = threading.Thread(target=pass_on, name="function-log", daemon=True)
    thread.start()
    with os.fdopen(sending, "w") as log:
        yield log
    thread.join()


def dev(environ: Mapping[str, str]) -> int:
    """Run the stack until SIGINT or SIGTERM. `OTP_…` variables replace the template's values."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    bind = environ.get("OTP_BIND") or "127.0.0.1"
    with (
        open_log() as log,
        Stack(ports=Ports.from_environ(environ), bind=bind, settings=chosen_settings(environ), log=log) as stack,
        sam.left_for_sam(stack, sam.VARIABLES) as left,
    ):
        print(f"phone page  {stack.api_url}/")
        print(f"API         {stack.api_url}")
        print(f"Twilio      {stack.twilio_url}  (control routes under /_emulator)")
        print(f"AWS         {stack.aws_url}")
        print(
            f"SAM CLI     {sam.VARIABLES.relative_to(ROOT) if left else 'cannot reach it: see OTP_BIND in README.md'}"
        )
        print("Ctrl-C ends it.", flush=True)
        stopping.wait()
    return 0


def show(environ: Mapping[str, str]) -> int:
    """Go through the demonstration; 0 if every expectation held."""
    began = time.monotonic()
    bind = environ.get("OTP_BIND") or "127.0.0.1"
    delays = Delays(queued=0.05, sent=0.1, delivered=0.25)
    with ExitStack() as running:
        try:
            stack = running.enter_context(Stack(ports=Ports.from_environ(environ), bind=bind, delays=delays))
        except AddressTaken:  # most likely by `make dev`
            stack = running.enter_context(Stack(bind=bind, delays=delays))
        failures = demo.run(stack, print)
        log = stack.logs().splitlines()
    print()
    if failures:
        print("\n".join(["What the functions wrote last:", *log[-LOG_LINES:]]), file=sys.stderr)
        print("\n".join([f"{len(failures)} expectations did not hold:", *(f"  {item}" for item in failures)]))
        return 1
    print(f"Every expectation held, in {time.monotonic() - began:.1f} s.")
    return 0


def keep_to_ourselves() -> None:
    """Take the shell's AWS profile and proxies out of the environment: the stack talks to this machine alone."""
    for name in tuple(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def main() -> int:
    """Run a command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("dev", help="until Ctrl-C")
    commands.add_parser("demo", help="every action once")
    invoking = commands.add_parser("invoke", help="a function once, in a container")
    invoking.add_argument("function", help="its logical id")
    invoking.add_argument("event", help="the file with the event")
    invoking.add_argument("options", nargs=argparse.REMAINDER, help="for sam local invoke")
    given = parser.parse_args()
    environ = dict(os.environ)  # the build needs the shell's proxies
    keep_to_ourselves()
    try:
        if given.command == "invoke":
            # The stage needs the package, and dev and demo come up sooner without them.
            from local.invoke import invoke  # noqa: PLC0415

            return invoke(given.function, given.event, given.options, environ)
        return dev(os.environ) if given.command == "dev" else show(os.environ)
    except (AddressTaken, sam.BuildFailed, FunctionError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
