"""The gateway and the function instances behind it, with a function that does as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.functions import FunctionError
from local.stack import Stack
from tests.local import small_stack
from tests.local.conftest import PLAIN


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    template = small_stack.write(tmp_path_factory.mktemp("small"))
    with Stack(template=template, period_s=None) as stack:
        yield stack


@pytest.fixture(scope="module")
def http(small: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=small.api_url, trust_env=False, timeout=10, verify=PLAIN) as client:
        yield client


def echo(http: httpx.Client, path: str = "/echo", **body: Any) -> dict[str, Any]:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_a_request_becomes_an_event(http: httpx.Client):
    answer = http.post("/echo/a%2Fb?x=%2B1&x=2", json={}, headers=[("X-Twice", "1"), ("X-Twice", "2")])
    event = answer.json()["event"]
    assert event["routeKey"] == "POST /echo/{name}"
    assert event["rawPath"] == "/echo/a/b"
    assert event["rawQueryString"] == "x=%2B1&x=2"
    assert event["pathParameters"] == {"name": "a/b"}
    assert event["headers"]["x-twice"].replace(" ", "") == "1,2"
    assert event["requestContext"]["authorizer"]["iam"]["userId"] == "LOCALCALLER:dev"
    assert event["requestContext"]["http"]["method"] == "POST"


def test_the_most_specific_route_wins(http: httpx.Client):
    assert echo(http, "/echo/fixed")["event"]["routeKey"] == "POST /echo/fixed"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/echo"), ("POST", "/echo/"), ("POST", "/nothing"), ("DELETE", "/page"), ("PUT", "/")],
)
def test_what_is_no_route_is_not_found(http: httpx.Client, method: str, path: str):
    answer = http.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})
    assert answer.headers["content-type"] == "application/json"


def test_an_answer_is_passed_on(http: httpx.Client):
    answer = http.get("/page")
    assert (answer.status_code, answer.text) == (200, "<p>page</p>")
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_head_has_the_headers_alone(http: httpx.Client):
    answer = http.head("/page")
    assert (answer.status_code, answer.content, answer.headers["x-path"]) == (200, b"", "/page")


@pytest.mark.parametrize(
    "body",
    [{"raise": "no"}, {"return": "{'statusCode': 1}"}, {"return": "object()"}, {"exit": 1}, {"sleep": 5}],
    ids=["raises", "bad answer", "not json", "dies", "takes too long"],
)
def test_a_function_that_fails_is_an_internal_server_error(http: httpx.Client, body: dict[str, Any]):
    answer = http.post("/echo", json=body)
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
    assert echo(http)["context"]["function_name"] == "echo"


def test_a_traceback_is_in_the_log(small: Stack, http: httpx.Client):
    http.post("/echo", json={"raise": "something to find"})
    assert "RuntimeError: the handler says something to find" in small.logs()


def test_bodies_are_taken_up_to_ten_megabytes(http: httpx.Client):
    headers = {"Content-Type": "application/octet-stream"}
    assert http.post("/echo/x", content=b"x" * 10_485_760, headers=headers).status_code == 200
    answer = http.post("/echo/x", content=b"x" * 10_485_761, headers=headers)
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})
    chunks = (b"x" * 1_048_576 for _ in range(11))
    assert http.post("/echo/x", content=chunks, headers=headers).status_code == 413


def test_the_context_is_lambdas(http: httpx.Client):
    first, second = echo(http)["context"], echo(http)["context"]
    assert first["invoked_function_arn"] == "arn:aws:lambda:us-east-1:123456789012:function:echo"
    assert first["memory_limit_in_mb"] == "256"
    assert 0 < first["remaining"] <= 4000
    assert first["aws_request_id"] != second["aws_request_id"]


def test_a_function_sees_its_own_environment_alone(small: Stack, http: httpx.Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTP_SECRET_OF_THE_SHELL", "1")
    environment = echo(http)["environ"]
    assert environment["OTP_GREETING"] == "hello"
    assert environment["AWS_ENDPOINT_URL"] == small.aws_url
    assert "OTP_SECRET_OF_THE_SHELL" not in environment
    assert "PATH" not in environment


def test_an_instance_is_kept_and_serves_one_request_at_a_time(http: httpx.Client):
    first = echo(http)
    assert echo(http)["pid"] == first["pid"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: echo(http, sleep=0.3), range(4)))
    assert len({answer["pid"] for answer in answers}) == 4


def test_more_requests_than_instances_wait_for_their_turn(http: httpx.Client):
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: echo(http, sleep=0.02), range(80)))
    assert len({answer["pid"] for answer in answers}) <= 10


def test_the_clock_is_moved_on(small: Stack, http: httpx.Client):
    before = echo(http)["clock"]
    answer = http.post("/_local/clock", json={"advance_s": 601})
    assert answer.status_code == 200
    after = echo(http)
    assert 601_000 <= after["clock"] - before < 631_000
    assert abs(after["event"]["requestContext"]["timeEpoch"] - after["clock"]) < 30_000
    assert abs(answer.json()["now_ms"] - small.clock.now_ms()) < 30_000


@pytest.mark.parametrize("advance", [-1, 1.5, "601", None, True, 10**12])
def test_the_clock_takes_whole_seconds_ahead(small: Stack, http: httpx.Client, advance: Any):
    offset = small.clock.offset_ms
    assert http.post("/_local/clock", json={"advance_s": advance}).status_code == 400
    assert http.get("/_local/clock").status_code == 404
    assert small.clock.offset_ms == offset


def test_a_function_can_be_killed_at_work(small: Stack, http: httpx.Client):
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(http.post("/echo", json={"sleep": 3.9})))
    began = time.monotonic()
    thread.start()
    while small.functions.kill("echo") == 0:
        time.sleep(0.01)
    thread.join()
    assert answers[0].status_code == 500
    assert time.monotonic() - began < 3.5
    assert small.functions.kill("echo") == 0


def test_a_direct_invocation_gets_the_functions_own_answer(small: Stack):
    with pytest.raises(FunctionError, match="the handler says no"):
        small.invoke("echo", {"isBase64Encoded": False, "rawPath": "", "body": json.dumps({"raise": "no"})})
    answer = small.invoke("echo", {"isBase64Encoded": False, "rawPath": ""})
    assert answer["context"]["function_name"] == "echo"


def test_schedules_run_when_asked(small: Stack):
    ticks = small.logs().count("tick")
    small.run_schedules()
    assert small.logs().count("tick") == ticks + 1


def test_schedules_run_by_themselves_one_run_at_a_time(tmp_path: Path):
    with Stack(template=small_stack.write(tmp_path), period_s=0.05) as stack:
        deadline = time.monotonic() + 5
        while stack.logs().count("tick") < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert stack.logs().count("tick") >= 3


def test_a_function_that_cannot_be_loaded_ends_the_start(tmp_path: Path):
    template = small_stack.write(tmp_path)
    before = threading.active_count()
    with (
        pytest.raises(FunctionError, match="echo cannot be loaded: ImportError: cannot greet"),
        Stack(template=template, settings={"OTP_GREETING": "broken"}),
    ):
        pass
    assert threading.active_count() == before


def test_a_setting_that_no_function_has_is_refused(tmp_path: Path):
    with (
        pytest.raises(ValueError, match="OTP_NONSENSE"),
        Stack(template=small_stack.write(tmp_path), settings={"OTP_NONSENSE": "1"}),
    ):
        pass
