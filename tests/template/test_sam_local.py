"""The functions as SAM CLI runs them: in containers, from the layers that were built, against the laptop's services."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import sam
from local.invoke import NEVER, build
from local.stack import PORTS, Stack
from local.stage import BASE_URL, EVENTS, SETTINGS, STAGES
from tests.events.conftest import Scene
from tests.events.outcomes import OUTCOMES, read_event
from tests.events.test_events import assert_answers, function_of
from tests.loop.driver import Loop, fresh_number
from tests.template.expanded import FUNCTIONS, ROOT

pytestmark = [pytest.mark.sam, pytest.mark.heavy]

BRIDGE = sam.docker_gateway()
PROCESSOR = ["--parameter-overrides", f"Architecture={sam.ARCHITECTURE}"]
LOGICAL_IDS = {folder: logical_id for logical_id, folder in FUNCTIONS.items()}


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """In place of the fixture that lets sockets reach the loopback alone: containers cannot."""


def environment() -> dict[str, str]:
    """For SAM CLI, in a shell of one's own: credentials and a region that are not the laptop's."""
    own = {"AWS_ACCESS_KEY_ID": "another", "AWS_SECRET_ACCESS_KEY": "another", "AWS_DEFAULT_REGION": "eu-central-1"}
    return {**sam.environment(os.environ), **own, "AWS_REGION": "eu-central-1"}


def sam_local(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What became of `sam local ...`, run at the project's root."""
    return subprocess.run(
        [sam.SAM, "local", *arguments],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind((BRIDGE, 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@dataclass(frozen=True)
class Built:
    """What was built, and the services that it is pointed at."""

    stack: Stack
    scene: Scene
    folder: Path

    @contextmanager
    def serving(self, command: str, port: int, **settings: str) -> Iterator[httpx.Client]:
        """`sam local start-api` or `start-lambda`, its containers warm, until the end of the block."""
        log, variables = self.folder / f"{command}.log", self.folder / "variables.json"
        sam.write({**(sam.container_variables(self.stack) or {}), **settings}, variables)
        place = ["--host", BRIDGE, "--port", str(port), "--env-vars", str(variables)]
        with log.open("w") as output:
            server = subprocess.Popen(
                # A shell's background job ignores SIGINT, and so would SAM CLI.
                ["env", "--default-signal=INT", sam.SAM, "local", command, *place, *PROCESSOR],
                env=environment(),
                cwd=ROOT,
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
    """Build, and run the laptop's services where containers see them, with the address that events are signed for."""
    build(os.environ)
    settings = {"OTP_PUBLIC_BASE_URL": BASE_URL}
    with (
        Stack(bind=BRIDGE, period_s=None, delays=NEVER, settings=settings) as stack,
        closing(Scene(stack)) as scene,
    ):
        yield Built(stack, scene, tmp_path_factory.mktemp("sam"))


def assert_comes_to_what_is_expected(built: Built, name: str, invoke: Callable[[str, Path], Any]) -> None:
    """Set the stage for an event, invoke its function with it, and check answer and table."""
    expected, scene = OUTCOMES[name], built.scene
    scene.prepare(STAGES.get(name, ()))
    before = scene.items()
    assert_answers(expected, invoke(LOGICAL_IDS[function_of(read_event(name))], EVENTS / f"{name}.json"))
    assert (scene.items() != before) is expected.changes
    assert scene.messages_asked_for() == expected.messages


def test_make_invoke_needs_nothing_but_its_words() -> None:
    name = "message-confirmed"
    words = ["FUNCTION=ConfirmActionFunction", f"EVENT=events/{name}.json"]
    done = subprocess.run(
        ["make", "invoke", *words],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_answers(OUTCOMES[name], json.loads(done.stdout))


@contextmanager
def dev(**variables: str) -> Iterator[Mapping[str, str]]:
    """`make dev` until the end of the block; the variables that it leaves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "dev"],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        while "Ctrl-C" not in (line := process.stdout.readline()):
            assert line, "it ended"
        yield json.loads(sam.VARIABLES.read_text())["Parameters"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()


@pytest.mark.usefixtures("built")
def test_sam_local_uses_the_stack_of_make_dev_and_nothing_else() -> None:
    event = ["SendOtpFunction", "--event", "events/start-code-accepted.json"]
    ports = {name: str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    with dev(OTP_BIND=BRIDGE, **ports) as variables:
        assert variables["AWS_ENDPOINT_URL"] == f"http://{BRIDGE}:{ports['OTP_AWS_PORT']}"
        done = sam_local("invoke", *event, "--env-vars", ".cache/sam-local.json", *PROCESSOR)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert_answers(OUTCOMES["start-code-accepted"], answer)
        with httpx.Client(trust_env=False, timeout=20) as client:
            [message] = client.get(f"{variables['OTP_TWILIO_BASE_URL']}/_emulator/messages").json()
        assert message["sid"] == json.loads(answer["body"])["message"]["sid"]
    assert not sam.VARIABLES.exists()
    for command in (["invoke", *event], ["start-api"], ["start-lambda"]):
        refused = sam_local(*command, *PROCESSOR)
        assert refused.returncode == 2
        assert "'.cache/sam-local.json' does not exist" in refused.stderr


@pytest.mark.parametrize("chosen", [False, True], ids=["the laptop's settings", "settings that events ask for"])
def test_every_event_in_a_container(built: Built, chosen: bool, subtests: pytest.Subtests) -> None:
    names = [name for name in OUTCOMES if (name in SETTINGS) is chosen]
    settings: dict[str, str] = {}
    for name in names:
        settings |= SETTINGS.get(name, {})
    with built.serving("start-lambda", free_ports(1)[0], **settings) as server:

        def invoke(logical_id: str, event: Path) -> Any:
            return server.post(f"/2015-03-31/functions/{logical_id}/invocations", content=event.read_bytes()).json()

        for name in names:
            with subtests.test(name):
                assert_comes_to_what_is_expected(built, name, invoke)


def test_the_loop_through_sam_local_start_api(built: Built) -> None:
    [port] = free_ports(1)
    with (
        built.serving(
            "start-api", port, OTP_PUBLIC_BASE_URL=f"http://{BRIDGE}:{port}", OTP_UNSIGNED_CALLERS="true"
        ) as client,
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
