"""The Twilio client against real sockets: each outcome, each failure, and never a second message."""

import base64
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import date

import pytest

from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.adapters.invocation import TimeLeft, unlimited
from otp_feedback.adapters.twilio.client import AFTERWARDS_S, TwilioClient, TwilioCredentials, api_base_url
from otp_feedback.domain.errors import Unavailable
from otp_feedback.usecases.ports import (
    Created,
    CreateRefused,
    FeedbackAccepted,
    FeedbackDeferred,
    FeedbackNotFound,
    FeedbackRefused,
    NotSent,
    OutgoingMessage,
    SendUnknown,
)
from tests.adapters.scripted_server import (
    Exchange,
    ScriptedServer,
    Step,
    answer,
    answer_and_close,
    disconnect,
    hang,
    raw_answer,
    trickle,
)

ACCOUNT = "AC" + "1" * 32
SID = "SM" + "0123456789abcdef" * 2
CREDENTIALS = TwilioCredentials(ACCOUNT, "SK" + "2" * 32, "key-secret")
FAR_TOO_LONG_S = 2.5
"""The servers here keep a client for longer, as long as it lets them."""
CREATED = json.dumps({"sid": SID, "status": "queued"}).encode()
MESSAGE = OutgoingMessage(
    to="+4915112345678",
    sender="+15005550006",
    body="Your code is 123456",
    status_callback="https://otp.example.com/twilio/status?message=1&verification=abc#rc=5&rp=all",
    validity_s=600,
    attempt=1,
)


def problem(code: object) -> bytes:
    return json.dumps({"code": code, "message": "no", "status": 400}).encode()


