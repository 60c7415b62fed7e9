"""A function has every variable that it reads: one that is missing would be a default in silence."""

import ast
import inspect
import textwrap
from dataclasses import fields
from functools import cache
from typing import Any

import pytest

from otp_feedback.adapters.settings import Settings
from otp_feedback.domain.policy import Policy
from tests.template.expanded import FUNCTIONS, ROOT, environment
from tests.template.test_changes import second_value

PACKAGE = ROOT / "layers/otp_feedback"
LEAST = {"OTP_TABLE": "t", "OTP_SECRET_ARN": "s"}
ALONGSIDE = {
    "OTP_TWILIO_REGION": {"OTP_TWILIO_EDGE": "dublin"},
    "OTP_TWILIO_EDGE": {"OTP_TWILIO_REGION": "ie1"},
    "OTP_TEST_RECIPIENTS": {"OTP_STAGE": "staging"},
}
"""What a variable needs beside it."""


def chosen(environ):
    """The values of all settings, by the name of the field that holds them."""
    settings = Settings.from_environ({**LEAST, **environ}, needs=())
    held = {each.name: getattr(settings, each.name) for each in fields(settings) if each.name != "policy"}
    return held | {each.name: getattr(settings.policy, each.name) for each in fields(settings.policy)}


@cache
def variables_of():
    """The variables that each field of the settings and of the policy is made from."""
    found: dict[str, set[str]] = {}
    default = chosen({})
    variables = dict(item for function in FUNCTIONS for item in environment(function).items())
    for variable, value in variables.items():
        if not variable.startswith("OTP_") or variable in LEAST or not isinstance(value, dict):
            continue
        text = second_value(value["Ref"]) if "Ref" in value else "https://otp.example.com"
        for name, field in chosen({**ALONGSIDE.get(variable, {}), variable: text}).items():
            if field != default[name]:
                found.setdefault(name, set()).add(variable)
    return found


@cache
def module(file):
    """What a module defines, by name, and what it imports of the package: its file and the name there."""
    defined: dict[str, ast.FunctionDef | ast.ClassDef] = {}
    imported: dict[str, tuple[Any, str]] = {}
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("otp_feedback."):
            source = PACKAGE / f"{node.module.replace('.', '/')}.py"
            imported |= {alias.asname or alias.name: (source, alias.name) for alias in node.names if source.exists()}
    return defined, imported


def read_by(function):
    """The fields that a function's code reads, with that of all functions and classes that it names."""
    app = ROOT / "functions" / FUNCTIONS[function] / "app.py"
    names, seen, todo = set(), set(), [(app, name) for name in module(app)[0]]
    while todo:
        file, name = todo.pop()
        if (file, name) in seen or name in {"Settings", "Policy"}:
            continue
        seen.add((file, name))
        defined, imported = module(file)
        for node in ast.walk(defined[name]) if name in defined else ():
            if isinstance(node, ast.Name):
                todo.append(imported.get(node.id, (file, node.id)))
            if isinstance(node, ast.Attribute):
                holder = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
                if holder in {"policy", "settings"}:
                    names |= fields_behind(node.attr)
    return names


def fields_behind(attribute):
    """An attribute itself, or the fields that it is computed from."""
    for kind in (Settings, Policy):
        member = inspect.getattr_static(kind, attribute, None)
        code = member.fget if isinstance(member, property) else member
        if inspect.isfunction(code):
            tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
            return {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self"
            }
    return {attribute}


def test_every_setting_is_of_some_variable():
    known = {each.name for kind in (Settings, Policy) for each in fields(kind)}
    # The template leaves OTP_UNSIGNED_CALLERS empty, whatever the parameters: the laptop alone sets it.
    assert known - set(variables_of()) == {"table", "secret_arn", "policy", "unsigned_callers"}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_has_the_variables_that_it_reads(function):
    read = {variable for name in read_by(function) for variable in variables_of().get(name, ())}
    assert read
    assert read - set(environment(function)) == set()


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_has_no_variable_of_its_own_that_it_does_not_read(function):
    everywhere = set.intersection(*(set(environment(each)) for each in FUNCTIONS))
    read = {variable for name in read_by(function) for variable in variables_of().get(name, ())}
    own = {name for name in environment(function) if name.startswith("OTP_")} - everywhere
    assert own - read <= {"OTP_STAGE"}, "OTP_STAGE says whether there may be test recipients"
