"""Erasing a number: what goes, what stays and is said, and what comes late."""

import pytest

from operations import aws
from operations.__main__ import main
from operations.erase import erase
from operations.errors import OperationError
from operations.number import read_number
from operations.secret import keys_of, read_secret
from otp_feedback.adapters.aws.items import recipient_key
from tests.loop.driver import fresh_number
from tests.operations.laptop import NAME
from tests.operations.terminals import Scripted


@pytest.fixture(scope="module")
def aws_clients(_laptop):
    laptop, _ = _laptop
    with pytest.MonkeyPatch.context() as patch:
        for name, value in laptop.stack.aws.environment.items():
            patch.setenv(name, value)
        yield aws.client("dynamodb"), aws.client("secretsmanager")


@pytest.fixture
def run(laptop, aws_clients):
    def run(number, *answers, **wishes):
        terminal = Scripted(*answers)
        dynamodb, secrets = aws_clients
        status = erase(dynamodb, secrets, laptop.deployed, read_number(number), terminal, **wishes)
        assert not terminal.unused
        assert number not in terminal.text
        return status, terminal.text

    return run


@pytest.fixture
def loop(laptop):
    return laptop.loop


def confirmed(loop, to=None, **fields):
    """A verification whose action was performed and reported."""
    started = loop.started(to=to, **fields)
    assert loop.check(started.verification_id, loop.code(started.to)).status_code == 200
    assert loop.outcome(started.sid) == "confirmed"
    return started


def confirmed_and_due(loop, to=None):
    """A verification whose action was performed, and whose report Twilio did not take."""
    started = loop.started(to=to)
    loop.fault("feedback", "status", status=503)
    assert loop.check(started.verification_id, loop.code(started.to)).status_code == 200
    return started


def kinds(loop):
    return sorted(key[:2] for key in loop.scan())


def test_all_that_the_table_holds_of_a_number_goes_and_nothing_of_others(loop, run):
    number, other = fresh_number(), confirmed(loop)
    others = loop.scan()
    confirmed(loop, number)
    loop.advance(31)
    loop.started("link", number)
    status, text = run(number, "y")
    assert status == 0
    assert loop.scan() == others
    assert "2 verifications, 0 of them with a report" in text
    assert "Erased: 2 verifications." in text
    assert loop.view(other.verification_id)["status"] == "confirmed"


@pytest.mark.parametrize("asked", ["+5491112345678", "+541112345678"])
def test_a_subscriber_with_two_forms_is_erased_under_either(loop, run, asked):
    loop.started(to="+5491112345678")
    loop.advance(31)
    loop.started(to="+541112345678")
    status, text = run(asked, "y")
    assert status == 0
    assert "2 verifications" in text
    assert loop.scan() == {}


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("+541112345678", "+5491112345678"),
        ("+5491112345678", "+541112345678"),
        ("+551187654321", "+5511987654321"),
        ("+5215512345678", "+525512345678"),
        ("+49015112345678", "+49015112345678"),
        ("+15550100", "+15550100"),
    ],
)
def test_what_was_kept_under_the_number_as_it_was_written_goes_too(loop, laptop, run, aws_clients, stored, asked):
    """Earlier versions took more spellings, and kept a recipient for each."""
    dynamodb, secrets = aws_clients
    started = loop.started("reply")
    inbound = loop.inbound("message", started.to, body="yes")
    loop.report_due()
    table, old, new = loop.stack.table_name, f"V#{started.verification_id}", {"to": {"S": stored}}
    dynamodb.put_item(TableName=table, Item={**loop.scan()[old], "pk": {"S": old}, **new})
    [recipient] = [key for key in loop.scan() if key.startswith("R#")]
    key = recipient_key(keys_of(read_secret(secrets, laptop.deployed.secret_arn)).index("recipient", stored))
    dynamodb.put_item(TableName=table, Item={**loop.scan()[recipient], "pk": {"S": key}})
    dynamodb.delete_item(TableName=table, Key={"pk": {"S": recipient}})
    status, text = run(asked, "y")
    assert status == 0
    assert "1 recipients with their budgets" in text
    assert stored not in text
    assert [key for key in loop.scan() if key[0] != "L"] == [f"I#{inbound['sid']}"]


