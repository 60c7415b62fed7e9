"""What each outcome counts, in CloudWatch's embedded metric format, as the alarms and the dashboard look for it."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from otp_feedback.domain.outcomes import MOST_NOT_FOUND
from tests.loop.driver import Loop, fresh_number
from tests.template.expanded import COUNTED_BY, ROOT, resources

type Counts = Counter[tuple[str, str]]


@contextmanager
def counting(loop: Loop) -> Iterator[Counts]:
    """Collects what the functions count within the block, by function and metric."""
    logged = len(loop.stack.logs())
    counts: Counts = Counter()
    yield counts
    for line in loop.stack.logs()[logged:].splitlines():
        if '"_aws"' not in line:
            continue
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "OtpFeedback/otp-feedback"
            assert directive["Dimensions"] == [["service"]]
            for metric in directive["Metrics"]:
                [value] = document[metric["Name"]]
                counts[document["service"], metric["Name"]] += int(value)
                assert metric["Name"] in COUNTED_BY[document["service"]]


def test_a_confirmed_code(loop):
    with counting(loop) as counts:
        started = loop.started()
        loop.deliver(started.sid, "delivered")
        loop.check(started.verification_id, loop.code(started.to))
    assert counts == {
        ("send_otp", "Sent"): 1,
        ("track_delivery", "Delivered"): 1,
        ("confirm_action", "Confirmed"): 1,
        ("confirm_action", "FeedbackReported"): 1,
    }


def test_a_guess_for_each_reason_to_refuse_it(loop):
    started = loop.started()
    wrong = loop.wrong_code(started.to)
    with counting(loop) as counts:
        for _ in range(6):
            loop.check(started.verification_id, wrong)
    assert counts == {("confirm_action", "WrongSecret"): 5, ("confirm_action", "Locked"): 1}

    late = loop.started()
    loop.advance(601)
    with counting(loop) as counts:
        loop.check(late.verification_id, loop.wrong_code(late.to))
    assert counts == {("confirm_action", "Expired"): 1}


def test_a_message_that_does_not_arrive_or_is_not_taken(loop):
    started = loop.started()
    with counting(loop) as counts:
        loop.deliver(started.sid, "undelivered", error_code=30003)
    assert counts == {("track_delivery", "Undelivered"): 1}

    loop.fault("create_message", "status", status=500)
    with counting(loop) as counts:
        loop.start(fresh_number())
    assert counts == {("send_otp", "SendFailed"): 1}


def test_what_is_answered_502_is_counted_apart(loop):
    """UnavailableAlarm takes it off API Gateway's 5xx, and nothing that was answered otherwise."""
    refused, opted_out = fresh_number(), fresh_number()
    loop.inbound("message", opted_out, body="STOP")
    with counting(loop) as counts:
        assert loop.start(opted_out).status_code == 422
    assert counts == {("send_otp", "SendFailed"): 1}
    loop.fault("create_message", "status", status=400)
    with counting(loop) as counts:
        assert loop.start(refused, key="once").status_code == 502
    assert counts == {("send_otp", "SendFailed"): 1, ("send_otp", "MessageRejected"): 1}
    with counting(loop) as counts:
        assert loop.start(refused, key="once").status_code == 502
    assert counts == {("send_otp", "MessageRejected"): 1}


def test_a_report_that_fails_and_is_made_by_the_outbox(loop):
    started = loop.started()
    loop.fault("feedback", "status", status=503)
    with counting(loop) as counts:
        loop.check(started.verification_id, loop.code(started.to))
    assert counts == {("confirm_action", "Confirmed"): 1, ("confirm_action", "FeedbackDeferred"): 1}

    with counting(loop) as counts:
        loop.report_due()
    age = counts.pop(("retry_feedback", "OldestFeedbackSeconds"))
    assert age >= 31
    assert counts == {("retry_feedback", "FeedbackReported"): 1}


def test_a_report_that_twilio_refuses(loop):
    started = loop.started()
    loop.fault("feedback", "status", status=400)
    with counting(loop) as counts:
        loop.check(started.verification_id, loop.code(started.to))
    assert counts == {("confirm_action", "Confirmed"): 1, ("confirm_action", "FeedbackRejected"): 1}


