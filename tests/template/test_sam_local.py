"""The functions as SAM CLI runs them: in containers, from the layers that were built, against the laptop's services."""

import base64
import hmac
import json
import platform
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import httpx
import pytest
import yaml

from local.aws import ACCOUNT_SID, AUTH_TOKEN
from local.stack import Stack
from local.twilio_emulator import Delays
from tests.loop.driver import Loop, fresh_number
from tests.template.expanded import ROOT

pytestmark = [pytest.mark.sam, pytest.mark.heavy]

SAM = ROOT / ".venv-sam/bin/sam"
BRIDGE = "172.17.0.1"
"""The host, as Docker's containers see it."""
PROCESSOR = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
LOCAL = ["--skip-pull-image", "--region", "us-east-1", "--parameter-overrides", f"Architecture={PROCESSOR}"]


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """In place of the fixture that lets sockets reach the loopback alone: containers cannot."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((BRIDGE, 0))
        return int(probe.getsockname()[1])


def environment() -> dict[str, str]:
    """For SAM CLI: the emulators' credentials, and the Python that the layers are built with."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "HOME": str(Path.home()),
        "PATH": f"{ROOT / '.venv/bin'}:/usr/local/bin:/usr/bin:/bin",
        "SAM_CLI_TELEMETRY": "0",
    }


@dataclass
class Deployed:
    """What was built, and the services that it is pointed at."""

    stack: Stack
    template: Path
    variables: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://{BRIDGE}:{self.port}"

    def invoke(self, function: str, event: Any) -> Any:
        """`sam local invoke`; returns the function's answer."""
        done = subprocess.run(
            [SAM, "local", "invoke", function, "--event", "-", *self.options, *LOCAL],
            input=json.dumps(event),
            env=environment(),
            cwd=self.template.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    @property
    def options(self) -> list[str]:
        return ["--template", str(self.template), "--env-vars", str(self.variables)]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Build as `sam build` does for this machine's processor, and name the emulators to the functions."""
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
    port = free_port()
    with Stack(bind=BRIDGE, period_s=None, delays=Delays(queued=0, sent=0.5, delivered=1)) as stack:
        client = boto3.client("secretsmanager", endpoint_url=stack.aws_url, region_name="us-east-1")
        [secret] = client.list_secrets()["SecretList"]
        client.close()
        values = {
            "AWS_ENDPOINT_URL": stack.aws_url,
            "OTP_TABLE": stack.table_name,
            "OTP_SECRET_ARN": secret["ARN"],
            "OTP_PUBLIC_BASE_URL": f"http://{BRIDGE}:{port}",
            "OTP_TWILIO_BASE_URL": stack.twilio_url,
            "OTP_APP_NAME": "Acme",
            "OTP_SENDER": "+14155550100",
            "OTP_COUNTRIES": "*",
            "OTP_HOURLY_CAP": "0",
        }
        variables = folder / "variables.json"
        variables.write_text(json.dumps({"Parameters": values}))
        yield Deployed(stack, template, variables, port)
    shutil.rmtree(folder)


def request(deployed: Deployed, method: str, path: str, content: Any = None, **fields: Any) -> dict[str, Any]:
    """A route's event, payload format 2.0; `fields` replace the event's own."""
    event = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "accountId": "123456789012",
            "authorizer": {"iam": {"userId": "AIDACALLER:session", "accountId": "123456789012"}},
            "domainName": f"{BRIDGE}:{deployed.port}",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": ""},
            "requestId": "request",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": False,
    }
    if content is not None:
        event["body"] = json.dumps(content)
    return event | fields


def test_each_function_runs_in_a_container(deployed: Deployed) -> None:
    to = fresh_number()
    started = deployed.invoke(
        "SendOtpFunction", request(deployed, "POST", "/verifications", {"to": to, "action": "code"})
    )
    assert started["statusCode"] == 202, started
    verification_id = json.loads(started["body"])["verification_id"]
    sid = json.loads(started["body"])["message"]["sid"]
    with Loop(deployed.stack) as loop:
        route = "/verifications/{verification_id}/check"
        checked = deployed.invoke(
            "ConfirmActionFunction",
            request(
                deployed,
                "POST",
                route,
                {"secret": loop.code(to)},
                rawPath=f"/verifications/{verification_id}/check",
                pathParameters={"verification_id": verification_id},
            ),
        )
        assert checked["statusCode"] == 200, checked
        assert deployed.invoke("RetryFeedbackFunction", {}) == {"taken": 0}
        assert loop.outcome(sid) == "confirmed"
    fields = {"AccountSid": ACCOUNT_SID, "MessageSid": sid, "MessageStatus": "delivered"}
    query = f"verification={verification_id}&message=1"
    signed = f"{deployed.url}/twilio/status?{query}" + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(AUTH_TOKEN.encode(), signed.encode(), "sha1")).decode()
    callback = deployed.invoke(
        "TrackDeliveryFunction",
        request(
            deployed,
            "POST",
            "/twilio/status",
            rawQueryString=query,
            queryStringParameters={"verification": verification_id, "message": "1"},
            headers={"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature},
            body=base64.b64encode(urlencode(fields).encode()).decode(),
            isBase64Encoded=True,
        ),
    )
    assert callback["statusCode"] == 204, callback["body"]


def test_send_otp_is_invoked_directly(deployed: Deployed) -> None:
    started = deployed.invoke("SendOtpFunction", {"to": fresh_number(), "action": "code"})
    assert started["status"] == "pending"


@contextmanager
def api(deployed: Deployed) -> Iterator[httpx.Client]:
    """`sam local start-api` until the end of the block."""
    with (deployed.template.parent / "start-api.log").open("w") as log:
        place = ["--host", BRIDGE, "--port", str(deployed.port), "--warm-containers", "EAGER"]
        server = subprocess.Popen(
            [str(SAM), "local", "start-api", *place, *deployed.options, *LOCAL],
            env=environment(),
            cwd=deployed.template.parent,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 120
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex((BRIDGE, deployed.port)) == 0:
                        break
                if server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(Path(log.name).read_text())
                time.sleep(0.2)
            with httpx.Client(base_url=deployed.url, timeout=60, trust_env=False) as client:
                yield client
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


def test_the_loop_runs_through_start_api(deployed: Deployed) -> None:
    with api(deployed) as client, Loop(deployed.stack) as loop:
        to = fresh_number()
        started = client.post("/verifications", json={"to": to, "action": "code"})
        assert started.status_code == 202, started.text
        verification = f"/verifications/{started.json()['verification_id']}"
        sid = started.json()["message"]["sid"]
        assert client.post(f"{verification}/check", json={"secret": loop.wrong_code(to)}).status_code == 422
        assert client.post(f"{verification}/check", json={"secret": loop.code(to)}).json()["status"] == "confirmed"
        assert loop.outcome(sid) == "confirmed"
        deadline = time.monotonic() + 30
        while client.get(verification).json()["messages"][0]["status"] != "delivered":
            assert time.monotonic() < deadline
            time.sleep(0.5)

        to = fresh_number()
        started = client.post("/verifications", json={"to": to, "action": "link"})
        assert started.status_code == 202, started.text
        page = client.get("/confirm", params={"id": loop.link_id(to)})
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        assert client.head("/confirm", params={"id": loop.link_id(to)}).status_code == 200
        assert loop.outcome(started.json()["message"]["sid"]) == "unconfirmed"
        assert re.search(r"<form[^>]*method=\"?post", page.text, re.IGNORECASE)
        assert client.post("/confirm", data={"id": loop.link_id(to)}).status_code == 200
        assert loop.outcome(started.json()["message"]["sid"]) == "confirmed"
