"""What import-linter cannot say: where `confirmed` is written, and that nothing pure looks at a clock or draws lots."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otp_feedback.domain import identifiers
from otp_feedback.domain.actions import TRAITS, Action, Way
from otp_feedback.domain.texts.data import TEXTS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "layers" / "otp_feedback" / "otp_feedback"
HANDLERS = sorted((ROOT / "functions").glob("*/app.py"))
PURE = ("domain", "usecases")
IMPURE_MODULES = {
    "asyncio", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "socket", "ssl",
    "subprocess", "sys", "tempfile", "time", "urllib.request", "uuid", "zoneinfo",
}  # fmt: skip
IMPURE_CALLS = {"now", "today", "utcnow", "print", "open", "input", "getenv"}


def modules(*folders: str) -> list[Path]:
    """The modules in some of the package's folders, all of them by default."""
    return sorted(path for folder in folders or ("",) for path in (PACKAGE / folder).rglob("*.py"))


def nodes(path: Path) -> Iterator[ast.AST]:
    """Every node of a module."""
    yield from ast.walk(ast.parse(path.read_text(), path))


def name_of(path: Path) -> str:
    """A module's path within the package."""
    return str(path.relative_to(PACKAGE))


def writes_confirmed(function: ast.FunctionDef) -> bool:
    """Whether a method gives a request the value `State.CONFIRMED`."""
    return any(ast.unparse(node) == "State.CONFIRMED.value" for node in ast.walk(function))


def test_one_method_of_the_store_writes_confirmed_and_nothing_else_in_the_adapters_does():
    writers = [
        (name_of(path), node.name)
        for path in modules("adapters")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and writes_confirmed(node)
    ]
    assert writers == [("adapters/aws/verifications.py", "confirm")]


def test_the_word_confirmed_stands_in_no_request_as_a_literal():
    places = [
        name_of(path)
        for path in modules("adapters", "usecases")
        for node in nodes(path)
        if isinstance(node, ast.Constant) and node.value == "confirmed"
    ]
    # The answers' types, and what Twilio is told.
    assert set(places) <= {"adapters/web/wire.py", "adapters/twilio/client.py"}


def test_one_function_of_the_use_cases_asks_the_store_to_write_confirmed():
    askers = [
        (name_of(path), function.name)
        for path in modules("usecases")
        for function in nodes(path)
        if isinstance(function, ast.FunctionDef)
        and any(
            isinstance(node, ast.Call) and ast.unparse(node.func).endswith("verifications.confirm")
            for node in ast.walk(function)
        )
    ]
    assert len(askers) == 1
    assert askers[0][0] == "usecases/confirm.py"


@pytest.mark.parametrize("path", modules(*PURE), ids=name_of)
def test_the_pure_modules_get_time_and_randomness_passed_in(path: Path):
    for node in nodes(path):
        if isinstance(node, ast.Import):
            assert not {alias.name for alias in node.names} & IMPURE_MODULES
        elif isinstance(node, ast.ImportFrom):
            assert node.module not in IMPURE_MODULES
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in IMPURE_CALLS


def test_secrets_are_revealed_to_macs_forms_texts_and_ids_alone():
    revealing = {
        name_of(path)
        for path in modules()
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reveal"
    }
    assert revealing == {
        "domain/actions.py",
        "domain/keys.py",
        "domain/links.py",
        "usecases/another.py",
        "usecases/message.py",
        "usecases/start.py",
    }


def test_one_module_names_the_actions():
    """What makes one action differ from another stands in one table; texts are keyed by the actions' names."""
    naming = {
        name_of(path)
        for path in modules()
        for node in nodes(path)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node).startswith("Action.")
        and node.attr in Action.__members__
    }
    assert naming == {"domain/actions.py"}
    named_as_text = {
        name_of(path)
        for path in modules()
        for node in nodes(path)
        if isinstance(node, ast.Compare) and {"code", "password", "caller", "reply"} & set(constants(node))
    }
    assert not named_as_text


