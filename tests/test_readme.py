"""The README's examples are run as they stand there, against the laptop stack."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jmespath
import pytest
from werkzeug.wrappers import Request, Response

from local.servers import Listener
from local.stack import Stack
from tests.template.expanded import source

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
MAKEFILES = [PROJECT / "Makefile", *PROJECT.glob("*/targets.mk"), *PROJECT.glob("tests/*/targets.mk")]
NUMBER = "+4915112345678"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "AWS_REGION": "eu-west-1"}
TOKEN = {"AWS_SESSION_TOKEN": "a token+/="}
AWS4FETCH = """
// Stands in for the package: notes what it is made with, and sends what it is given.
export class AwsClient {
  constructor(options) { console.log(JSON.stringify(options)); }
  fetch(url, init) {
    console.log(JSON.stringify({ url, key: init.headers["Idempotency-Key"], ...JSON.parse(init.body) }));
    return fetch(url, init);
  }
}
"""
SLEEP = """#!/bin/sh
exec curl -sS "$API/_local/clock" -H 'Content-Type: application/json' -d "{\\"advance_s\\": $1}" -o /dev/null
"""
DAY_S = 86_400
API_GATEWAY_S = 30
"""An HTTP API's longest integration timeout (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)."""

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


def blocks(heading: str, language: str) -> list[str]:
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


BY_EXAMPLE = blocks("The API by example", "bash")
SHOWN = [line for block in blocks("The API by example", "json") for line in block.splitlines()]
DEPLOYMENT, SIGNED = blocks("First deployment", "bash")
[PYTHON] = blocks("First deployment", "python")
[TYPESCRIPT] = blocks("First deployment", "typescript")


@pytest.fixture(scope="module")
def _stack() -> Iterator[Stack]:
    with Stack() as running:
        yield running


@pytest.fixture
def stack(_stack: Stack) -> Stack:
    """A running stack, whose users have received nothing yet today."""
    httpx.delete(f"{_stack.twilio_url}/_emulator")
    _stack.clock.advance(DAY_S)
    return _stack


def code(stack: Stack) -> str:
    """The code in the newest message."""
    *_, newest = httpx.get(f"{stack.twilio_url}/_emulator/messages").json()
    assert newest["to"] == NUMBER
    found = re.search(r"\b[0-9]{6}\b", newest["body"])
    assert found is not None
    return found[0]


