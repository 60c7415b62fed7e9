"""The doctor: a sound stack passes; each fault is found, and told with what to do; nothing is changed."""

import json
import time
from contextlib import closing
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from operations import aws
from operations.__main__ import main
from operations.check_api import check_api
from operations.check_aws import check_alarms, check_outbox, check_stack, check_table
from operations.check_functions import _is_told, check_functions
from operations.check_twilio import check_twilio
from operations.doctor import Checks, diagnose
from operations.errors import OperationError
from operations.findings import Level, noted, passed
from operations.stack import DeployedStack
from operations.twilio import Addresses, Login
from otp_feedback.adapters.aws.items import typed
from tests.operations.account import SERVICE, number_sid
from tests.operations.laptop import NAME, SENDER, set_alarm
from tests.operations.terminals import Scripted
from tests.template.expanded import FUNCTIONS

ELSEWHERE = "https://twilio.example.com"
NOW = 1_800_000_000_000


@pytest.fixture
def doctor(laptop, emulated, capsys):
    """Runs the whole command; what it said."""

    def run(*options: str, status: int) -> str:
        assert main(["doctor", "--stack", NAME, *options]) == status, capsys.readouterr()
        said: str
        said, error = capsys.readouterr()
        assert error == ""
        return said

    return run


@pytest.fixture
def dynamodb(laptop):
    client = aws.client("dynamodb")
    yield client
    client.close()


@pytest.fixture
def secret(laptop):
    """Puts another text into the stack's secret for the test."""
    client, arn = aws.client("secretsmanager"), laptop.deployed.secret_arn
    before = client.get_secret_value(SecretId=arn)["SecretString"]

    def put(**fields: str | None) -> None:
        changed = {name: value for name, value in {**json.loads(before), **fields}.items() if value is not None}
        client.put_secret_value(SecretId=arn, SecretString=json.dumps(changed))

    yield put
    client.put_secret_value(SecretId=arn, SecretString=before)
    client.close()


def test_a_sound_stack_passes_and_nothing_is_changed(doctor, laptop, emulated):
    with laptop.loop.unchanged():
        said = doctor(status=0)
    assert "FAIL" not in said
    assert said.endswith("Everything is as it should be.\n")
    assert emulated.changes == []
    for words in (
        "region us-east-1",
        "functions run with the stack's parameters",
        "none of its 2 alarms is on",
        "can send, and points at the stack",
        "records expire",
        "no report to Twilio is due",
        "callers' routes refuse the unsigned",
        "your AWS role may call the API",
        "forged callbacks are refused",
        "signed with the auth token are accepted",
    ):
        assert words in said


def test_it_shows_no_secret_and_no_number(doctor, emulated):
    said = doctor(status=0)
    assert SENDER not in said
    assert not any(f" {token}" in said for token in emulated.tokens)


class TestTwilio:
    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            ({"tokens": {"another"}}, "does not accept these credentials"),
            ({"status": "suspended"}, "the account is suspended"),
            ({"down": 500}, "status 500"),
        ],
    )
    def test_faults_of_the_account(self, doctor, emulated, fault, words):
        for name, value in fault.items():
            setattr(emulated, name, value)
        said = doctor(status=1)
        assert words in said
        assert "1 check failed." in said

    @pytest.mark.parametrize(
        ("ahead_s", "level", "words"),
        [(5, Level.PASSED, "agrees"), (100, Level.FAILED, "s fast"), (-100, Level.FAILED, "s slow")],
    )
    def test_this_machines_clock(self, laptop, emulated, ahead_s, level, words):
        login = Login(emulated.sid, next(iter(emulated.tokens)))
        addresses = Addresses(emulated.url, emulated.url)
        found = check_twilio(login, addresses, laptop.deployed, lambda: time.time() + ahead_s, replies=False)
        assert [finding.level for finding in found if "clock" in finding.text and words in finding.text] == [level]

    def test_a_trial_account_is_told(self, doctor, emulated):
        emulated.kind = "Trial"
        assert "note  it is a trial account" in doctor(status=0)

    def test_a_sender_that_points_elsewhere(self, doctor, emulated):
        emulated.buy(SENDER)
        said = doctor(status=1)
        assert "does not point at the stack: SmsUrl, VoiceUrl" in said
        assert f"make connect STACK={NAME}" in said
        assert "can send" in doctor("--no-replies", status=0)

    def test_a_sender_that_is_gone(self, doctor, emulated):
        emulated.numbers.clear()
        assert "is not one of the account's" in doctor(status=1)

    def test_a_sender_that_cannot_send(self, doctor, emulated):
        emulated.numbers[number_sid(SENDER)]["capabilities"]["sms"] = False
        assert "cannot send text messages" in doctor("--no-replies", status=1)

    def test_a_messaging_service_without_a_number(self, deploy, twilio, monkeypatch, capsys):
        twilio.serve_with()
        deployed = deploy(Sender=SERVICE)
        deployed.keep(twilio_account_sid=twilio.sid, twilio_auth_token=next(iter(twilio.tokens)))
        main(["doctor", "--stack", deployed.stack.name, "--twilio-base-url", twilio.url])
        assert "its pool holds no number" in capsys.readouterr().out