def constants(node: ast.AST) -> Iterator[str]:
    """The texts within an expression."""
    return (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def test_the_table_of_actions_is_complete():
    assert set(TRAITS) == set(Action) == set(TEXTS)
    assert {way for traits in TRAITS.values() for way in traits.ways} == set(Way)
    for action, traits in TRAITS.items():
        assert traits.ways, action
        assert traits.carries is not None or traits.form is None, action
        assert not (traits.callers_own and traits.make_secret), action


def imported(path: Path) -> set[str]:
    """The modules that a module imports, each with its package; a name taken from one is no module."""
    names: set[str] = set()
    for node in nodes(path):
        names |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        names |= {node.module} if isinstance(node, ast.ImportFrom) and node.module else set()
    return names


LIBRARIES = {
    "boto3": "adapters/aws/",
    "botocore": "adapters/aws/",
    "httpx": "adapters/twilio/",
    "httpcore": "adapters/twilio/",
    "aws_lambda_powertools": "adapters/request_log.py",
    "msgspec": "adapters/web/",
}
"""What talks to the outside, and the one place that knows it."""


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_library_of_the_outside_has_one_place(path: Path):
    for name in imported(path):
        assert name_of(path).startswith(LIBRARIES.get(name.partition(".")[0], "")), name


def test_of_powertools_only_the_logger_and_the_metrics_are_used():
    """Its event handler takes as long to import as httpx, and API Gateway has routed already."""
    used = {name for path in [*modules(), *HANDLERS] for name in imported(path) if name.startswith("aws_lambda_power")}
    assert used == {"aws_lambda_powertools", "aws_lambda_powertools.metrics"}


LINES_OF_A_HANDLER = 60
PLACES_OF_A_HANDLER = ("otp_feedback.wiring", "otp_feedback.adapters.web.", "otp_feedback.usecases.")
BESIDES = {"otp_feedback.adapters.clock", "otp_feedback.adapters.parallel"}


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_holds_routes_and_nothing_else(path: Path):
    assert len(path.read_text().splitlines()) <= LINES_OF_A_HANDLER
    for name in imported(path):
        known = {*BESIDES, *sys.stdlib_module_names}
        assert {name, name.partition(".")[0]} & known or f"{name}.".startswith(PLACES_OF_A_HANDLER), name
    assert not [node for node in nodes(path) if isinstance(node, ast.ClassDef | ast.Try | ast.For | ast.While)]


def test_every_function_tells_its_clients_how_much_time_is_left():
    """A call that outlasts the invocation is lost with all that was to be written after it."""
    clients = {"Table", "SecretVault", "TwilioClient"}
    seen = set()
    for path in [*HANDLERS, *modules()]:
        for node in nodes(path):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in clients:
                seen.add(ast.unparse(node.func))
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                assert any("time_left" in ast.unparse(each) for each in given), (path, ast.unparse(node))
    assert seen == clients


def compares_a_digest(node: ast.AST) -> bool:
    """Whether an expression holds a digest or a signature against something with `==`, `!=` or `in`."""
    operators = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
    if not isinstance(node, ast.Compare) or not any(isinstance(operator, operators) for operator in node.ops):
        return False
    return any(word in ast.unparse(node) for word in ("digest", "signature", "sign(", "_hmac(", "given"))


def test_the_domain_compares_no_digest_with_an_operator():
    """OWASP ASVS 11.2.4: what an attacker could learn from the time of a comparison is compared in constant time."""
    for path in (PACKAGE / "domain/keys.py", PACKAGE / "adapters/twilio/signature.py"):
        assert not [ast.unparse(node) for node in nodes(path) if compares_a_digest(node)], path


def test_what_these_tests_look_for_they_would_find():
    assert compares_a_digest(ast.parse("mac.digest == _hmac(key)").body[0].value)  # type: ignore[attr-defined]
    method = ast.parse("def confirm(self):\n    return {':c': State.CONFIRMED.value}").body[0]
    assert isinstance(method, ast.FunctionDef)
    assert writes_confirmed(method)
    assert len(modules(*PURE)) > 15
    assert len(HANDLERS) == 5
    assert "typing" in imported(PACKAGE / "wiring.py")


def test_a_form_of_numbers_and_sids_is_written_once():
    forms = {value for name, value in vars(identifiers).items() if name.isupper()}
    assert len(forms) > 5
    folders = (PACKAGE, ROOT / "functions", ROOT / "local", ROOT / "operations")
    for path in (path for folder in folders for path in folder.rglob("*.py") if path.name != "identifiers.py"):
        assert not [form for form in forms if form in path.read_text()], path