def test_it_says_what_remains_elsewhere(loop, run):
    started = confirmed(loop)
    _, text = run(started.to, "y")
    for words in ("35 days", "24 hours", "30 days", "masked", "docs/privacy.md", started.sid):
        assert words in text


def test_who_does_not_agree_erases_nothing(loop, run):
    started = loop.started()
    before = loop.scan()
    assert run(started.to, "n")[0] == 0
    assert loop.scan() == before


def test_a_number_that_nothing_is_known_of_asks_nothing(loop, run):
    loop.started()
    status, text = run(fresh_number())
    assert status == 0
    assert "0 verifications" in text


class TestWhatComesLate:
    """Nothing brings an erased record back."""

    def test_status_callbacks(self, loop, run):
        started = loop.started()
        run(started.to, "y")
        before = loop.scan()
        for status in ("sent", "delivered", "undelivered", "read"):
            answer = loop.deliver(started.sid, status)
            assert answer["response_status"] in {200, 204}
        assert loop.scan() == before == {}

    def test_guesses_and_words_of_the_caller(self, loop, run):
        started, link = loop.started(), loop.started("link")
        code, link_id = loop.code(started.to), loop.link_id(link.to)
        run(started.to, "y")
        run(link.to, "y")
        assert loop.check(started.verification_id, code).status_code == 404
        assert loop.confirm(started.verification_id).status_code == 404
        assert loop.cancel(started.verification_id).status_code == 404
        assert loop.another(started.verification_id).status_code == 404
        assert loop.tap(link_id).status_code == 400
        loop.report_due()
        assert loop.scan() == {}
        assert loop.reports(started.sid) == []

    def test_a_reply(self, loop, run):
        started = loop.started("reply")
        run(started.to, "y")
        assert loop.inbound("message", started.to, body="yes")["response_status"] == 200
        assert kinds(loop) == ["I#"]
        assert loop.reports(started.sid) == []

    def test_the_outbox_after_a_report_was_given_up(self, loop, run):
        started = confirmed_and_due(loop)
        run(started.to, "y", force=True)
        loop.report_due()
        assert loop.scan() == {}
        assert loop.outcome(started.sid) != "confirmed"


class TestReplies:
    def test_the_inbound_message_is_cut_off(self, loop, run):
        started = loop.started("reply")
        inbound = loop.inbound("message", started.to, body="yes")
        loop.report_due()
        status, text = run(started.to, "y")
        assert status == 0
        assert "1 inbound messages and calls" in text
        assert {key: item["v"] for key, item in loop.scan().items() if key[0] != "L"} == {
            f"I#{inbound['sid']}": {"S": "-"}
        }

    def test_one_that_is_sent_once_more_confirms_no_later_verification(self, loop, run):
        number = fresh_number()
        loop.started("reply", number)
        inbound = loop.inbound("message", number, body="yes")
        loop.report_due()
        run(number, "y")
        later = loop.started("reply", number)
        again = loop.inbound("message", number, body="yes", sid=inbound["sid"])
        assert again["response_status"] == 200
        assert loop.view(later.verification_id)["status"] == "pending"
        assert loop.reports(later.sid) == []

    def test_others_stay_bound(self, loop, run):
        started, other = loop.started("reply"), loop.started("reply")
        loop.inbound("message", started.to, body="yes")
        theirs = loop.inbound("message", other.to, body="yes")
        loop.report_due()
        run(started.to, "y")
        assert loop.scan()[f"I#{theirs['sid']}"]["v"] == {"S": other.verification_id}

    def test_one_whose_record_has_expired(self, loop, run, aws_clients):
        started = loop.started("reply")
        inbound = loop.inbound("message", started.to, body="yes")
        dynamodb, _ = aws_clients
        dynamodb.delete_item(TableName=loop.stack.table_name, Key={"pk": {"S": f"V#{started.verification_id}"}})
        assert run(started.to, "y")[0] == 0
        assert loop.scan()[f"I#{inbound['sid']}"]["v"] == {"S": "-"}


