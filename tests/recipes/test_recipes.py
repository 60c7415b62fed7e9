"""The recipes of docs/recipes, run against the laptop stack."""

import base64
import hashlib
import hmac
import html
import importlib.util
import itertools
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local.stack import Stack
from otp_feedback.adapters.web.problems import STATUS
from otp_feedback.domain.errors import Unavailable
from tests.loop.table import stack_in_memory
from tests.template.expanded import source

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
SID = "SM" + "c0ffee" * 5 + "00"
HOOK_SECRET = "v1,whsec_" + base64.b64encode(b"a secret of the hook's own").decode()

COGNITOS_CODE = "482913"
LEAK = "what an error says of +4915130000099 and its code"

numbers = itertools.count(10)

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with stack_in_memory() as running:
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


@pytest.fixture
def cognito(stack, monkeypatch) -> Any:
    """The recipe with an empty table of its own, in a user pool whose codes are in base64."""
    users = f"users-{next(numbers)}"
    for name, value in {
        "OTP_API": stack.api_url,
        "USERS_TABLE": users,
        "AWS_ENDPOINT_URL": stack.aws_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("dynamodb").create_table(
        TableName=users,
        KeySchema=[{"AttributeName": "sub", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "sub", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    recipe = load("cognito")
    # The laptop may be busy; the limits of time are for Cognito.
    recipe.TABLE, recipe.CONFIRM_S = None, 10.0
    recipe.decrypt = lambda code: base64.b64decode(code).decode()
    return recipe


def sending(number: str, source: str = "Authentication") -> dict[str, Any]:
    """Cognito's event for its custom SMS sender."""
    user = {"sub": "a1b2", "phone_number": number}
    return {
        "triggerSource": f"CustomSMSSender_{source}",
        "request": {"code": base64.b64encode(COGNITOS_CODE.encode()).decode(), "userAttributes": user},
    }


SIGNED_IN: dict[str, Any] = {"request": {"userAttributes": {"sub": "a1b2"}}}


def rows(cognito: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cognito.table().scan()["Items"]
    return found


def test_cognito_sends_its_code_and_tells_of_success(stack, cognito):
    number = "+4915130000001"
    event = sending(number)
    assert cognito.custom_sms_sender(event, None) is event
    assert feedback(stack, number) == ["unconfirmed"]
    assert cognito.post_authentication(SIGNED_IN, None) is SIGNED_IN
    assert feedback(stack, number) == ["confirmed"]


def test_cognitos_row_is_kept_for_ten_minutes_and_goes_when_it_was_used(cognito):
    cognito.custom_sms_sender(sending("+4915130000002"), None)
    [row] = rows(cognito)
    assert row.keys() == {"sub", "verification", "expires_at"}
    assert 590 < int(row["expires_at"]) - time.time() <= 600
    cognito.post_authentication(SIGNED_IN, None)
    assert rows(cognito) == []


def test_a_row_that_dynamodb_has_not_yet_deleted_is_not_used(stack, cognito):
    number = "+4915130000003"
    cognito.KEPT_S = 0
    cognito.custom_sms_sender(sending(number), None)
    cognito.post_authentication(SIGNED_IN, None)
    assert feedback(stack, number) == ["unconfirmed"]
    assert len(rows(cognito)) == 1


def test_the_row_of_a_newer_code_is_not_deleted_with_the_used_one(cognito):
    cognito.custom_sms_sender(sending("+4915130000004"), None)
    send = cognito.call

    def overtaken(*arguments: Any) -> Any:
        cognito.call = send
        cognito.custom_sms_sender(sending("+4915130000005"), None)
        return send(*arguments)

    [used] = rows(cognito)
    cognito.call = overtaken
    cognito.post_authentication(SIGNED_IN, None)
    [newer] = rows(cognito)
    assert newer["verification"] != used["verification"]


@pytest.mark.parametrize(
    "source", ["SignUp", "ResendCode", "ForgotPassword", "UpdateUserAttribute", "VerifyUserAttribute"]
)
def test_a_code_for_something_else_than_signing_in_is_sent_and_not_confirmed(stack, cognito, source):
    number = f"+49151300002{next(numbers):02}"
    cognito.custom_sms_sender(sending(number, source), None)
    assert rows(cognito) == []
    cognito.post_authentication(SIGNED_IN, None)
    assert feedback(stack, number) == ["unconfirmed"]


def test_a_code_for_a_number_that_is_added_goes_to_the_events_number(stack, cognito):
    number = f"+49151300002{next(numbers):02}"
    cognito.custom_sms_sender(sending(number, "UpdateUserAttribute"), None)
    [message] = [each for each in httpx.get(f"{stack.twilio_url}/_emulator/messages").json() if each["to"] == number]
    assert COGNITOS_CODE in message["body"]


def test_a_temporary_password_of_cognitos_is_sent_as_it_was_made(stack, cognito):
    number, password = "+4915130000007", "vK3$<w>!r9&Q'"
    event = sending(number, "AdminCreateUser")
    event["request"]["code"] = base64.b64encode(html.escape(password).encode()).decode()
    cognito.custom_sms_sender(event, None)
    [message] = [each for each in httpx.get(f"{stack.twilio_url}/_emulator/messages").json() if each["to"] == number]
    assert password in message["body"]


def no_answer(*_: Any, **__: Any) -> Any:
    raise TimeoutError(LEAK)


def refusal(*_: Any, **__: Any) -> Any:
    raise HTTPError("https://api.example.com/", 503, LEAK, Message(), None)


def lost_connection(*_: Any, **__: Any) -> Any:
    raise EndpointConnectionError(endpoint_url=LEAK)


def throttled(*_: Any, **__: Any) -> Any:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": LEAK}}, "GetItem")


class BrokenTable:
    """A table of which one operation fails."""

    def __init__(self, table: Any, operation: str, failure: Callable[..., Any]) -> None:
        self._table = table
        setattr(self, operation, failure)

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._table, operation)


@pytest.mark.parametrize("failure", [lost_connection, throttled])
@pytest.mark.parametrize("operation", ["put_item", "get_item", "delete_item"])
def test_cognito_lets_a_user_in_whatever_the_table_does(stack, cognito, caplog, operation, failure):
    number = f"+49151300001{next(numbers):02}"
    broken = BrokenTable(cognito.table(), operation, failure)
    cognito.table = lambda: broken
    event = sending(number)
    assert cognito.custom_sms_sender(event, None) is event
    assert cognito.post_authentication(SIGNED_IN, None) is SIGNED_IN
    assert feedback(stack, number) == ["confirmed" if operation == "delete_item" else "unconfirmed"]
    [logged] = caplog.messages
    assert " failed: " in logged
    assert_nothing_leaks(caplog, number)


@pytest.mark.parametrize("failure", [no_answer, refusal])
def test_cognito_lets_a_user_in_whatever_the_api_does(cognito, caplog, failure):
    number = f"+49151300001{next(numbers):02}"
    event = sending(number)
    send, cognito.call = cognito.call, failure
    assert cognito.custom_sms_sender(event, None) is event
    assert rows(cognito) == []
    cognito.call = send
    cognito.custom_sms_sender(event, None)
    cognito.call = failure
    assert cognito.post_authentication(SIGNED_IN, None) is SIGNED_IN
    assert len(rows(cognito)) == 1
    assert [each.split(" failed: ")[0] for each in caplog.messages] == ["sending", "confirming"]
    assert_nothing_leaks(caplog, number)


@pytest.mark.parametrize("missing", ["OTP_API", "USERS_TABLE"])
def test_cognito_lets_a_user_in_where_the_recipe_is_deployed_wrongly(cognito, monkeypatch, missing):
    cognito.custom_sms_sender(sending(f"+49151300001{next(numbers):02}"), None)
    monkeypatch.delenv(missing)
    event = sending(f"+49151300001{next(numbers):02}")
    assert cognito.custom_sms_sender(event, None) is event
    assert cognito.post_authentication(SIGNED_IN, None) is SIGNED_IN


def test_cognito_lets_a_user_in_whose_code_cannot_be_decrypted(stack, cognito, caplog):
    number = f"+49151300001{next(numbers):02}"
    cognito.decrypt = no_answer
    event = sending(number)
    assert cognito.custom_sms_sender(event, None) is event
    assert feedback(stack, number) == []
    assert caplog.messages == ["sending failed: TimeoutError "]


def assert_nothing_leaks(caplog: pytest.LogCaptureFixture, number: str) -> None:
    for private in (LEAK, COGNITOS_CODE, number, "a1b2"):
        assert private not in caplog.text


BROKEN_STORE = """
        const broken = { get: async () => { throw new Error("down"); }, set: async () => { throw new Error("down"); } };
"""


def supabase(
    stack: Stack, user: dict[str, Any], sms: dict[str, Any], secret: str = HOOK_SECRET, kept_in: str = "new Map()"
) -> Any:
    """What the hook answers to Supabase's signed request, after which the user has succeeded."""
    body = json.dumps({"user": {"id": "6481a5c1", **user}, "sms": {"otp": "561166", **sms}})
    at = str(int(time.time()))
    key = base64.b64decode(HOOK_SECRET.removeprefix("v1,whsec_"))
    signature = base64.b64encode(hmac.new(key, f"msg_1.{at}.{body}".encode(), hashlib.sha256).digest()).decode()
    return node(
        f"""
        import {{ sendSmsHook, confirmed }} from {json.dumps((RECIPES / "supabase.mjs").as_uri())};
        {BROKEN_STORE}
        const env = {{ OTP_API: {json.dumps(stack.api_url)}, HOOK_SECRET: {json.dumps(secret)},
                       token: async () => "eyJhbGciOiJub25lIn0.eyJzdWIiOiJob29rIn0.", verifications: {kept_in} }};
        const headers = {{ "webhook-id": "msg_1", "webhook-timestamp": "{at}", "webhook-signature": "v1,{signature}" }};
        const request = new Request("http://hook/", {{ method: "POST", headers, body: {json.dumps(body)} }});
        const response = await sendSmsHook(request, env);
        await confirmed("6481a5c1", env);
        console.log(JSON.stringify({{ status: response.status, body: await response.json() }}));
        """
    )


@needs_node
@pytest.mark.parametrize(("secret", "status"), [(HOOK_SECRET, 200), ("v1,whsec_bm90IGl0", 401)])
def test_supabase_sends_its_code_and_tells_of_success(stack, secret, status):
    number = "+491513000001" + str(status % 7)
    answer = supabase(stack, {"phone": number.removeprefix("+")}, {}, secret)
    assert answer == {"status": status, "body": {}}
    assert feedback(stack, number) == (["confirmed"] if status == 200 else [])


OLD, PENDING = "4915130000079", "4915130000078"
PHONES = {
    "a first phone": ({"phone": "", "new_phone": "4915130000080"}, {}, "4915130000080"),
    "a first phone, named": ({"phone": "", "new_phone": "4915130000081"}, {"phone": "4915130000081"}, "4915130000081"),
    "a change": ({"phone": OLD, "new_phone": "4915130000082"}, {}, "4915130000082"),
    "a change, named": ({"phone": OLD, "new_phone": "4915130000083"}, {"phone": "4915130000083"}, "4915130000083"),
    "MFA without a phone": ({"phone": None}, {"phone": "4915130000084"}, "4915130000084"),
    "MFA by another phone": ({"phone": OLD}, {"phone": "+4915130000085"}, "4915130000085"),
    "MFA amid a change": ({"phone": OLD, "new_phone": PENDING}, {"phone": "4915130000086"}, "4915130000086"),
}


@needs_node
@pytest.mark.parametrize(("user", "sms", "number"), PHONES.values(), ids=PHONES)
def test_supabases_code_goes_to_the_phone_that_counts_now(stack, user, sms, number):
    assert supabase(stack, user, sms) == {"status": 200, "body": {}}
    assert feedback(stack, f"+{number}") == ["confirmed"]
    assert feedback(stack, f"+{OLD}") == feedback(stack, f"+{PENDING}") == []


@needs_node
def test_supabase_is_told_where_there_is_no_phone(stack):
    answer = supabase(stack, {"phone": ""}, {})
    assert answer["body"]["error"]["http_code"] == 400


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
          authentication: {{ methods: [] }},
        }};
        await actions.onExecuteCustomPhoneProvider(event, api, store);
        const methods = [{{ name: "mfa", type: "phone", timestamp: new Date().toISOString() }}];
        await actions.onExecutePostLogin({{ ...event, authentication: {{ methods }} }}, api, store);
        const voice = {{ ...event, notification: {{ ...event.notification, delivery_method: "voice" }} }};
        await actions.onExecuteCustomPhoneProvider(voice, api, store);
        console.log(JSON.stringify(dropped));
        """
    )
    assert dropped == ["only codes by text go this way"]
    assert feedback(stack, number) == ["confirmed"]


@needs_node
def test_supabase_lets_a_user_in_whose_verification_cannot_be_kept(stack):
    number = "+4915130000070"
    assert supabase(stack, {"phone": number}, {}, kept_in="broken")["status"] == 200
    assert feedback(stack, number) == ["unconfirmed"]


@needs_node
def test_auth0_tells_of_a_code_by_text_since_it_was_sent_and_of_nothing_else(stack):
    methods = {
        "+4915130000031": '{ name: "mfa", type: "otp", timestamp: now }',
        "+4915130000032": '{ name: "pwd", timestamp: now }',
        "+4915130000033": '{ name: "sms", timestamp: before }, { name: "mfa", type: "email", timestamp: now }',
        "+4915130000034": '{ name: "pwd", timestamp: before }, { name: "sms", timestamp: now }',
    }
    script = "".join(f"await login({json.dumps(number)}, [{each}]);" for number, each in methods.items())
    node(
        f"""
        import {{ createRequire }} from "node:module";
        const actions = createRequire(import.meta.url)({json.dumps(str(RECIPES / "auth0.cjs"))});
        const store = new Map();
        const before = new Date(Date.now() - 60000).toISOString(), now = new Date(Date.now() + 60000).toISOString();
        const login = async (recipient, methods) => {{
          const event = {{
            secrets: {{ OTP_API: {json.dumps(stack.api_url)}, OTP_TOKEN: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhMCJ9." }},
            user: {{ user_id: recipient }},
            notification: {{ recipient, code: "908172", delivery_method: "text" }},
            authentication: {{ methods }},
          }};
          await actions.onExecuteCustomPhoneProvider(event, {{}}, store);
          await actions.onExecutePostLogin(event, {{}}, store);
        }};
        {script}
        console.log("null");
        """
    )
    assert [feedback(stack, number) for number in methods] == [["unconfirmed"]] * 3 + [["confirmed"]]


@needs_node
def test_auth0_lets_a_user_in_whose_verification_cannot_be_kept(stack):
    number = "+4915130000071"
    dropped = node(
        f"""
        import {{ createRequire }} from "node:module";
        const actions = createRequire(import.meta.url)({json.dumps(str(RECIPES / "auth0.cjs"))});
        {BROKEN_STORE}
        const dropped = [];
        const api = {{ notification: {{ drop: (why) => dropped.push(why), retry: (why) => dropped.push(why) }} }};
        const event = {{
          secrets: {{ OTP_API: {json.dumps(stack.api_url)}, OTP_TOKEN: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhMCJ9." }},
          user: {{ user_id: "auth0|1" }},
          notification: {{ recipient: "{number}", code: "908172", delivery_method: "text" }},
          authentication: {{ methods: [] }},
        }};
        await actions.onExecuteCustomPhoneProvider(event, api, broken);
        const methods = [{{ name: "sms", timestamp: new Date().toISOString() }}];
        await actions.onExecutePostLogin({{ ...event, authentication: {{ methods }} }}, api, broken);
        console.log(JSON.stringify(dropped));
        """
    )
    assert dropped == []
    assert feedback(stack, number) == ["unconfirmed"]


STATES = json.loads((RECIPES / "step-functions.asl.json").read_text())["States"]


def execute(stack: Stack, phone: str, execution: str) -> tuple[str, dict[str, Any]]:
    """Where an execution comes to, and what the function answered."""
    send, chosen = STATES["Send"], STATES["Sent?"]
    values = {"$.phone": phone, "$.order": "order:17", "$$.Execution.Name": execution}
    payload = {
        name.removesuffix(".$"): values[value] if name.endswith(".$") else value
        for name, value in send["Parameters"]["Payload"].items()
    }
    assert (send["ResultSelector"], send["ResultPath"], send["Next"]) == ({"answer.$": "$.Payload"}, "$.otp", "Sent?")
    answer = stack.invoke("start_directly", payload)

    def holds(rule: dict[str, Any]) -> bool:
        if "Or" in rule:
            return any(holds(each) for each in rule["Or"])
        found = answer.get(rule["Variable"].removeprefix("$.otp.answer."))
        return (found is not None) is rule["IsPresent"] if "IsPresent" in rule else found == rule["StringEquals"]

    return next((rule["Next"] for rule in chosen["Choices"] if holds(rule)), chosen["Default"]), answer


def test_step_functions_passes_what_the_function_takes(stack):
    first, again = (execute(stack, "+4915130000040", "execution-1") for _ in range(2))
    assert first == again
    assert (first[0], first[1]["status"]) == ("Sent", "pending")
    assert feedback(stack, "+4915130000040") == ["unconfirmed"]


def test_a_message_of_your_own_is_registered_and_confirmed(stack):
    """With the README's own functions in front, on its address of the laptop."""
    readme, recipe = (path.read_text() for path in (RECIPES.parents[1] / "README.md", RECIPES / "README.md"))
    functions = re.findall(r"^(?:call|id_of)\(\) .*", readme, re.MULTILINE)
    blocks = re.findall(r"```bash\n(.*?)```", recipe.partition("## You send the message yourself")[2], re.DOTALL)
    script = "\n".join(["set -eu", f"API={stack.api_url}", *functions, *blocks])
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(ran.stdout)
    assert (answer["status"], answer["proof"], answer["reference"]) == ("confirmed", "caller", "user:4711")


def test_step_functions_tells_refusals_apart(stack):
    execute(stack, "+4915130000041", "execution-2")
    assert execute(stack, "+4915130000041", "execution-3")[0] == "CannotReach"
    came_to, answer = execute(stack, "no number", "execution-4")
    assert came_to == "Refused"
    assert {
        STATES["Refused"][path].removeprefix("$.otp.answer.") for path in ("ErrorPath", "CausePath")
    } <= answer.keys()
    urns = {f"urn:otp-feedback:{kind.name}" for kind in STATUS}
    assert set(re.findall(r"urn:[\w:-]+", json.dumps(STATES))) <= urns


def test_step_functions_tries_again_what_the_function_raises():
    [retry] = STATES["Send"]["Retry"]
    assert Unavailable.__name__ in retry["ErrorEquals"]


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


def assert_deploys(given: dict[str, str]) -> None:
    """The template's parameters that have no default are there, and it knows and takes each."""
    known = source()["Parameters"]
    assert {name for name, parameter in known.items() if "Default" not in parameter} <= set(given)
    for name, value in given.items():
        assert re.fullmatch(known[name]["AllowedPattern"], value), name


def test_cdk_hands_over_what_the_template_asks_for(monkeypatch):
    made: list[dict[str, Any]] = []
    read: list[str] = []

    class Construct:
        def __init__(self, *_: Any, **properties: Any) -> None:
            made.append(properties)

        def get_att(self, name: str) -> Any:
            read.append(name)
            return SimpleNamespace(to_string=lambda: name)

    cdk = SimpleNamespace(App=Construct, CfnOutput=Construct, CfnStack=Construct, Stack=Construct)
    monkeypatch.setitem(sys.modules, "aws_cdk", cdk)
    recipe = load("cdk_stack")
    url = "https://bucket.s3.eu-west-1.amazonaws.com/otp-feedback.yaml"
    recipe.OtpFeedback(cdk.App(), "Otp", template_url=url, sender="+14155550100")
    [nested] = [properties for properties in made if "template_url" in properties]
    assert nested["template_url"] == url
    assert_deploys(nested["parameters"])
    assert {name.removeprefix("Outputs.") for name in read} <= set(source()["Outputs"])


def test_terraform_hands_over_what_the_template_asks_for():
    text = (RECIPES / "main.tf").read_text()
    [block] = re.findall(r"parameters = \{\n(.*?)\n  \}", text, re.DOTALL)
    given: dict[str, str] = dict(re.findall(r"^ +(\w+) += (\S.*)$", block, re.MULTILINE))
    variables: dict[str, str] = {"var.sender": '"+14155550100"'}
    assert_deploys({name: variables.get(value, value).strip('"') for name, value in given.items()})
    assert set(re.findall(r'outputs\["(\w+)"\]', text)) <= set(source()["Outputs"])
    assert set(re.findall(r"var\.(\w+)", text)) == set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert '"CAPABILITY_AUTO_EXPAND"' in text


def test_the_template_is_packaged_by_a_target():
    targets = re.findall(r"^([a-z-]+):", (RECIPES.parents[1] / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"^# +make ([a-z-]+)", (RECIPES / "main.tf").read_text(), re.MULTILINE)) <= set(targets)