def test_reports_that_twilio_has_no_place_for(loop):
    """As many as may be given up are; what counts is how many are not."""
    begun = [loop.started() for _ in range(MOST_NOT_FOUND + 2)]
    loop.fault("feedback", "status", status=404, times=1000)
    for started in begun:
        loop.check(started.verification_id, loop.code(started.to))
    with counting(loop) as counts:
        loop.report_due()
    counts.pop(("retry_feedback", "OldestFeedbackSeconds"))
    assert counts == {
        ("retry_feedback", "FeedbackRejected"): MOST_NOT_FOUND,
        ("retry_feedback", "FeedbackSuspended"): 2,
    }


def test_a_message_that_the_caller_sent_counts_as_sent(loop):
    """Else the conversion, confirmed by sent, would exceed one."""
    with counting(loop) as counts:
        started = loop.started("caller", sid="SM" + "9" * 32)
        loop.confirm(started.verification_id)
    counts.pop(("confirm_action", "FeedbackReported"), None)
    counts.pop(("confirm_action", "FeedbackRejected"), None)
    assert counts == {("send_otp", "Sent"): 1, ("confirm_action", "Confirmed"): 1}


def test_a_test_recipient_counts_nothing(custom):
    with counting(custom) as counts:
        started = custom.started(to="+15005550100")
        custom.check(started.verification_id, "123456")
    assert not counts


def test_a_direct_start_counts_as_sent(loop):
    with counting(loop) as counts:
        loop.stack.invoke("start_directly", {"to": fresh_number(), "action": "code"})
    assert counts == {("start_directly", "Sent"): 1}


def test_a_refused_direct_start_is_no_error_of_lambdas_and_counts_nothing(loop):
    with counting(loop) as counts:
        assert loop.stack.invoke("start_directly", {"to": "+1555", "action": "code"})["status"] == 400
    assert not counts


def test_every_metric_that_is_written_is_of_some_function():
    sources = [*(ROOT / "layers/otp_feedback").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    text = "".join(path.read_text() for path in sources)
    of_problems = re.findall(r'[A-Za-z]+: "([A-Za-z]+)"', re.findall(r"_METRICS: .*= \{(.*)\}", text)[0])
    assert {*re.findall(r'\.(?:count|gauge)\("(\w+)"', text), *of_problems} == set().union(*COUNTED_BY.values())


def test_an_alarm_or_graph_that_counts_send_otp_counts_start_directly():
    widgets = json.loads(resources("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"])["widgets"]
    looked_at = [[row[:4] for row in widget["properties"]["metrics"]] for widget in widgets]
    looked_at += [
        [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]
        for alarm in resources("AWS::CloudWatch::Alarm").values()
    ]
    named = 0
    for rows in looked_at:
        texts = {json.dumps(row) for row in rows}
        # What fails start_directly is an error of Lambda's, and none of the API's answers.
        of_the_api = any("5xx" in text for text in texts)
        sending = {
            text
            for text in texts
            if re.search("send_otp|SendOtp", text)
            and not (of_the_api and "OtpFeedback/" in text)
            and '"Fault"' not in text
        }
        assert {
            text.replace("send_otp", "start_directly").replace("SendOtp", "StartDirectly") for text in sending
        } <= texts
        named += len(sending)
    assert named >= 11


def test_an_alarm_uses_what_it_takes_and_takes_no_more_than_it_may():
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        taken = {
            query["Id"] for query in alarm["Metrics"] if not query.get("ReturnData", True) and "MetricStat" in query
        }
        expressions = " ".join(query.get("Expression", "") for query in alarm["Metrics"])
        assert "METRICS()" in expressions or taken <= set(re.findall(r"[a-z0-9]+", expressions)), name
        # A hard limit: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
        assert len(taken) <= 10, name


@pytest.mark.parametrize("name", sorted(resources("AWS::CloudWatch::Alarm")))
def test_an_alarm_looks_where_the_functions_count(name):
    for query in resources("AWS::CloudWatch::Alarm")[name]["Metrics"]:
        metric = query.get("MetricStat", {}).get("Metric", {})
        if metric.get("Namespace") == {"Fn::Sub": "OtpFeedback/${AWS::StackName}"}:
            [dimension] = metric["Dimensions"]
            assert dimension["Name"] == "service"
            assert metric["MetricName"] in COUNTED_BY[dimension["Value"]]
