"""What lets SAM CLI's containers use the laptop stack: the address they reach it at, and the functions' variables."""

import json
import os
import platform
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from local.aws import CREDENTIALS
from local.functions import ROOT
from local.stack import Stack

SAM = ROOT / ".venv-sam/bin/sam"
VARIABLES = ROOT / ".cache/sam-local.json"
"""What `make dev` leaves while it runs, and samconfig.toml names."""
GATEWAY = "172.17.0.1"
"""The host, as containers of Docker's see it unless it was set up otherwise."""
ARCHITECTURE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
REACHES_S = 2.0
UNSIGNED_CALLERS = "OTP_UNSIGNED_CALLERS"
"""Set for SAM CLI alone: `sam local start-api` has no authorisers that could say who asks."""


class BuildFailed(Exception):
    """`sam build` failed; the message is what it said."""


def docker_gateway() -> str:
    """The host's address on Docker's default network."""
    question = [
        "docker",
        "network",
        "inspect",
        "bridge",
        "--format",
        "{{range .IPAM.Config}}{{println .Gateway}}{{end}}",
    ]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return GATEWAY
    return next((line for line in answer.stdout.split() if ":" not in line), GATEWAY)


def container_host(bind: str) -> str | None:
    """How a container reaches what listens at `bind` on this machine; None where it cannot."""
    try:
        address = ip_address(bind)
    except ValueError:
        return None if bind == "localhost" else bind
    if address.is_loopback:
        return None
    return docker_gateway() if address.is_unspecified else bind


def container_variables(stack: Stack) -> dict[str, str] | None:
    """The variables of a function in a container that uses the stack; None where it cannot reach it."""
    host = container_host(stack.bind)
    if host is None:
        return None
    listeners = [stack.aws.listener, stack.twilio.listener] if host != stack.bind else []
    reached = {listener.url: f"http://{host}:{listener.port}" for listener in listeners}
    return {name: reached.get(value, value) for name, value in stack.variables.items()}


def write(variables: Mapping[str, str], path: Path) -> str:
    """Write variables as SAM CLI's `--env-vars` takes them; the text."""
    text = json.dumps({"Parameters": variables}, indent=2) + "\n"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return text


@contextmanager
def left_for_sam(stack: Stack, path: Path) -> Iterator[bool]:
    """Leave a stack's variables in a file during the block, unless no container reaches it; yields whether one does."""
    variables = container_variables(stack)
    if variables is None:
        yield False
        return
    text = write({**variables, UNSIGNED_CALLERS: "true"}, path)
    try:
        yield True
    finally:
        # Another stack may have come later: its file stays.
        if path.exists() and path.read_text() == text:
            path.unlink()


def left_by_dev(path: Path) -> dict[str, str] | None:
    """The variables that a `make dev` has left; None where there is none, or where it has died and left them behind."""
    try:
        variables: dict[str, str] = json.loads(path.read_text())["Parameters"]
    except FileNotFoundError:
        return None
    address = urlsplit(variables["AWS_ENDPOINT_URL"])
    try:
        socket.create_connection((address.hostname or "", address.port or 80), REACHES_S).close()
    except OSError:
        return None
    return variables


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """For SAM CLI: the Python that the layers are built with, and the laptop's credentials in place of anybody's."""
    kept = {name: value for name, value in environ.items() if not name.startswith("AWS_") and name != "PYTHONPATH"}
    path = f"{ROOT / '.venv/bin'}{os.pathsep}{environ.get('PATH', os.defpath)}"
    return {**kept, **CREDENTIALS, "PATH": path, "SAM_CLI_TELEMETRY": "0"}