class TestSecret:
    def test_no_credentials_yet(self, doctor, secret):
        secret(twilio_auth_token=None)
        said = doctor(status=1)
        assert "twilio_auth_token: is missing" in said
        assert "callers' routes refuse the unsigned" in said

    def test_a_key_that_is_none(self, doctor, secret):
        secret(mac_key_id="7")
        assert "mac_key_id: names none of mac_keys" in doctor(status=1)

    def test_a_previous_token_that_still_counts(self, doctor, secret):
        secret(twilio_previous_auth_token="before")
        said = doctor(status=0)
        assert "--drop-previous-token" in said
        assert "before\n" not in said

    def test_the_emulators_credentials_in_a_stack_of_twilios(self, deploy, capsys):
        deployed = deploy()
        deployed.keep(twilio_account_sid="AC" + "0" * 32, twilio_auth_token="12345")
        assert main(["doctor", "--stack", deployed.stack.name]) == 1
        assert "is the emulator's" in capsys.readouterr().out


class TestTable:
    def test_without_expiry_and_backups(self, doctor, dynamodb, laptop):
        table = laptop.stack.table_name

        def enable(enabled: bool) -> None:
            expiry = {"Enabled": enabled, "AttributeName": "ttl"}
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)
            backups = {"PointInTimeRecoveryEnabled": enabled}
            dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=backups)

        enable(False)
        try:
            said = doctor(status=1)
        finally:
            enable(True)
        assert "numbers are kept for ever" in said
        assert "it cannot be restored" in said
        assert "2 checks failed." in said

    def test_without_its_index_and_stream(self, deploy, clients, capsys):
        deployed = deploy()
        name = f"{deployed.stack.name}-bare"
        clients("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        stack = DeployedStack(name, "CREATE_COMPLETE", {**deployed.stack.outputs, "TableName": name}, {})
        texts = [finding.text for finding in check_table(clients("dynamodb"), stack) if finding.level is Level.FAILED]
        assert any("the index feedback-due is missing" in text for text in texts)
        assert any("no stream of old and new images" in text for text in texts)

    def test_the_templates_own_table(self, deploy, clients):
        """What moto's CloudFormation leaves out of the template, expiry and backups, is all that fails."""
        findings = list(check_table(clients("dynamodb"), deploy().stack))
        assert [f.text for f in findings if f.level is Level.FAILED] == [
            "records do not expire, so numbers are kept for ever",
            "it cannot be restored",
        ]


class TestOutbox:
    def put(self, client, stack, shard, due_at, since):
        item = {"pk": f"V#{shard}", "feedback_shard": shard, "feedback_due_at": due_at, "fs": since}
        client.put_item(TableName=stack.table, Item=typed(item))

    def look(self, clients, stack):
        return [(finding.level, finding.text) for finding in check_outbox(clients("dynamodb"), stack, NOW)]

    def test_reports_that_wait_for_their_turn(self, deploy, clients):
        stack = deploy().stack
        self.put(clients("dynamodb"), stack, 3, NOW + 30_000, NOW - 60_000)
        self.put(clients("dynamodb"), stack, 15, NOW - 1000, NOW - 31_000)
        assert self.look(clients, stack) == [
            (Level.PASSED, "the schedule works through the reports that are due"),
            (Level.PASSED, "the oldest report that is due has waited for 60 s"),
        ]

    def test_a_report_that_twilio_does_not_take(self, deploy, clients):
        stack = deploy().stack
        self.put(clients("dynamodb"), stack, 0, NOW + 200_000, NOW - 3_600_000)
        assert self.look(clients, stack)[1] == (Level.FAILED, "the oldest report that is due has waited for 3600 s")

    def test_a_schedule_that_has_stopped(self, deploy, clients):
        stack = deploy().stack
        self.put(clients("dynamodb"), stack, 15, NOW - 400_000, NOW - 430_000)
        assert self.look(clients, stack)[0] == (Level.FAILED, "a report has not been tried for 400 s")

    def test_one_that_the_service_left_behind(self, doctor, laptop):
        loop = laptop.loop
        started = loop.started()
        loop.fault("feedback", "status", status=503)
        loop.check(started.verification_id, loop.code(started.to))
        assert "the oldest report that is due has waited for" in doctor(status=0)


class TestApi:
    def test_callers_routes_that_are_open(self, doctor, laptop):
        laptop.front.open = True
        said = doctor(status=1)
        assert "callers' routes answer an unsigned request with status 404" in said

    def test_a_role_that_may_not_call(self, doctor, laptop):
        laptop.front.closed = True
        assert "allow it execute-api:Invoke" in doctor(status=1)

    def test_a_token_that_is_not_the_functions(self, laptop, emulated):
        found = list(check_api(laptop.deployed, None, Login(emulated.sid, "another")))
        [refused] = [finding for finding in found if finding.level is Level.FAILED]
        assert refused.text == "callbacks signed with the auth token are refused"
        assert "check PublicBaseUrl and CustomDomain" in refused.advice

    def test_an_address_that_nobody_listens_at(self, deploy, twilio, capsys):
        deployed = deploy(PublicBaseUrl="http://127.0.0.1:9")
        assert main(["doctor", "--stack", deployed.stack.name, "--twilio-base-url", twilio.url]) == 1
        assert "http://127.0.0.1:9 cannot be reached" in capsys.readouterr().out

    def test_callers_that_bring_tokens(self, laptop, emulated):
        texts = [finding.text for finding in check_api(laptop.deployed, None, None)]
        assert "callers bring tokens, so yours is not tried" in texts

    def test_another_address_for_direct_invocations(self, doctor, laptop):
        ssm, name = aws.client("ssm"), laptop.deployed.base_url_parameter
        ssm.put_parameter(Name=name, Value="https://old.example.com", Type="String", Overwrite=True)
        try:
            assert f"{name} holds another address" in doctor(status=1)
        finally:
            ssm.put_parameter(Name=name, Value=laptop.deployed.base_url, Type="String", Overwrite=True)
            ssm.close()


class Running:
    """Lambda, which tells one configuration of every function."""

    def __init__(self, **configuration):
        self._configuration = {
            "Environment": {"Variables": {"OTP_TWILIO_BASE_URL": ELSEWHERE, "OTP_PUBLIC_BASE_URL": ""}},
            **configuration,
        }

    def get_function_configuration(self, FunctionName):  # noqa: N803 - boto3's
        return self._configuration


class TestFunctions:
    @pytest.fixture
    def found(self, laptop, clients):
        """What is found where Lambda answers so, and the stack has these parameters."""

        def look(running, **parameters):
            client = aws.client("cloudformation")
            stack = replace(laptop.deployed, parameters={"TwilioBaseUrl": ELSEWHERE, **parameters})
            with closing(client):
                return [(f.level, f.text) for f in check_functions(client, running, stack)]

        return look

    def test_settings_that_are_not_the_stacks(self, doctor, laptop):
        """As an alias leaves them behind, or somebody's hand."""
        functions = aws.client("lambda")
        cloudformation = aws.client("cloudformation")
        [name] = [
            each["PhysicalResourceId"]
            for each in cloudformation.list_stack_resources(StackName=NAME)["StackResourceSummaries"]
            if each["LogicalResourceId"] == "SendOtpFunction"
        ]
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

        def run_with(**variables):
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

        try:
            run_with(**{**before, "OTP_SENDER": "+14155550166", "OTP_COUNTRIES": "FR"})
            said = doctor(status=1)
        finally:
            run_with(**before)
            functions.close()
            cloudformation.close()
        assert "SendOtpFunction runs with other settings than the stack's: OTP_COUNTRIES, OTP_SENDER" in said
        assert "docs/operations.md, 'Drift'" in said
        assert "1 check failed." in said
        assert "+14155550166" not in said
        assert "run with the stack's parameters" not in said

    def test_every_function_is_asked(self, found):
        assert found(Running()) == [(Level.PASSED, f"its {len(FUNCTIONS)} functions run with the stack's parameters")]
        wrong = found(Running(Environment={"Variables": {}}))
        assert {text.split()[0] for _, text in wrong} == set(FUNCTIONS)

    @pytest.mark.parametrize(
        ("running", "parameters", "named"),
        [
            ({"KMSKeyArn": "arn:old"}, {"KmsKeyArn": "arn:new"}, "KmsKeyArn"),
            ({"KMSKeyArn": "arn:old"}, {"KmsKeyArn": ""}, "KmsKeyArn"),
            ({}, {"KmsKeyArn": "arn:new"}, "KmsKeyArn"),
            ({"Architectures": ["arm64"]}, {"Architecture": "x86_64"}, "Architecture"),
            ({"LastUpdateStatus": "Failed"}, {}, "last update is Failed"),
            ({"Environment": {"Error": {"ErrorCode": "AccessDenied"}}}, {}, "cannot be read"),
        ],
    )
    def test_what_else_a_function_runs_with(self, found, running, parameters, named):
        findings = found(Running(**running), **parameters)
        assert len([text for level, text in findings if level is Level.FAILED and named in text]) == len(FUNCTIONS)

    @pytest.mark.parametrize(
        ("running", "parameters", "sound"),
        [
            ("", {}, True),
            ("https://old.example.com", {}, False),
            ("https://otp.example.com", {"PublicBaseUrl": "https://otp.example.com"}, True),
            ("https://old.example.com", {"PublicBaseUrl": "https://otp.example.com"}, False),
            ("https://otp.example.com", {"CustomDomain": "otp.example.com"}, True),
            ("", {"CustomDomain": "otp.example.com"}, False),
        ],
    )
    def test_the_address_that_functions_run_with(self, found, running, parameters, sound):
        variables = {"OTP_TWILIO_BASE_URL": ELSEWHERE, "OTP_PUBLIC_BASE_URL": running}
        findings = found(Running(Environment={"Variables": variables}), **parameters)
        assert [level for level, _ in findings] == ([Level.PASSED] if sound else [Level.FAILED] * len(FUNCTIONS))
        assert sound or all("OTP_PUBLIC_BASE_URL" in text for _, text in findings)

    @pytest.mark.parametrize("told", ["B?ckerei M?ller", "B??ckerei M??ller", "Bäckerei Müller"])
    def test_what_cloudformation_cannot_tell_is_no_difference(self, told):
        assert _is_told("Bäckerei Müller", told)

    @pytest.mark.parametrize("told", ["Backerei Muller", "B?ckerei", "?", "", "Bäckerei M?llerin"])
    def test_another_text_is_one(self, told):
        assert not _is_told("Bäckerei Müller", told)


class TestStack:
    def test_an_alarm_that_is_on(self, doctor, laptop):
        set_alarm("laptop-ErrorsAlarm-4D5E6F", "ALARM")
        set_alarm("laptop-other-FeedbackAgeAlarm-4D5E6F", "ALARM")
        try:
            said = doctor(status=1)
        finally:
            set_alarm("laptop-ErrorsAlarm-4D5E6F", "OK")
        assert "ErrorsAlarm is on" in said
        assert "docs/operations.md, 'ErrorsAlarm'" in said
        assert "1 check failed." in said

    def test_the_alarm_of_a_schedule_that_never_ran_yet_is_no_fault(self, doctor):
        set_alarm("laptop-RetryStoppedAlarm-4D5E6F", "INSUFFICIENT_DATA")
        cloudwatch = aws.client("cloudwatch")
        try:
            assert "RetryStoppedAlarm is new and has seen no run yet" in doctor(status=0)
            findings = list(check_alarms(cloudwatch, "laptop", int(time.time() * 1000) + 21 * 60_000))
            assert ("RetryStoppedAlarm is on", Level.FAILED) in [(f.text, f.level) for f in findings]
        finally:
            cloudwatch.delete_alarms(AlarmNames=["laptop-RetryStoppedAlarm-4D5E6F"])
            cloudwatch.close()

    def test_other_alarms_may_lack_data(self, doctor):
        set_alarm("laptop-ErrorsAlarm-4D5E6F", "INSUFFICIENT_DATA")
        try:
            assert "none of its 2 alarms is on" in doctor(status=0)
        finally:
            set_alarm("laptop-ErrorsAlarm-4D5E6F", "OK")

    def test_nobody_is_told_of_alarms(self, laptop):
        findings = list(check_stack(laptop.parameters(AlarmEmail="")))
        assert ("deploy with AlarmEmail or AlarmTopicArn", Level.NOTE) in [(f.advice, f.level) for f in findings]


def test_every_check_is_made_however_many_fail():
    def fails():
        yield passed("first")
        raise OperationError("It is broken: mend it.")

    def denied():
        message = "not authorized to perform: ssm:GetParameter on resource"
        yield passed("second")
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "GetParameter")

    terminal = Scripted()
    checks = [Checks("One", fails), Checks("Two", denied), Checks("Three", lambda: iter([noted("so", "do")]))]
    assert diagnose(checks, terminal) == 1
    assert terminal.text.splitlines() == [
        "One",
        "  ok    first",
        "  FAIL  It is broken: mend it.",
        "Two",
        "  ok    second",
        "  FAIL  AWS does not let you call ssm:GetParameter: add it to what your role may do.",
        "Three",
        "  note  so",
        "        -> do",
        "",
        "2 checks failed.",
    ]
