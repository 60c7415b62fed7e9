"""The recipes of docs/recipes, run against the laptop stack."""

import base64
import hashlib
import hmac
import importlib.util
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from local.stack import Stack

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
SID = "SM" + "c0ffee" * 5 + "00"
HOOK_SECRET = "v1,whsec_" + base64.b64encode(b"a secret of the hook's own").decode()

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack() as running:
        yield running


def feedback(stack: Stack, number: str) -> list[str]:
    messages = httpx.get(f"{stack.twilio_url}/_emulator/messages").json()
    return [each["feedback"] for each in messages if each["to"] == number]


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", RECIPES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def node(script: str) -> Any:
    ran = subprocess.run(
        ["node", "--input-type=module", "--eval", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.strip().splitlines()[-1])


def test_cognito_sends_its_code_and_tells_of_success(stack, monkeypatch):
    for name, value in {
        "OTP_API": stack.api_url,
        "USERS_TABLE": "users",
        "AWS_ENDPOINT_URL": stack.aws_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("dynamodb").create_table(
        TableName="users",
        KeySchema=[{"AttributeName": "sub", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "sub", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    cognito = load("cognito")
    cognito.decrypt = lambda code: base64.b64decode(code).decode()
    user = {"sub": "a1b2", "phone_number": "+4915130000001"}
    code = base64.b64encode(b"482913").decode()

    event = {"triggerSource": "CustomSMSSender_Authentication", "request": {"code": code, "userAttributes": user}}
    assert cognito.custom_sms_sender(event, None) is event
    assert feedback(stack, user["phone_number"]) == ["unconfirmed"]
    cognito.post_authentication({"request": {"userAttributes": user}}, None)
    assert feedback(stack, user["phone_number"]) == ["confirmed"]


def test_cognito_lets_a_user_in_whose_feedback_fails(stack, monkeypatch):
    monkeypatch.setenv("OTP_API", stack.api_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    cognito = load("cognito")

    class Users:
        def get_item(self, **_: Any) -> Any:
            return {"Item": {"verification": "unknown"}}

    cognito.table = Users
    event = {"request": {"userAttributes": {"sub": "a1b2"}}}
    assert cognito.post_authentication(event, None) is event


@needs_node
@pytest.mark.parametrize(("secret", "status"), [(HOOK_SECRET, 200), ("v1,whsec_bm90IGl0", 401)])
def test_supabase_sends_its_code_and_tells_of_success(stack, secret, status):
    number = "+491513000001" + str(status % 7)
    body = json.dumps({"user": {"id": "6481a5c1", "phone": number.removeprefix("+")}, "sms": {"otp": "561166"}})
    at = str(int(time.time()))
    key = base64.b64decode(HOOK_SECRET.removeprefix("v1,whsec_"))
    signature = base64.b64encode(hmac.new(key, f"msg_1.{at}.{body}".encode(), hashlib.sha256).digest()).decode()
    answer = node(
        f"""
        import {{ sendSmsHook, confirmed }} from {json.dumps((RECIPES / "supabase.mjs").as_uri())};
        const env = {{ OTP_API: {json.dumps(stack.api_url)}, HOOK_SECRET: {json.dumps(secret)},
                       token: async () => "eyJhbGciOiJub25lIn0.eyJzdWIiOiJob29rIn0.", verifications: new Map() }};
        const headers = {{ "webhook-id": "msg_1", "webhook-timestamp": "{at}", "webhook-signature": "v1,{signature}" }};
        const request = new Request("http://hook/", {{ method: "POST", headers, body: {json.dumps(body)} }});
        const response = await sendSmsHook(request, env);
        await confirmed("6481a5c1", env);
        console.log(JSON.stringify({{ status: response.status, body: await response.text() }}));
        """
    )
    assert answer == {"status": status, "body": "{}"}
    assert feedback(stack, number) == (["confirmed"] if status == 200 else [])


@needs_node
def test_auth0_sends_its_code_and_tells_of_success(stack):
    number = "+4915130000030"
    dropped = node(
        f"""
        import {{ createRequire }} from "node:module";
        const actions = createRequire(import.meta.url)({json.dumps(str(RECIPES / "auth0.cjs"))});
        const store = new Map(), dropped = [];
        const api = {{ notification: {{ drop: (why) => dropped.push(why), retry: (why) => dropped.push(why) }} }};
        const event = {{
          secrets: {{ OTP_API: {json.dumps(stack.api_url)}, OTP_TOKEN: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhMCJ9." }},
          user: {{ user_id: "auth0|1" }},
          notification: {{ recipient: "{number}", code: "908172", delivery_method: "text" }},
          authentication: {{ methods: [{{ name: "mfa" }}] }},
        }};
        await actions.onExecuteCustomPhoneProvider(event, api, store);
        await actions.onExecutePostLogin(event, api, store);
        const voice = {{ ...event, notification: {{ ...event.notification, delivery_method: "voice" }} }};
        await actions.onExecuteCustomPhoneProvider(voice, api, store);
        console.log(JSON.stringify(dropped));
        """
    )
    assert dropped == ["only codes by text go this way"]
    assert feedback(stack, number) == ["confirmed"]


def test_step_functions_passes_what_the_function_takes(stack):
    document = (RECIPES / "step-functions.asl.json").read_text()
    send = json.loads(document)["States"]["Send"]
    values = {"$.phone": "+4915130000040", "$.order": "order:17", "$$.Execution.Name": "execution-1"}
    payload = {
        name.removesuffix(".$"): values[value] if name.endswith(".$") else value
        for name, value in send["Parameters"]["Payload"].items()
    }
    first, again = stack.invoke("send_otp", payload), stack.invoke("send_otp", payload)
    assert first == again
    assert set(re.findall(r"\$\.Payload\.(\w+)", document)) <= first.keys()
    assert feedback(stack, "+4915130000040") == ["unconfirmed"]


def test_a_message_of_your_own_needs_two_calls(stack):
    answer = httpx.post(
        f"{stack.api_url}/verifications", json={"to": "+4915130000050", "action": "caller", "sid": SID}
    ).json()
    confirmed = httpx.post(f"{stack.api_url}/verifications/{answer['verification_id']}/confirm", json={})
    assert confirmed.json()["proof"] == "caller"


def test_your_own_tests_read_what_the_user_received(stack):
    otp = load("your_conftest").Otp(stack)
    answer = httpx.post(f"{otp.url}/verifications", json={"to": "+4915130000060", "action": "code"}).json()
    checked = httpx.post(
        f"{otp.url}/verifications/{answer['verification_id']}/check", json={"secret": otp.code_for("+4915130000060")}
    )
    assert checked.json()["status"] == "confirmed"


def test_the_packaged_templates_parameters_exist():
    template = (Path(__file__).parents[2] / "template.yaml").read_text()
    for recipe in ("main.tf", "cdk_stack.py"):
        for name in ("AppName", "Sender", "Countries", "ApiUrl"):
            assert name in (RECIPES / recipe).read_text()
            assert re.search(rf"^  {name}:$", template, re.MULTILINE)
