"""The emulator misbehaves as told, as often as told, and holds up nobody's end."""

import threading
import time

import httpx
import pytest

from local.twilio_emulator import TwilioEmulator
from tests.local.conftest import Twilio


def test_a_timeout_before_does_not_act(twilio: Twilio):
    twilio.control("faults", operation="create_message", fault="timeout_before")
    twilio.http.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        twilio.create()
    twilio.http.timeout = httpx.Timeout(5)
    assert twilio.held() == []
    assert twilio.requests()[0]["response_status"] is None
    assert twilio.create().status_code == 201


def test_a_timeout_after_acts(twilio: Twilio):
    twilio.control("faults", operation="create_message", fault="timeout_after")
    twilio.http.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        twilio.create()
    twilio.http.timeout = httpx.Timeout(5)
    assert len(twilio.held()) == 1


def test_a_status_is_answered_in_twilios_shape_and_does_not_act(twilio: Twilio):
    sid = twilio.created(ProvideFeedback="true")["sid"]
    twilio.control("faults", operation="feedback", fault="status", status=429, times=2)
    for _ in range(2):
        answer = twilio.confirm(sid)
        assert (answer.status_code, answer.json()["status"]) == (429, 429)
        assert answer.json()["code"] == 20429
    assert twilio.held()[0]["feedback"] == "unconfirmed"
    assert twilio.confirm(sid).status_code == 200


@pytest.mark.parametrize("acts", [True, False])
def test_a_trickle_is_slower_than_a_time_out_for_each_read(twilio: Twilio, acts: bool):
    sid = twilio.created(ProvideFeedback="true")["sid"]
    twilio.control("faults", operation="feedback", fault="trickle", acts=acts)
    began, received = time.monotonic(), 0
    url = f"/2010-04-01/Accounts/AC{'0' * 32}/Messages/{sid}/Feedback.json"
    with twilio.http.stream("POST", url, data={"Outcome": "confirmed"}, timeout=1) as answer:
        for chunk in answer.iter_raw():
            received += len(chunk)
            if time.monotonic() - began > 0.7:
                break
    assert 1 < received < int(answer.headers["content-length"])
    assert twilio.held()[0]["feedback"] == ("confirmed" if acts else "unconfirmed")


def test_none_ends_a_fault(twilio: Twilio):
    twilio.control("faults", operation="create_message", fault="status", times=1000)
    twilio.control("faults", operation="create_message", fault="none")
    assert twilio.create().status_code == 201


def test_faults_are_of_one_operation(twilio: Twilio):
    twilio.control("faults", operation="feedback", fault="status")
    assert twilio.create().status_code == 201


def test_a_held_connection_does_not_hold_the_end():
    emulator = TwilioEmulator()
    emulator.set_fault("create_message", "timeout_after", times=5)
    ended: list[Exception] = []

    def wait() -> None:
        try:
            httpx.post(
                f"{emulator.listener.url}/2010-04-01/Accounts/AC{'0' * 32}/Messages.json",
                data={"To": "+4915112345678", "From": "+14155550100", "Body": "x"},
                auth=("AC" + "0" * 32, "12345"),
                timeout=30,
            )
        except httpx.TransportError as error:
            ended.append(error)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(emulator.account.all()) < 3:
        time.sleep(0.01)
    began = time.monotonic()
    emulator.stop()
    for thread in threads:
        thread.join(5)
    assert time.monotonic() - began < 20
    assert [type(error) for error in ended] == [httpx.RemoteProtocolError] * 3