class TestReportsThatAreDue:
    def test_they_are_not_lost_unasked(self, loop, run):
        started = confirmed_and_due(loop)
        before = loop.scan()
        with pytest.raises(OperationError, match="the outbox makes such a report within minutes") as refused:
            run(started.to)
        assert started.to not in str(refused.value)
        assert loop.scan() == before
        loop.report_due()
        assert run(started.to, "y")[0] == 0
        assert loop.outcome(started.sid) == "confirmed"

    def test_by_force_they_are(self, loop, run):
        started = confirmed_and_due(loop)
        status, text = run(started.to, "y", force=True)
        assert status == 0
        assert "1 of them with a report to Twilio that is due" in text
        assert loop.scan() == {}


class TestMeanwhile:
    """What is written between the look and the deletion is kept, and said."""

    @pytest.mark.parametrize("force", [False, True])
    def test_a_confirmation_whose_report_is_due(self, loop, run, force):
        started = loop.started()

        def confirm():
            loop.fault("feedback", "status", status=503)
            assert loop.check(started.verification_id, loop.code(started.to)).status_code == 200
            return "y"

        status, text = run(started.to, confirm, force=force)
        assert status == 1
        assert "erase again" in text
        assert "Erased: 0 verifications." in text
        assert kinds(loop) == ["R#", "V#"]
        loop.report_due()
        assert loop.outcome(started.sid) == "confirmed"
        assert run(started.to, "y")[0] == 0

    def test_a_confirmation_that_was_reported_at_once(self, loop, run):
        started = loop.started()

        def confirm():
            loop.check(started.verification_id, loop.code(started.to))
            return "y"

        assert run(started.to, confirm)[0] == 1
        assert loop.view(started.verification_id)["status"] == "confirmed"

    def test_a_new_verification(self, loop, run):
        number = fresh_number()
        loop.started(to=number)
        loop.advance(31)

        def start():
            loop.started(to=number)
            return "y"

        status, text = run(number, start)
        assert status == 1
        assert "Erased: 1 verifications." in text
        assert kinds(loop) == ["R#", "V#"]
        assert run(number, "y")[0] == 0
        assert loop.scan() == {}

    def test_a_record_that_expired_by_itself_is_no_obstacle(self, loop, run, aws_clients):
        started = loop.started()
        dynamodb, _ = aws_clients

        def expire():
            dynamodb.delete_item(TableName=loop.stack.table_name, Key={"pk": {"S": f"V#{started.verification_id}"}})
            return "y"

        assert run(started.to, expire)[0] == 0
        assert loop.scan() == {}


def test_a_table_of_many_pages(loop, run, aws_clients):
    dynamodb, _ = aws_clients
    number = fresh_number()
    for _ in range(2):
        loop.started(to=number)
        loop.advance(31)
    for index in range(4):
        item = {"pk": {"S": f"filler#{index}"}, "filler": {"B": bytes(390_000)}}
        dynamodb.put_item(TableName=loop.stack.table_name, Item=item)
    assert run(number, "y")[0] == 0
    assert kinds(loop) == ["fi"] * 4


def test_the_command_by_make(loop, laptop, capsys):
    started = loop.started()
    assert main(["erase", "--stack", NAME, "--number", started.to, "--yes"]) == 0
    captured = capsys.readouterr()
    assert started.to not in captured.out + captured.err
    assert loop.scan() == {}


def test_the_command_says_why_it_refuses(loop, laptop, capsys):
    started = confirmed_and_due(loop)
    arguments = ["erase", "--stack", NAME, "--number", started.to, "--yes"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert "Nothing was erased" in captured.err
    assert started.to not in captured.out + captured.err
    assert main([*arguments, "--force"]) == 0
