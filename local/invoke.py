"""Runs a function once in a container, on the `make dev` that runs or on a laptop stack of its own (`make invoke`)."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from local import sam
from local.functions import ROOT
from local.stack import LAPTOP, Stack, chosen_settings
from local.stage import BASE_URL, EVENTS, SETTINGS, STAGES, Laptop, Stage
from local.template import Template
from local.twilio_emulator import Delays

NEVER = Delays(queued=3600, sent=3600, delivered=3600)
"""A stack that lives for one invocation calls nobody back."""


def check_function(name: str) -> None:
    """Make sure that the template has a function.

    Raises
    ------
    ValueError
        It has none of that name.
    """
    placeholders = {"PublicBaseUrl": "", "TwilioBaseUrl": ""}
    functions = Template(ROOT / "template.yaml", LAPTOP | placeholders).functions({})
    known = [function.logical_id for function in functions.values()]
    if name not in known:
        raise ValueError(f"FUNCTION{f'={name} is none' if name else ' is missing: one'} of {', '.join(known)}")


def event_path(name: str) -> Path:
    """The file with the event.

    Raises
    ------
    ValueError
        There is none.
    """
    path = (ROOT / name).resolve()
    if not name or not path.is_file():
        listed = "events/README.md lists the events"
        raise ValueError(f"EVENT={name} is no file; {listed}" if name else f"EVENT is missing: a file; {listed}")
    return path


def build(environ: Mapping[str, str]) -> None:
    """Build the functions and layers, which are the same for both processors.

    Raises
    ------
    sam.BuildFailed
        With what SAM CLI says.
    """
    command = [str(sam.SAM), "build"]
    given = sam.environment(environ)
    built = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)  # noqa: S603
    if built.returncode:
        raise sam.BuildFailed(f"{built.stdout}{built.stderr}")


@contextmanager
def laptop(bind: str | None) -> Iterator[tuple[Laptop, dict[str, str]]]:
    """The stack of `make dev`, or one for the block: where a stage is set, and what a container must be told.

    Raises
    ------
    ValueError
        No container reaches `bind`.
    """
    left = sam.left_by_dev(sam.VARIABLES)
    if left is not None:
        yield Laptop(left["AWS_ENDPOINT_URL"], left["OTP_TABLE"], left["OTP_TWILIO_BASE_URL"]), left
        return
    with Stack(bind=bind or sam.docker_gateway(), period_s=None, delays=NEVER) as stack:
        variables = sam.container_variables(stack)
        if variables is None:
            raise ValueError(f"OTP_BIND={bind} is where no container reaches; leave it out for Docker's own address")
        yield Laptop(stack.aws_url, stack.table_name, stack.twilio_url), variables


def prepare(place: Laptop, path: Path) -> dict[str, str]:
    """Set the stage for an event where it is one of events/; the variables that the function needs for it."""
    if path.parent != EVENTS:
        return {}
    event = json.loads(path.read_text())
    asked = json.loads(event["body"]) if "body" in event and not event["isBase64Encoded"] else event
    with closing(Stage(place)) as stage:
        stage.clear([asked["to"]] if "to" in asked else [])
        stage.put(STAGES.get(path.stem, ()))
    signed = "x-twilio-signature" in event.get("headers", {})
    return {**SETTINGS.get(path.stem, {}), **({"OTP_PUBLIC_BASE_URL": BASE_URL} if signed else {})}


def invoke(function: str, event: str, options: Sequence[str], environ: Mapping[str, str]) -> int:
    """Build, invoke a function with an event, and have SAM CLI print its answer; SAM CLI's exit status.

    Parameters
    ----------
    function
        Its logical id.
    event
        A file; the stage is set for it where it is one of events/.
    options
        Further ones for `sam local invoke`.
    environ
        `OTP_…` variables in it replace the template's values.
    """
    check_function(function)
    path = event_path(event)
    print("building ...", file=sys.stderr, flush=True)
    build(environ)
    with laptop(environ.get("OTP_BIND")) as (place, variables), tempfile.TemporaryDirectory() as folder:
        needed = prepare(place, path)
        file = Path(folder, "variables.json")
        # An event says itself who asks.
        sam.write({**variables, sam.UNSIGNED_CALLERS: "", **chosen_settings(environ), **needed}, file)
        command = [str(sam.SAM), "local", "invoke", function, "--event", str(path), "--env-vars", str(file)]
        command += ["--parameter-overrides", f"Architecture={sam.ARCHITECTURE}", *options]
        given = sam.environment(environ)
        done = subprocess.run(command, cwd=ROOT, env=given, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    # SAM CLI ends the answer without a line's end, which the shell's prompt would continue.
    print(done.stdout.strip())
    return done.returncode