class Bench:
    """Starts servers and clients, and closes them in the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.pauses: list[float] = []

    def server(self, *steps: Step, **options) -> ScriptedServer:
        return self._stack.enter_context(ScriptedServer(list(steps) or [hang], **options))

    def client(
        self, base_url: str, sleep: Callable[[float], None] | None = None, time_left: TimeLeft = unlimited
    ) -> TwilioClient:
        client = TwilioClient(
            lambda: CREDENTIALS,
            base_url,
            time_left=time_left,
            sleep=sleep or self.pauses.append,
            fraction=lambda: 0.0,
        )
        return self._stack.enter_context(closing(client))

    def pair(self, *steps: Step, **options) -> tuple[ScriptedServer, TwilioClient]:
        server = self.server(*steps, **options)
        return server, self.client(server.url)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack)


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue is full, so that the kernel drops further SYN packets."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


class Stopwatch:
    def __enter__(self) -> "Stopwatch":
        self._start = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._start


def test_a_message_is_created_with_feedback(bench):
    server, client = bench.pair(answer(201, CREATED))

    assert client.create_message(MESSAGE, 8) == Created(SID)

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert request.form == {
        "To": "+4915112345678",
        "From": "+15005550006",
        "Body": "Your code is 123456",
        "ProvideFeedback": "true",
        "StatusCallback": MESSAGE.status_callback,
        "ValidityPeriod": "600",
        "RiskCheck": "enable",
        "Attempt": "1",
    }
    expected = base64.b64encode(f"{CREDENTIALS.username}:{CREDENTIALS.password}".encode()).decode()
    assert request.headers["authorization"] == f"Basic {expected}"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"] == "otp-feedback"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_senders_of_each_kind(bench):
    server, client = bench.pair(answer(201, CREATED))
    service = "MG" + "a" * 32

    for sender in (service, "Example", "whatsapp:+15005550006"):
        assert client.create_message(replace(MESSAGE, sender=sender), 8) == Created(SID)

    by_service, alphanumeric, whatsapp = (request.form for request in server.requests)
    assert (by_service["MessagingServiceSid"], by_service.get("From")) == (service, None)
    assert (alphanumeric["From"], alphanumeric["To"]) == ("Example", "+4915112345678")
    assert (whatsapp["From"], whatsapp["To"]) == ("whatsapp:+15005550006", "whatsapp:+4915112345678")


def test_a_content_template_takes_the_place_of_the_body(bench):
    server, client = bench.pair(answer(201, CREATED))
    variables = {"1": "123456", "2": "Grüße"}

    client.create_message(replace(MESSAGE, body=None, content_sid="HX" + "b" * 32, content_variables=variables), 8)

    form = server.requests[0].form
    assert form["ContentSid"] == "HX" + "b" * 32
    assert json.loads(form["ContentVariables"]) == variables
    assert "Body" not in form


def test_a_long_text_arrives_whole(bench):
    server, client = bench.pair(answer(201, CREATED))

    assert client.create_message(replace(MESSAGE, body="🔑" * 1600), 8) == Created(SID)
    assert server.requests[0].form["Body"] == "🔑" * 1600


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        (answer(200, CREATED), Created(SID)),
        (answer(201, CREATED.replace(b"SM", b"MM")), Created("MM" + SID[2:])),
        (answer(201, b"{}"), SendUnknown()),
        (answer(201, b'{"sid": "SM123"}'), SendUnknown()),
        (answer(201, b'{"sid": "SM%s"}' % (b"A" * 32)), SendUnknown()),
        (answer(201, b'{"sid": 7}'), SendUnknown()),
        (answer(201, b"<html>"), SendUnknown()),
        (answer(201, b"[" * 60_000), SendUnknown()),
        (answer(201, CREATED[:-1] + b" " * 70_000 + b"}"), SendUnknown()),
        (answer(201, CREATED, Content_Encoding="gzip"), Created(SID)),
        (answer(400, problem(21211)), CreateRefused(21211)),
        (answer(401, problem(20003)), NotSent(20003)),
        (answer(401, b"<html>"), NotSent()),
        (answer(403, problem(20403)), NotSent(20403)),
        (answer(403, problem(20003)), NotSent(20003)),
        (answer(403, problem(70051)), NotSent(70051)),
        (answer(403), NotSent()),
        (answer(403, problem(21408)), CreateRefused(21408)),
        (answer(403, problem(60605)), CreateRefused(60605)),
        (answer(400, problem("21211")), CreateRefused(None)),
        (answer(400, problem(True)), CreateRefused(None)),
        (answer(400, problem(10**4000)), CreateRefused(None)),
        (answer(400, b'{"code": ' + b"1" * 5000 + b"}"), CreateRefused(None)),
        (answer(400, b"\xff\xfe"), CreateRefused(None)),
        (answer(400, b"x" * 5_000_000), CreateRefused(None)),
        (answer(404), CreateRefused(None)),
        (answer(500, problem(20500)), SendUnknown()),
        (answer(408), SendUnknown()),
        (answer(503), SendUnknown()),
        (disconnect, SendUnknown()),
        (trickle(b"not HTTP at all\r\n\r\n", b""), SendUnknown()),
        (trickle(b"HTTP/1.1 201 Created\r\n", b""), SendUnknown()),
        (trickle(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{", b""), CreateRefused(None)),
    ],
)
def test_what_becomes_of_a_create(bench, step, outcome):
    server, client = bench.pair(step)

    assert client.create_message(MESSAGE, 8) == outcome
    assert len(server.requests) == 1
    assert bench.pauses == []


def test_a_redirect_is_not_followed(bench):
    elsewhere = bench.server(answer(201, CREATED))
    server, client = bench.pair(answer(302, Location=f"{elsewhere.url}/\x80"))

    assert client.create_message(MESSAGE, 8) == CreateRefused(None)
    assert client.post_feedback(SID, 8) == FeedbackDeferred("redirected")
    assert len(server.requests) == 2
    assert elsewhere.connections == 0


@pytest.mark.parametrize("operation", ["create", "feedback"])
@pytest.mark.parametrize(
    ("step", "deaf"),
    [
        pytest.param(hang, False, id="hangs after reading"),
        pytest.param(hang, True, id="hangs before reading"),
        pytest.param(trickle(b"", raw_answer(201, CREATED)), False, id="trickles the headers"),
        pytest.param(trickle(b"", raw_answer(201, CREATED), 0.2), False, id="trickles the headers slowly"),
        pytest.param(trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 30, 0.01), False, id="trickles interim answers"),
    ],
)
def test_the_deadline_is_for_the_whole_call(bench, operation, step, deaf):
    server, client = bench.pair(step, deaf=deaf)

    with Stopwatch() as watch:
        if operation == "create":
            assert client.create_message(MESSAGE, 0.5) == SendUnknown()
        else:
            assert client.post_feedback(SID, 0.5) == FeedbackDeferred("timeout")

    assert 0.4 <= watch.seconds <= FAR_TOO_LONG_S
    assert len(server.requests) == (0 if deaf else 1)
    assert server.connections == 1


@pytest.mark.parametrize(("status", "outcome"), [(201, SendUnknown()), (400, CreateRefused(None))])
def test_a_body_that_trickles_ends_with_the_deadline_and_leaves_the_status(bench, status, outcome):
    whole = raw_answer(status, CREATED)
    server, client = bench.pair(trickle(whole[: -len(CREATED)], CREATED, 0.2))

    with Stopwatch() as watch:
        assert client.create_message(MESSAGE, 0.5) == outcome

    assert watch.seconds <= FAR_TOO_LONG_S
    assert len(server.requests) == 1


def test_nothing_is_asked_where_no_time_would_be_left_to_store_the_answer(bench):
    server = bench.server(answer(201, CREATED))
    client = bench.client(server.url, time_left=lambda: AFTERWARDS_S - 0.001)

    assert client.create_message(MESSAGE, 8) == NotSent()
    assert client.post_feedback(SID, 8) == FeedbackDeferred("no-time")
    for asked in (
        lambda: client.list_messages("+4915112345678", date(2026, 1, 1), 8),
        lambda: client.redact_message(SID, 8),
    ):
        with pytest.raises(Unavailable):
            asked()
    assert server.connections == 0


def test_what_is_asked_ends_in_time_to_store_the_answer(bench):
    server = bench.server(hang)
    client = bench.client(server.url, time_left=lambda: AFTERWARDS_S + 0.2)

    assert client.create_message(MESSAGE, 60) == SendUnknown()
    assert client.post_feedback(SID, 60) == FeedbackDeferred("timeout")
    assert len(server.requests) == 2


def test_the_time_kept_after_a_call_is_enough_for_a_write():
    assert AFTERWARDS_S >= LONGEST_CALL_S


def test_an_endless_body_is_not_read_on(bench):
    def pour(exchange: Exchange) -> bool:
        exchange.connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 999999999999\r\n\r\n")
        while not exchange.stopping.is_set():
            exchange.connection.sendall(b"x" * 65_536)
        return False

    _, client = bench.pair(pour)

    with Stopwatch() as watch:
        assert client.create_message(MESSAGE, 5) == CreateRefused(None)

    assert watch.seconds < 4


def test_a_handshake_that_hangs_ends_with_the_deadline(bench):
    server = bench.server(deaf=True)
    client = bench.client(server.url.replace("http:", "https:"))

    with Stopwatch() as watch:
        assert client.post_feedback(SID, 0.5) == FeedbackDeferred("timeout")

    assert watch.seconds <= FAR_TOO_LONG_S


def test_nothing_is_sent_where_no_connection_comes_about(bench, full_port):
    client = bench.client(f"http://127.0.0.1:{full_port}")

    with Stopwatch() as watch:
        assert client.create_message(MESSAGE, 0.5) == NotSent()

    assert watch.seconds <= FAR_TOO_LONG_S
    assert client.post_feedback(SID, 0.1) == FeedbackDeferred("timeout")


def test_a_refused_connection_is_tried_again_until_the_deadline(bench, closed_port):
    client = bench.client(f"http://127.0.0.1:{closed_port}", sleep=time.sleep)

    with Stopwatch() as watch:
        assert client.create_message(MESSAGE, 1.5) == NotSent()

    assert 0.1 <= watch.seconds <= FAR_TOO_LONG_S
    assert client.post_feedback(SID, 1) == FeedbackDeferred("unreachable")


def test_a_connection_that_comes_about_at_last_sends_one_message(bench, closed_port):
    servers: list[ScriptedServer] = []

    def start_server(pause_s: float) -> None:
        bench.pauses.append(pause_s)
        if len(bench.pauses) == 3:
            servers.append(bench.server(answer(201, CREATED), port=closed_port))

    client = bench.client(f"http://127.0.0.1:{closed_port}", sleep=start_server)

    assert client.create_message(MESSAGE, 8) == Created(SID)
    assert len(servers[0].requests) == 1
    assert bench.pauses == pytest.approx([0.1, 0.2, 0.4])


def test_a_name_that_does_not_resolve_sends_nothing(bench, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    client = bench.client("http://api.twilio.invalid")

    assert client.create_message(MESSAGE, 1) == NotSent()
    assert client.post_feedback(SID, 1) == FeedbackDeferred("unreachable")


def test_an_address_that_swallows_packets_leaves_time_for_the_next(bench, monkeypatch):
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.2", 0), backlog=0))
        port = full.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        server = bench.server(answer(201, CREATED), port=port)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        client = bench.client(f"http://api.twilio.invalid:{port}")

        assert client.create_message(MESSAGE, 1) == Created(SID)
        assert len(server.requests) == 1


def test_throttling_is_waited_out_and_one_message_created(bench):
    server, client = bench.pair(answer(429, problem(20429)), answer(429, b"slow down"), answer(201, CREATED))

    assert client.create_message(MESSAGE, 8) == Created(SID)
    assert len(server.requests) == 3
    assert bench.pauses == pytest.approx([0.1, 0.2])


def test_throttling_is_waited_out_as_long_as_twilio_asks(bench):
    server, client = bench.pair(answer(429, Retry_After="3"), answer(201, CREATED))

    assert client.create_message(MESSAGE, 8) == Created(SID)
    assert len(server.requests) == 2
    assert bench.pauses == [3]


@pytest.mark.parametrize("retry_after", ["7", "8", "999999999"])
def test_a_wait_that_does_not_fit_the_deadline_is_not_begun(bench, retry_after):
    server, client = bench.pair(answer(429, Retry_After=retry_after))

    assert client.create_message(MESSAGE, 8) == NotSent()
    assert len(server.requests) == 1
    assert bench.pauses == []


@pytest.mark.parametrize("retry_after", ["-1", "soon", "9" * 50_000, "\u0663", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_a_wait_that_is_no_number_of_seconds_is_overlooked(bench, retry_after):
    _, client = bench.pair(answer(429, Retry_After=retry_after), answer(201, CREATED))

    assert client.create_message(MESSAGE, 8) == Created(SID)
    assert bench.pauses == pytest.approx([0.1])


def test_lasting_throttling_ends_with_the_deadline(bench):
    server = bench.server(answer(429))
    client = bench.client(server.url, sleep=time.sleep)

    with Stopwatch() as watch:
        assert client.create_message(MESSAGE, 1.5) == NotSent()

    assert watch.seconds <= FAR_TOO_LONG_S
    assert len(server.requests) >= 2


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        (answer(200, b"{}"), FeedbackAccepted()),
        (answer(201, b"{}"), FeedbackAccepted()),
        (answer(204), FeedbackAccepted()),
        (answer(200, b"<html>"), FeedbackAccepted()),
        (answer(400, problem(20001)), FeedbackRefused(20001)),
        (answer(404, problem(20404)), FeedbackNotFound(20404)),
        (answer(404, b"<html>"), FeedbackNotFound(None)),
        (answer(410, problem(20404)), FeedbackRefused(20404)),
        (answer(401, problem(20003)), FeedbackDeferred("credentials")),
        (answer(403, problem(20003)), FeedbackDeferred("credentials")),
        (answer(408), FeedbackDeferred("timeout")),
        (answer(425), FeedbackDeferred("too-early")),
        (answer(429, Retry_After="1"), FeedbackDeferred("throttled")),
        (answer(500), FeedbackDeferred("server-error")),
        (answer(503, b"x" * 200_000), FeedbackDeferred("server-error")),
        (disconnect, FeedbackDeferred("unreachable")),
    ],
)
def test_what_becomes_of_feedback(bench, step, outcome):
    server, client = bench.pair(step)

    assert client.post_feedback(SID, 1) == outcome
    (request,) = server.requests
    assert (request.method, request.path) == (
        "POST",
        f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}/Feedback.json",
    )
    assert request.form == {"Outcome": "confirmed"}
    assert bench.pauses == []


def test_a_sid_stays_inside_its_path_segment(bench):
    server, client = bench.pair(answer(404))

    client.post_feedback("../../x?y#z", 1)

    assert server.requests[0].path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages/..%2F..%2Fx%3Fy%23z/Feedback.json"


def test_nothing_is_posted_after_the_deadline(bench):
    server, client = bench.pair(answer(201, CREATED))
    client.post_feedback(SID, 1)

    assert client.create_message(MESSAGE, 0) == NotSent()
    assert client.post_feedback(SID, -1) == FeedbackDeferred("no-time")
    assert len(server.requests) == 1


def test_without_credentials_nothing_is_sent(bench):
    server = bench.server(answer(201, CREATED))

    def unavailable() -> TwilioCredentials:
        raise Unavailable

    with closing(TwilioClient(unavailable, server.url, sleep=bench.pauses.append)) as client:
        assert client.create_message(MESSAGE, 1) == NotSent()
        assert client.post_feedback(SID, 1) == FeedbackDeferred("credentials")
    assert server.connections == 0


def test_rotated_credentials_are_used_at_once(bench):
    server = bench.server(answer(200))
    passwords = iter(["old", "new"])

    with closing(TwilioClient(lambda: TwilioCredentials(ACCOUNT, ACCOUNT, next(passwords)), server.url)) as client:
        client.post_feedback(SID, 1)
        client.post_feedback(SID, 1)

    sent = [base64.b64decode(request.headers["authorization"].split()[1]) for request in server.requests]
    assert sent == [f"{ACCOUNT}:old".encode(), f"{ACCOUNT}:new".encode()]


def test_a_connection_is_used_again(bench):
    server, client = bench.pair(answer(201, CREATED))

    assert [client.create_message(MESSAGE, 8) for _ in range(3)] == [Created(SID)] * 3
    assert server.connections == 1


def test_a_connection_that_twilio_closed_meanwhile_costs_no_message(bench):
    server, client = bench.pair(answer_and_close(201, CREATED))
    assert client.create_message(MESSAGE, 8) == Created(SID)
    server.wait_until_closed()

    assert client.create_message(MESSAGE, 8) == Created(SID)
    assert [request.connection for request in server.requests] == [1, 2]


def test_many_threads_share_a_client(bench):
    def echo(exchange: Exchange) -> bool:
        time.sleep(0.01)
        code = int(exchange.received.path.split("/")[-2])
        return answer(404, problem(code))(exchange)

    _, client = bench.pair(echo)
    codes = range(1, 201)

    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(lambda code: client.post_feedback(str(code), 5), codes))

    assert outcomes == [FeedbackNotFound(code) for code in codes]


def test_nothing_private_is_logged_or_printed(bench, caplog):
    caplog.set_level(logging.DEBUG)
    _, client = bench.pair(answer(201, CREATED), answer(400, problem(21211)), disconnect)

    for _ in range(3):
        client.create_message(MESSAGE, 2)

    printed = caplog.text + repr(CREDENTIALS) + str(CREDENTIALS) + repr(client)
    for private in ("4915112345678", "123456", ACCOUNT, SID, "key-secret", "/2010-04-01"):
        assert private not in printed


@pytest.mark.parametrize(
    ("region", "edge", "override", "expected"),
    [
        (None, None, None, "https://api.twilio.com"),
        ("", "", "", "https://api.twilio.com"),
        ("ie1", "dublin", None, "https://api.dublin.ie1.twilio.com"),
        ("ie1", "dublin", "http://127.0.0.1:8081/", "http://127.0.0.1:8081"),
    ],
)
def test_where_the_api_is(region, edge, override, expected):
    assert api_base_url(region, edge, override) == expected
