"""The functions as SAM CLI runs them: in containers, from the layers that were built, against the laptop's services."""

import json
import platform
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import yaml

from local.fixtures.files import EXPECTED
from local.fixtures.payloads import BASE_URL
from local.stack import LAPTOP, Stack
from tests.events.conftest import NEVER, Stage
from tests.events.test_fixtures import EVENTS, FIXTURES, assert_answers, assert_holds
from tests.loop.driver import Loop, fresh_number
from tests.template.expanded import FUNCTIONS, ROOT

pytestmark = [pytest.mark.sam, pytest.mark.heavy]

SAM = str(ROOT / ".venv-sam/bin/sam")
BRIDGE = "172.17.0.1"
"""The host, as Docker's containers see it."""
PROCESSOR = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
LOCAL = ["--skip-pull-image", "--region", "us-east-1", "--parameter-overrides", f"Architecture={PROCESSOR}"]
LOGICAL_IDS = {folder: logical_id for logical_id, folder in FUNCTIONS.items()}
EXPECTATIONS = json.loads((EVENTS / EXPECTED).read_text())
ONE_EACH = {
    "send_otp": "send_otp.start-code.json",
    "confirm_action": "confirm_action.check-right.json",
    "track_delivery": next(name for name in FIXTURES if name.startswith("track_delivery.")),
    "retry_feedback": next(name for name in FIXTURES if name.startswith("retry_feedback.")),
}


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """In place of the fixture that lets sockets reach the loopback alone: containers cannot."""


