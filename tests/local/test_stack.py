"""The stack as a whole: it ends without a trace, and its demonstration fails when something is wrong."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest

from local import demo
from local.stack import Ports, Stack
from local.twilio_emulator import Delays
from tests.local import small_stack
from tests.local.conftest import PLAIN

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def calm() -> Iterator[Stack]:
    """A stack in which nothing happens by itself."""
    with Stack(period_s=None, delays=Delays(60, 60, 60), settings={"OTP_MESSAGE_INTERVAL_S": "0"}) as stack:
        yield stack


def processes_of_group(session: int) -> set[str]:
    """The processes of a session, where the system tells (Linux)."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found.add(stat.parent.name)
    return found


TRACELESS = """
import os, sys, threading, time
from pathlib import Path
import httpx
from local.stack import Stack

def descriptors():
    folder = Path("/proc/self/fd")
    return sorted(item.name for item in folder.iterdir()) if folder.exists() else []

environment, held = dict(os.environ), descriptors()
for _ in range(2):
    with Stack(template=Path(sys.argv[1]), period_s=0.1) as stack:
        assert httpx.post(f"{stack.api_url}/echo", json={}).status_code == 200
        host, url = stack.functions.host_pid, stack.api_url
        began = time.monotonic()
    took = time.monotonic() - began
    assert took < 30, took
    assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
    assert descriptors() == held, (held, descriptors())
    assert dict(os.environ) == environment
    stack.stop()
    try:
        httpx.get(url)
    except httpx.ConnectError:
        print(host)
"""


def test_a_function_has_a_chosen_setting_only_where_the_template_gives_it_that_variable(calm: Stack):
    """Else the laptop would hide that a deployed function lacks it."""
    found = {name: function.environment.get("OTP_MESSAGE_INTERVAL_S") for name, function in calm._functions.items()}
    assert found["send_otp"] == "0"
    assert found["track_delivery"] is found["retry_feedback"] is None


def test_a_stack_ends_without_a_trace(tmp_path: Path):
    template = small_stack.write(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", TRACELESS, str(template)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    hosts = [int(line) for line in ended.stdout.split()]
    assert len(hosts) == 2
    assert not [process for host in hosts for process in processes_of_group(host)]


def test_a_stack_ends_at_once_while_twilio_hangs(tmp_path: Path):
    with Stack(template=small_stack.write(tmp_path)) as stack:
        waiting = threading.Thread(
            target=lambda: httpx.post(f"{stack.api_url}/echo", json={"sleep": 3.9}, verify=PLAIN), daemon=True
        )
        waiting.start()
        time.sleep(0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 3.5
    waiting.join()


@pytest.mark.parametrize("by_number", [True, False])
@pytest.mark.parametrize(("when", "held"), [("before", 0), ("after", 1)])
def test_a_function_is_killed_at_one_of_its_calls(
    calm: Stack, when: Literal["before", "after"], held: int, by_number: bool
):
    calls: list[str] = []
    with httpx.Client(base_url=calm.api_url, timeout=20, verify=PLAIN) as http:

        def start(to: str) -> int:
            return http.post("/verifications", json={"to": to, "action": "code"}).status_code

        start("+14155550143")  # a new instance also reads the secret
        with calm.observing(lambda name, phase: calls.append(f"{name} {phase}")):
            assert start(f"+1415555015{held}") == 202
        sent = "twilio:create_message"
        number = calls.index(f"{sent} before") // 2 + 1
        sent_before = len(calm.twilio.account.all())
        with calm.killing("send_otp", when, number if by_number else sent) as happened:
            assert not happened()
            assert (start(f"+1415555016{held}"), happened()) == (500, True)
            assert len(calm.twilio.account.all()) == sent_before + held
            assert start(f"+1415555017{held}") == 202, "it happens once"


def free_ports() -> dict[str, str]:
    """Ports that were free a moment ago, by variable."""
    from local.servers import Listener

    listeners = {name: Listener() for name in ("OTP_API_PORT", "OTP_TWILIO_PORT", "OTP_AWS_PORT")}
    for listener in listeners.values():
        listener.stop()
    return {name: str(listener.port) for name, listener in listeners.items()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_dev_tells_its_addresses_and_leaves_no_process(number: signal.Signals):
    ports = free_ports()
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "dev"],
        cwd=ROOT,
        env={**os.environ, **ports, "OTP_MAX_ATTEMPTS": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = ""
    while "Ctrl-C" not in told:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        told += line
    api = f"http://127.0.0.1:{ports['OTP_API_PORT']}"
    assert f"{api}/\n" in told
    assert "SAM CLI     cannot reach it: see OTP_BIND" in told
    body = {"to": "+14155550141", "action": "code"}
    started = httpx.post(f"{api}/verifications", json=body, verify=PLAIN)
    assert started.status_code == 202
    view = httpx.get(f"{api}/verifications/{started.json()['verification_id']}", verify=PLAIN).json()
    assert view["attempts_left"] == 2
    children = {
        child
        for stat in Path("/proc").glob("[0-9]*/stat")
        if (fields := stat.read_text().rpartition(")")[2].split()) and fields[1] == str(process.pid)
        for child in processes_of_group(int(stat.parent.name))
    }
    assert len(children) >= 5 or not Path("/proc").exists()
    process.send_signal(number)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert not [child for child in children if Path("/proc", child).exists()]


def test_dev_says_which_port_is_taken():
    ports = free_ports()
    with Stack(ports=Ports(twilio=int(ports["OTP_TWILIO_PORT"])), period_s=None):
        ended = subprocess.run(
            [sys.executable, "-m", "local", "dev"],
            cwd=ROOT,
            env={**os.environ, **ports},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert ended.returncode == 1
    assert "OTP_TWILIO_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("value", ["eighty", "-1", "65536"])
def test_a_port_that_is_none_is_named(value: str):
    with pytest.raises(ValueError, match="OTP_API_PORT"):
        Ports.from_environ({"OTP_API_PORT": value})


def test_the_ports_are_fixed_unless_the_environment_says_otherwise():
    assert Ports.from_environ({}) == Ports(8080, 8081, 8082)
    assert Ports.from_environ({"OTP_TWILIO_PORT": "9001", "OTP_API_PORT": ""}) == Ports(8080, 9001, 8082)


def test_the_demonstration_holds_and_masks_numbers():
    lines: list[str] = []
    with Stack(delays=Delays(0.02, 0.05, 0.1), period_s=0.3) as stack:
        assert demo.run(stack, lines.append) == []
    text = "\n".join(lines)
    assert re.search(r"\+\d{8,}", text) is None
    for action in ("code", "link", "password", "reply", "caller"):
        assert f"{action} to +1" in text
    table = text.partition("What Twilio holds")[2]
    assert table.count("✓") == len(re.findall("SM[0-9a-f]{32}", table)) >= 11


def test_the_demonstration_names_what_failed(monkeypatch: pytest.MonkeyPatch, stack: Stack):
    def impossible(demonstration: demo.Demo) -> None:
        """A wish that does not come true"""
        started = demonstration.start("+14155550142", "code")
        demonstration.expected[started["message"]["sid"]] = "confirmed"
        demonstration.check(started["verification_id"], "wrong!", 200)

    stack.twilio.clear()
    failures = demo.run(stack, lambda _: None, [impossible])
    assert len(failures) == 2
    assert failures[0].startswith("A wish that does not come true: POST /verifications/…/check was answered 422")
    assert failures[1].endswith("feedback unconfirmed, expected confirmed")
