"""Who may talk to the listeners, and how they end."""

import socket
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx
import pytest
from werkzeug.wrappers import Response

from local.servers import AddressTaken, Listener
from local.stack import Stack
from tests.local.conftest import PLAIN


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return Response("hello")(environ, start_response)


@pytest.fixture
def addresses(stack: Stack) -> dict[str, str]:
    return {
        f"{stack.api_url}/_local/phone": "GET",
        f"{stack.api_url}/docs": "GET",
        f"{stack.twilio_url}/_emulator/messages": "GET",
        f"{stack.aws_url}/": "POST",
    }


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Host": "localhost:1234"}, True),
        ({"Host": "127.0.0.1"}, True),
        ({"Host": "[::1]:8080"}, True),
        ({"Host": "127.9.9.9:80"}, True),
        ({"Host": "evil.example"}, False),
        ({"Host": "127.0.0.1.evil.example"}, False),
        ({"Host": "localhost.evil.example:8080"}, False),
        ({"Host": "user@evil.example"}, False),
        ({"Host": "10.0.0.1"}, False),
        ({"Host": "[::1"}, False),
        ({"Host": ""}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://localhost:9", "Host": "localhost:8080"}, False),
        ({"Origin": "http://localhost:8080", "Host": "localhost:8080"}, True),
        ({"Origin": "https://localhost:8080", "Host": "localhost:8080"}, False),
        ({"Origin": "http://localhost:8080.evil.example", "Host": "localhost:8080"}, False),
    ],
)
def test_only_this_machine_is_served(addresses: dict[str, str], headers: dict[str, str], allowed: bool):
    for url, method in addresses.items():
        answer = httpx.request(method, url, headers=headers, verify=PLAIN)
        assert (answer.status_code != 403) == allowed, url


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_control_requests_are_json_alone(stack: Stack, content_type: str):
    offset = stack.clock.offset_ms
    for url in (
        f"{stack.api_url}/_local/clock",
        f"{stack.twilio_url}/_emulator/faults",
        f"{stack.twilio_url}/_emulator/deliver",
        f"{stack.twilio_url}/_emulator/inbound",
    ):
        answer = httpx.post(url, content=b'{"advance_s": 1}', headers={"Content-Type": content_type}, verify=PLAIN)
        assert answer.status_code == 415
        for body in (b"", b"[]", b'"x"', b"{", b"\xff"):
            answer = httpx.post(url, content=body, headers={"Content-Type": "application/json"}, verify=PLAIN)
            assert answer.status_code == 400
    assert stack.clock.offset_ms == offset


@pytest.mark.parametrize("path", ["/moto-api/reset", "/moto-api/data.json", "/moto-api"])
def test_motos_own_control_routes_are_closed(stack: Stack, path: str):
    assert httpx.post(f"{stack.aws_url}{path}", verify=PLAIN).status_code == 403


def test_a_taken_address_names_the_variable():
    first = Listener()
    with pytest.raises(AddressTaken, match=rf"127\.0\.0\.1:{first.port}.*OTP_API_PORT"):
        Listener(port=first.port, variable="OTP_API_PORT")
    first.stop()


def test_an_address_that_is_not_this_machines_names_the_variable():
    with pytest.raises(AddressTaken, match=r"192\.0\.2\.1:0.*OTP_BIND"):
        Listener("192.0.2.1", variable="OTP_API_PORT")


def test_a_listener_on_every_interface_is_reached_at_the_address_it_was_asked_at():
    listener = Listener("0.0.0.0")  # noqa: S104
    listener.serve(hello)
    assert listener.url == f"http://127.0.0.1:{listener.port}"
    assert httpx.get(listener.url, verify=PLAIN).status_code == 200
    assert httpx.get(listener.url, headers={"Host": "rebound.example"}, verify=PLAIN).status_code == 403
    listener.stop()


def test_silent_connections_do_not_hold_the_end():
    listener = Listener()
    listener.serve(hello)
    with socket.create_connection(("127.0.0.1", listener.port)) as silent, socket.socket() as half:
        half.connect(("127.0.0.1", listener.port))
        half.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        assert httpx.get(listener.url, verify=PLAIN).text == "hello"
        listener.stop()
        assert silent.recv(1) == b""
    listener.stop()
    assert not [thread for thread in threading.enumerate() if str(listener.port) in thread.name]