def environment(**more: str) -> dict[str, str]:
    """That of whoever copies an example: no variable of AWS's but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "NO_PROXY": "*", **more}


def run(shell: str, script: str, **variables: str) -> str:
    ran = subprocess.run(
        [shell, "-c", script], env=environment(**variables), capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def keys(text: str) -> set[str]:
    return set(re.findall(r'"(\w+)":', text))


SHELLS = [shell for shell in ("bash", "zsh") if shutil.which(shell)]


@needs_curl
@pytest.mark.parametrize("shell", SHELLS)
def test_the_api_by_example(stack, shell, tmp_path):
    sleep = tmp_path / "sleep"
    sleep.write_text(SLEEP)
    sleep.chmod(0o755)
    pasted = "".join(BY_EXAMPLE)
    for on_a_laptop, here in (("http://127.0.0.1:8080", stack.api_url), ("http://127.0.0.1:8081", stack.twilio_url)):
        assert pasted.count(on_a_laptop) == 1
        pasted = pasted.replace(on_a_laptop, here)
    ran = subprocess.run(
        [shell],
        input=pasted,
        env=environment(API=stack.api_url, PATH=f"{tmp_path}:{os.environ['PATH']}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [answer["status"] for answer in answers] == [*["pending"] * 2, *["confirmed"] * 2, "pending", "confirmed"]
    started, again, confirmed, view, registered, seen = answers
    assert started["verification_id"] == again["verification_id"] == view["verification_id"]
    assert (again["message"]["number"], confirmed["message"], view["message"]) == (2, 2, 2)
    assert (confirmed["proof"], seen["proof"]) == ("secret", "caller")
    assert registered["verification_id"] == seen["verification_id"]
    wrong = httpx.post(
        f"{stack.api_url}/verifications/{start(stack)}/check", json={"secret": "none", "expect": {"to": NUMBER}}
    )
    assert [keys(shown) for shown in SHOWN] == [keys(json.dumps(each)) for each in (started, confirmed, wrong.json())]


def start(stack: Stack) -> str:
    """Another verification of the number; its id."""
    stack.clock.advance(30)
    answer = httpx.post(f"{stack.api_url}/verifications", json={"to": NUMBER, "action": "code"})
    return str(answer.json()["verification_id"])


@needs_curl
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("token", [{}, TOKEN])
def test_curl_signs_for_the_region_and_sends_the_session_token_where_there_is_one(shell, token):
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        request.get_data()
        seen.append(request)
        return Response("{}", 202, mimetype="application/json")

    listener = Listener()
    listener.serve(Request.application(answer))
    try:
        run(shell, SIGNED, API=listener.url, **KEYS, **token)
    finally:
        listener.stop()
    [request] = seen
    assert (request.method, request.path) == ("POST", "/verifications")
    assert json.loads(request.get_data()) == {"to": NUMBER, "action": "code"}
    assert re.fullmatch(r"login-[0-9]+", request.headers["Idempotency-Key"])
    signature = request.headers["Authorization"]
    assert re.match(r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/[0-9]{8}/eu-west-1/execute-api/aws4_request", signature)
    assert request.headers.get("X-Amz-Security-Token") == token.get("AWS_SESSION_TOKEN")
    assert ("x-amz-security-token" in signature) is bool(token)


@needs_curl
def test_curl_starts_a_verification(stack):
    answer = json.loads(run("bash", SIGNED, API=stack.api_url, **KEYS, **TOKEN))
    assert answer["status"] == "pending"
    assert code(stack)


def test_python(stack):
    with subprocess.Popen(
        [sys.executable, "-c", PYTHON],
        env=environment(API=stack.api_url, **KEYS),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(len("Code: ")) == "Code: "
        shown, errors = process.communicate(code(stack) + "\n", timeout=30)
    assert process.returncode == 0, errors
    assert "'status': 'confirmed'" in shown


def javascript(typescript: str) -> str:
    """TypeScript as far as the example goes: without `: type` of a parameter, and without `!` after a value."""
    typed = typescript.replace("path: string, body: unknown", "path, body")
    return re.sub(r"!(?=,$)", "", typed, flags=re.MULTILINE)


@needs_node
def test_typescript(stack, tmp_path):
    package = tmp_path / "node_modules" / "aws4fetch"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "aws4fetch", "type": "module", "exports": "./index.js"}')
    (package / "index.js").write_text(AWS4FETCH)
    script = tmp_path / "example.mjs"
    script.write_text(javascript(TYPESCRIPT))
    with subprocess.Popen(
        ["node", str(script)],
        env=environment(API=stack.api_url, **KEYS, **TOKEN),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        options, started = (json.loads(process.stdout.readline()) for _ in range(2))
        assert process.stdout.read(len("Code: ")) == "Code: "
        shown, errors = process.communicate(code(stack) + "\n", timeout=30)
    assert process.returncode == 0, errors
    checked, _, answer = shown.partition("\n")
    assert options == {
        "accessKeyId": KEYS["AWS_ACCESS_KEY_ID"],
        "secretAccessKey": KEYS["AWS_SECRET_ACCESS_KEY"],
        "sessionToken": TOKEN["AWS_SESSION_TOKEN"],
        "service": "execute-api",
        "region": KEYS["AWS_REGION"],
        "retries": 0,
    }
    assert started["url"] == f"{stack.api_url}/verifications"
    assert json.loads(checked)["expect"] == {"to": NUMBER, "reference": started["reference"]}
    assert json.loads(checked)["key"] != started["key"]
    assert "status: 'confirmed'" in answer


@pytest.mark.parametrize(
    "example", ["".join(BY_EXAMPLE), SIGNED, PYTHON, TYPESCRIPT], ids=["API", "curl", "Python", "TS"]
)
def test_an_example_waits_longer_than_the_api_and_gives_an_idempotency_key(example):
    slowest = max(source()["Globals"]["Function"]["Timeout"], API_GATEWAY_S)
    [waits] = re.findall(r"(?:--max-time |timeout=|timeout\()([0-9]+)", example)
    assert int(waits) > slowest
    assert "Idempotency-Key" in example
    assert ("/check" in example) is ("expect" in example)


@pytest.mark.parametrize(
    "example", ["".join(BY_EXAMPLE), SIGNED, PYTHON, TYPESCRIPT], ids=["API", "curl", "Python", "TS"]
)
def test_an_example_fits_a_screen(example):
    assert len([line for line in example.splitlines() if line]) <= 24


def test_the_commands_of_the_first_deployment_are_targets():
    targets = {name for path in MAKEFILES for name in re.findall(r"^([a-z-]+):", path.read_text(), re.MULTILINE)}
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE)) <= targets
    named = re.findall(r"^(make|export|eval)", DEPLOYMENT, re.MULTILINE)
    assert named == ["export", "eval", "make", "make", "make", "export"]
    # The examples' number is in a country that the stack sends to.
    assert "COUNTRIES=DE," in DEPLOYMENT
    # Pasted into zsh, a comment is a command or a part of one; and both shells take ! for history.
    assert not set("#!") & set(DEPLOYMENT + SIGNED + "".join(BY_EXAMPLE))


def test_the_address_is_read_from_the_outputs():
    [query] = re.findall(r'--query "([^"]+)"', DEPLOYMENT)
    outputs: list[Any] = [
        {"OutputKey": "ApiId", "OutputValue": "a1b2"},
        {"OutputKey": "ApiUrl", "OutputValue": "https://otp.example.com"},
    ]
    assert jmespath.search(query, {"Stacks": [{"Outputs": outputs}]}) == ["https://otp.example.com"]
