"""An attribute's name: long in the code, short in the table, and written in one place."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, override

import pytest

from otp_feedback.adapters.aws.items import KINDS, MESSAGE, SHORT, attribute, read_verification, verification_item
from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.keys import Mac
from otp_feedback.domain.recipient import Limits, Windows
from otp_feedback.domain.verification import Message, Proof, Verification
from otp_feedback.usecases.ports import Confirming, DueReport, Expectation
from tests.promises.executor import Executor
from tests.service import DynamoDBStore
from tests.store.records_data import NOW, TTL, a_sent_verification, new_recipient

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers/otp_feedback/otp_feedback"
AWS = sorted((PACKAGE / "adapters/aws").glob("*.py"))
ITEMS = PACKAGE / "adapters/aws/items.py"
OTHERS = [
    path
    for folder in (PACKAGE, ROOT / "functions", ROOT / "local", ROOT / "operations")
    for path in sorted(folder.rglob("*.py"))
    if path != ITEMS
]
STORED_SHORT = {short for name, short in SHORT.items() if short != name}
EXPRESSION = re.compile(r"attribute_(not_)?exists|begins_with\(|\b(SET|ADD|REMOVE) #?\w|#\w+ (=|<>|<=?|>=?|IN) ")


def texts(path: Path) -> Iterator[str]:
    """Every string of a module, and every part of one between placeholders."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def keys(path: Path) -> Iterator[str]:
    """Every string by which a module writes or reads a mapping."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Subscript(slice=ast.Constant(value=str() as key)):
                yield key
            case ast.Dict(keys=names):
                yield from (each.value for each in names if isinstance(each, ast.Constant))  # type: ignore[misc]
            case ast.Compare(left=ast.Constant(value=str() as key), ops=[ast.In() | ast.NotIn()]):
                yield key
            case ast.Call(func=ast.Attribute(attr="get" | "pop"), args=[ast.Constant(value=str() as key), *_]):
                yield key


def name_of(path: Path) -> str:
    """A module's path within the repository."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("kind", KINDS)
def test_two_attributes_of_an_item_have_two_names(kind: dict[str, str]):
    assert len(set(kind.values())) == len(kind)


def test_a_name_in_an_expression_means_one_attribute():
    for one, other in itertools.combinations(KINDS, 2):
        assert {one[name] for name in one.keys() & other.keys()} == {other[name] for name in one.keys() & other.keys()}
    assert SHORT.keys().isdisjoint(STORED_SHORT)


def test_numbers_of_slots_and_messages_stay():
    assert [attribute(name) for name in ("slot0", "held_by29", "2", "state")] == ["s0", "v29", "2", "st"]


@pytest.mark.parametrize("name", ["st", "v0", "f", "states"])
def test_no_expression_can_hold_a_short_name_or_another(name: str):
    with pytest.raises(KeyError):
        attribute(name)


@pytest.mark.parametrize("path", AWS, ids=name_of)
def test_no_expression_holds_a_short_name(path: Path):
    names = {name for text in texts(path) for name in re.findall(r"#([A-Za-z_]+)", text)}
    assert names <= SHORT.keys() | {"n"}


def test_no_other_module_writes_a_key():
    assert [(name_of(path), text) for path in OTHERS for text in texts(path) if re.match("[A-Z]#", text)] == []


def test_no_module_outside_the_corner_writes_an_expression():
    outside = [path for path in OTHERS if path not in AWS]
    found = [(name_of(path), text) for path in outside for text in texts(path) if EXPRESSION.search(text)]
    assert found == []


def test_no_other_module_writes_a_short_name():
    # "ms" is also a language.
    storing = [path for path in OTHERS if path not in {*(PACKAGE / "domain").rglob("*.py")}]
    assert {(name_of(path), key) for path in storing for key in keys(path) if key in STORED_SHORT} == set()


def test_what_these_tests_look_for_they_would_find(tmp_path: Path):
    bad = tmp_path / "bad.py"
    bad.write_text('update(f"V#{id}", "SET #st = :x", {"fs": 1}, item["cb"], "rb" in item, item.get("fn"))')
    assert any(re.match("[A-Z]#", text) for text in texts(bad))
    assert any(EXPRESSION.search(text) for text in texts(bad))
    assert set(keys(bad)) == {"fs", "cb", "rb", "fn"}
    assert ITEMS.exists()
    assert len(OTHERS) > 100


