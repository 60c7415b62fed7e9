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

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
MAKEFILES = [PROJECT / "Makefile", *PROJECT.glob("*/targets.mk"), *PROJECT.glob("tests/*/targets.mk")]
NUMBER = "+4915112345678"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "AWS_REGION": "eu-west-1"}
TOKEN = {"AWS_SESSION_TOKEN": "a token+/="}
AWS4FETCH = """
// Stands in for the package: notes what it is made with, and sends what it is given, with the code that the user got.
export class AwsClient {
  constructor(options) { console.log(JSON.stringify(options)); }
  async fetch(url, init) {
    const sent = await (await fetch(process.env.TWILIO + "/_emulator/messages")).json();
    const code = sent.length ? /\\b[0-9]{6}\\b/.exec(sent.at(-1).body)[0] : "";
    const response = await fetch(url, { ...init, body: init.body.replace("123456", code) });
    console.log(JSON.stringify({ url, ...(await response.clone().json()) }));
    return response;
  }
}
"""

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


def blocks(heading: str, language: str) -> list[str]:
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


[BY_EXAMPLE] = blocks("The API by example", "bash")
DEPLOYMENT, SIGNED = blocks("First deployment", "bash")
[PYTHON] = blocks("First deployment", "python")
[TYPESCRIPT] = blocks("First deployment", "typescript")


@pytest.fixture(scope="module")
def _stack() -> Iterator[Stack]:
    with Stack(parameters={"MessageIntervalSeconds": "0", "HourlyLimit": "10"}) as running:
        yield running


@pytest.fixture
def stack(_stack: Stack) -> Stack:
    """A running stack, whose users have received nothing yet."""
    httpx.delete(f"{_stack.twilio_url}/_emulator")
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


def steps() -> Iterator[tuple[str, list[str]]]:
    """Each command of the API by example, and the answers that the comments after it show."""
    command, answers = "", []
    for line in BY_EXAMPLE.replace("\\\n", " ").splitlines():
        if re.match(r"# [0-9]{3} ", line):
            answers.append(line.removeprefix("# "))
        elif line and not line.startswith("#"):
            if command:
                yield command, answers
            command, answers = line, []
    yield command, answers


def assert_shown(answer: str, shown: str) -> None:
    """An answer that curl wrote with its status is one that a comment shows."""
    body, _, status = answer.rpartition("\n")
    assert status == shown[:3], answer
    assert keys(shown) <= keys(body), answer


@needs_curl
def test_the_api_by_example(stack):
    variables = {"API": stack.api_url}
    asked, statuses, last = [], [], ""
    for command, answers in steps():
        name, given, value = command.partition("=")
        if given and name.isupper():
            if name != "API":
                assert len(value) == len(json.loads(last)["verification_id"])
                variables[name] = json.loads(last)["verification_id"]
            continue
        curl = command + " -w '\\n%{http_code}'"
        shown = sorted(answers)
        if "/check" in command:
            assert_shown(run("bash", curl, **variables), shown.pop())
            curl = curl.replace("123456", code(stack))
        answer = run("bash", curl, **variables)
        for each in shown:
            assert_shown(answer, each)
        last, _, status = answer.rpartition("\n")
        asked.append(command)
        statuses.append(int(status))
    assert statuses == [202, 202, 200, 200, 202, 200], asked
    assert json.loads(last)["proof"] == "caller"


SHELLS = [shell for shell in ("bash", "zsh") if shutil.which(shell)]


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
    typed = re.sub(r"\(path: string, body: unknown\)", "(path, body)", typescript)
    return re.sub(r"!(?=,$)", "", typed, flags=re.MULTILINE)


@needs_node
def test_typescript(stack, tmp_path):
    package = tmp_path / "node_modules" / "aws4fetch"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "aws4fetch", "type": "module", "exports": "./index.js"}')
    (package / "index.js").write_text(AWS4FETCH)
    script = tmp_path / "example.mjs"
    script.write_text(javascript(TYPESCRIPT))
    variables = {"API": stack.api_url, "TWILIO": stack.twilio_url, **KEYS, **TOKEN}
    options, started, confirmed = map(json.loads, run("bash", f"node {script}", **variables).splitlines())
    assert options == {
        "accessKeyId": KEYS["AWS_ACCESS_KEY_ID"],
        "secretAccessKey": KEYS["AWS_SECRET_ACCESS_KEY"],
        "sessionToken": TOKEN["AWS_SESSION_TOKEN"],
        "service": "execute-api",
        "region": KEYS["AWS_REGION"],
    }
    assert started["url"] == f"{stack.api_url}/verifications"
    assert confirmed["status"] == "confirmed"


@pytest.mark.parametrize("example", [SIGNED, PYTHON, TYPESCRIPT])
def test_an_example_has_at_most_twenty_lines(example):
    assert len([line for line in example.splitlines() if line]) <= 20


def test_the_commands_of_the_first_deployment_are_targets():
    targets = {name for path in MAKEFILES for name in re.findall(r"^([a-z-]+):", path.read_text(), re.MULTILINE)}
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE)) <= targets
    named = re.findall(r"^(make|export|eval)", DEPLOYMENT, re.MULTILINE)
    assert named == ["export", "eval", "make", "make", "make", "export"]
    # The examples' number is in a country that the stack sends to.
    assert "COUNTRIES=DE," in DEPLOYMENT
    # Pasted into zsh, a comment behind a command is part of it.
    assert "#" not in DEPLOYMENT + SIGNED


def test_the_address_is_read_from_the_outputs():
    [query] = re.findall(r'--query "([^"]+)"', DEPLOYMENT)
    outputs: list[Any] = [
        {"OutputKey": "ApiId", "OutputValue": "a1b2"},
        {"OutputKey": "ApiUrl", "OutputValue": "https://otp.example.com"},
    ]
    assert jmespath.search(query, {"Stacks": [{"Outputs": outputs}]}) == ["https://otp.example.com"]