def environment() -> dict[str, str]:
    """For SAM CLI: the emulators' credentials, and the Python that the layers are built with."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "HOME": str(Path.home()),
        "PATH": f"{ROOT / '.venv/bin'}:/usr/local/bin:/usr/bin:/bin",
        "SAM_CLI_TELEMETRY": "0",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((BRIDGE, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Built:
    """What was built, and the services that it is pointed at."""

    stack: Stack
    stage: Stage
    template: Path

    def options(self, **settings: str) -> list[str]:
        """For SAM CLI: the template, and the functions' variables with these in place of the usual ones."""
        client = boto3.client("secretsmanager", endpoint_url=self.stack.aws_url, region_name="us-east-1")
        [secret] = client.list_secrets()["SecretList"]
        client.close()
        variables = {
            "AWS_ENDPOINT_URL": self.stack.aws_url,
            "OTP_TABLE": self.stack.table_name,
            "OTP_SECRET_ARN": secret["ARN"],
            "OTP_PUBLIC_BASE_URL": BASE_URL,
            "OTP_TWILIO_BASE_URL": self.stack.twilio_url,
            "OTP_APP_NAME": LAPTOP["AppName"],
            "OTP_SENDER": LAPTOP["Sender"],
            "OTP_COUNTRIES": LAPTOP["Countries"],
            "OTP_HOURLY_CAP": LAPTOP["HourlyCap"],
            "OTP_STAGE": LAPTOP["Stage"],
        }
        file = self.template.parent / "variables.json"
        file.write_text(json.dumps({"Parameters": variables | settings}))
        return ["--template", str(self.template), "--env-vars", str(file)]

    @contextmanager
    def serving(self, command: str, port: int, **settings: str) -> Iterator[httpx.Client]:
        """`sam local start-api` or `start-lambda`, its containers warm, until the end of the block."""
        log = self.template.parent / f"{command}.log"
        place = ["--host", BRIDGE, "--port", str(port), "--warm-containers", "EAGER"]
        with log.open("w") as output:
            server = subprocess.Popen(
                [SAM, "local", command, *place, *self.options(**settings), *LOCAL],
                env=environment(),
                cwd=self.template.parent,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                deadline = time.monotonic() + 120
                while not listening(port):
                    if server.poll() is not None or time.monotonic() > deadline:
                        pytest.fail(log.read_text())
                    time.sleep(0.2)
                with httpx.Client(base_url=f"http://{BRIDGE}:{port}", timeout=60, trust_env=False) as client:
                    yield client
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(60)
                # SAM CLI sometimes leaves warm containers behind.
                for container in re.findall(r"SAM_CONTAINER_ID: ([0-9a-f]+)", log.read_text()):
                    subprocess.run(["docker", "rm", "--force", container], capture_output=True, timeout=60, check=False)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((BRIDGE, port)) == 0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Build for this machine's processor, and run the laptop's services where containers see them."""
    folder = tmp_path_factory.mktemp("sam")
    subprocess.run(
        [SAM, "build", "--build-dir", folder / "build", "--parameter-overrides", f"Architecture={PROCESSOR}"],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        timeout=300,
        check=True,
    )
    template = folder / "build/template.yaml"
    # SAM CLI passes on only variables that the template has.
    document = yaml.safe_load(template.read_text())
    document["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = "-"
    template.write_text(yaml.safe_dump(document, sort_keys=False))
    with Stack(bind=BRIDGE, period_s=None, delays=NEVER) as stack, closing(Stage(stack)) as stage:
        yield Built(stack, stage, template)
    shutil.rmtree(folder)


def assert_comes_to_what_is_expected(built: Built, name: str, invoke: Callable[[str, Path], Any]) -> None:
    """Seed a fixture, invoke its function with it, and check answer and table."""
    expected = EXPECTATIONS[name]
    wanted = expected["answer"]
    stage = built.stage
    stage.prepare([FIXTURES[name]])
    before = stage.items()
    answer = invoke(LOGICAL_IDS[expected["function"]], EVENTS / name)
    if "errorType" in wanted:
        assert answer["errorType"] == wanted["errorType"]
    elif "statusCode" in wanted:
        assert_answers(wanted, answer)
    else:
        assert_holds(wanted["result"], answer)
    assert (stage.items() != before) is expected["changes"]
    assert stage.messages_asked_for() == expected["messages"]


@pytest.mark.parametrize("function", sorted(ONE_EACH))
def test_sam_local_invoke(built: Built, function: str) -> None:
    def invoke(logical_id: str, event: Path) -> Any:
        done = subprocess.run(
            [SAM, "local", "invoke", logical_id, "-e", event, *built.options(), *LOCAL],
            env=environment(),
            cwd=built.template.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    assert_comes_to_what_is_expected(built, ONE_EACH[function], invoke)


@pytest.mark.parametrize("chosen", [False, True], ids=["the laptop's settings", "settings that fixtures ask for"])
def test_every_fixture_in_a_container(built: Built, chosen: bool, subtests: pytest.Subtests) -> None:
    names = [name for name, expected in EXPECTATIONS.items() if ("settings" in expected) is chosen]
    settings: dict[str, str] = {}
    for name in names:
        settings |= FIXTURES[name].settings
    with built.serving("start-lambda", free_port(), **settings) as server:

        def invoke(logical_id: str, event: Path) -> Any:
            return server.post(f"/2015-03-31/functions/{logical_id}/invocations", content=event.read_bytes()).json()

        for name in names:
            with subtests.test(name):
                assert_comes_to_what_is_expected(built, name, invoke)


def test_the_loop_through_sam_local_start_api(built: Built) -> None:
    port = free_port()
    with (
        built.serving("start-api", port, OTP_PUBLIC_BASE_URL=f"http://{BRIDGE}:{port}") as client,
        Loop(built.stack) as loop,
    ):
        to = fresh_number()
        started = accepted(client, to, "code")
        verification = f"/verifications/{started['verification_id']}"
        assert client.post(f"{verification}/check", json={"secret": loop.wrong_code(to)}).status_code == 422
        assert client.post(f"{verification}/check", json={"secret": loop.code(to)}).json()["status"] == "confirmed"
        assert loop.outcome(started["message"]["sid"]) == "confirmed"
        assert loop.deliver(started["message"]["sid"], "delivered")["response_status"] == 204
        assert client.get(verification).json()["messages"][0]["status"] == "delivered"

        to = fresh_number()
        sid = accepted(client, to, "link")["message"]["sid"]
        page = client.get("/confirm", params={"id": loop.link_id(to)})
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        assert client.head("/confirm", params={"id": loop.link_id(to)}).status_code == 200
        assert loop.outcome(sid) == "unconfirmed"
        assert client.post("/confirm", data={"id": loop.link_id(to)}).status_code == 200
        assert loop.outcome(sid) == "confirmed"


def accepted(client: httpx.Client, to: str, action: str) -> Mapping[str, Any]:
    """Start a verification."""
    answer = client.post("/verifications", json={"to": to, "action": action})
    assert answer.status_code == 202, answer.text
    started: dict[str, Any] = answer.json()
    return started