def test_items_are_stored_under_the_names_that_they_always_had():
    """Whatever is renamed in the code: records of earlier versions stay readable, and stay small."""
    client = Executor("table")
    store = DynamoDBStore(client, "table")
    limits, recipient = Limits(), new_recipient()
    message = Message(1, NOW + 1, NOW, Mac("0", bytes(32)), idempotency=bytes(24), registered=True)
    record = Verification(
        verification_id="A" * 22,
        action=Action.CODE,
        to="+4915112345678",
        created_at=NOW,
        max_attempts=5,
        messages={1: message},
        sender="Acme",
        locale="de",
        template="t",
        reference="r",
        limit_key=bytes(16),
        fingerprint=bytes(16),
        is_test=True,
    )
    store.create(record, TTL, "token")
    store.add_message(record.verification_id, Message(2, NOW + 1, NOW), "token")
    store.advance_message(record.verification_id, 1, Delivery.SENT, "SM1", 30003, "+4915112345679")
    store.reserve_attempt(record.verification_id, frozenset(Action), Expectation(), "token")
    store.confirm(record.verification_id, Confirming(1, None, frozenset(Action), Proof.SECRET), NOW, NOW, "token")
    store.postpone(DueReport(record.verification_id, 0, NOW), NOW + 1)
    canceled = Verification("B" * 22, Action.LINK, "+4915112345678", NOW, 5, {1: message}, "Acme")
    store.create(canceled, TTL, "token")
    store.cancel(canceled.verification_id, "token")
    store.reserve_send(recipient, "holder", NOW, limits, "token")
    store.add_failure(recipient)
    store.reset_failures(recipient, NOW)
    store.note_inbound(recipient, NOW)
    store.reserve_limit_key(bytes(16), NOW, Windows(0, 1, 2), "token")
    store.bind_inbound("SM1", record.verification_id, 1)
    store.count_sends(NOW, 1, TTL)
    store.lease_shard(0, "me", NOW, NOW)
    store.add_outcomes("4", NOW)
    stored = {key[:3]: " ".join(sorted(item)) for key, item in client.items.items()}
    # A recipient's slots that were never used are made with its first send, and are all alike.
    slots = " ".join(sorted(f"{name}{slot}" for name in "sv" for slot in range(10)))
    assert stored == {
        "V#A": "ac at cb cm cp cr ct feedback_due_at feedback_shard fn fp fs lk lo ms mx pk rb rf se st te to tp wb",
        "V#B": "ac at cr ms mx pk se st to ttl wb xb",
        f"R#{recipient.hex()[0]}": f"f lc li pk rb {slots}",
        "K#0": "pk rb s0 s1 ttl v0 v1",
        "I#S": "n pk v",
        f"C#{str(NOW)[0]}": "pk sends ttl",
        "L#0": "holder pk until",
        "F#o": "at o pk",
    }
    messages = client.items[f"V#{record.verification_id}"]["ms"]["M"]
    assert {number: " ".join(sorted(each["M"])) for number, each in messages.items()} == {
        "1": "c d e f i k m o r s x",
        "2": "c d f w x",
    }


def test_a_record_with_the_moment_of_a_delivery_is_read_as_one_without():
    """Earlier versions stored it as `t`, which no other attribute of a message may be called."""
    record = a_sent_verification(1, 2)
    item = verification_item(record, TTL, "token")
    for message in item["ms"]["M"].values():
        message["M"]["t"] = {"N": str(NOW)}
    assert read_verification(item) == record
    assert "t" not in MESSAGE.values()


def test_the_longest_expression_stays_under_4_kb():
    """DynamoDB refuses longer ones (its developer guide, "Quotas"); the settings allow 30 slots of a limit key."""

    class Measured(Executor):
        longest = 0

        @override
        def update_item(self, **request: Any) -> dict[str, Any]:
            self.longest = max(self.longest, len(request["UpdateExpression"]), len(request["ConditionExpression"]))
            return super().update_item(**request)

    client = Measured("table")
    store = DynamoDBStore(client, "table")
    store.reserve_limit_key(bytes(16), NOW, Windows(0, 30, 30), "token")
    store.release_limit_key(bytes(16), Windows(0, 30, 30), "token")
    assert 2000 < client.longest <= 4096
