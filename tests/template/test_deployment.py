"""`make deploy`: what an environment of samconfig.toml sets, and that the command line takes nothing away from it."""

import json
import re
import subprocess
import tomllib
from typing import Any

import pytest

from tests.template.expanded import ROOT, source

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())
ENVIRONMENTS = ["default", "staging", "prod"]
GIVEN = {"AppName": 'Bäckerei "Zur Post"', "Sender": "+14155550100", "Countries": "US,CA"}
BY_NAME = [f"APP_NAME={GIVEN['AppName']}", f"SENDER={GIVEN['Sender']}", f"COUNTRIES={GIVEN['Countries']}"]
INCLUDED = re.compile(r"file://(environments/[a-z]+\.toml)")


def of_file(name: str) -> dict[str, str]:
    return {key: str(value) for key, value in tomllib.loads((ROOT / name).read_text()).items()}


def of_samconfig(environment: str) -> dict[str, str]:
    named = CONFIG[environment]["deploy"]["parameters"].get("parameter_overrides")
    if named is None:
        return {}
    included = INCLUDED.fullmatch(named)
    assert included is not None
    return of_file(included[1])


def run_by_make(tmp_path: Any, *arguments: str, **environ: str) -> list[str]:
    """What SAM CLI would be called with."""
    stand_in = tmp_path / "sam"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)
    ran = subprocess.run(
        ["make", "--silent", "--old-file=build", "deploy", f"SAM={stand_in}", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def of_make(called: list[str]) -> dict[str, str]:
    """The parameters as SAM CLI 1.170 reads them: later ones win, and quotes around a value are taken off."""
    parameters: dict[str, str] = {}
    if "--parameter-overrides" not in called:
        return parameters
    for argument in called[called.index("--parameter-overrides") + 1 :]:
        if argument.startswith("--"):
            break
        if included := INCLUDED.fullmatch(argument):
            parameters |= of_file(included[1])
        else:
            name, _, value = argument.partition("=")
            if value.startswith('"'):
                value = value[1:-1].replace('\\"', '"')
            parameters[name] = value
    return parameters


def refused(parameters: dict[str, str]) -> list[str]:
    """Names that the template does not know, and values that it does not take."""
    known = source()["Parameters"]
    return [
        name
        for name, value in parameters.items()
        if name not in known
        or not re.fullmatch(known[name].get("AllowedPattern", ".*"), value)
        or value not in map(str, known[name].get("AllowedValues", [value]))
        or (known[name]["Type"] == "Number" and not known[name].get("MinValue", 0) <= int(value))
    ]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_sets_parameters_that_exist_to_values_that_they_take(environment):
    assert refused(of_samconfig(environment)) == []


def test_a_wrong_parameter_would_be_found():
    assert refused({"Stage": "prod", "LogRetention": "90", "HourlyCap": "0"}) == ["Stage", "LogRetention"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_with_the_three_values_every_parameter_has_one(tmp_path, environment):
    parameters = of_make(run_by_make(tmp_path, f"CONFIG_ENV={environment}", *BY_NAME))
    assert parameters == of_samconfig(environment) | GIVEN
    assert {name for name, p in source()["Parameters"].items() if "Default" not in p} <= set(parameters)
    assert refused(parameters) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_is_given_by_name_keeps_what_the_environment_sets(tmp_path, environment):
    called = run_by_make(
        tmp_path, f"CONFIG_ENV={environment}", "PARAMETERS=HourlyCap=500", "ARGS=--no-confirm-changeset"
    )
    assert called[:3] == ["deploy", "--config-env", environment]
    assert called[-1] == "--no-confirm-changeset"
    assert of_make(called) == of_samconfig(environment) | {"HourlyCap": "500"}


def test_without_parameters_samconfigs_hold_and_the_stack_keeps_its_own(tmp_path):
    assert run_by_make(tmp_path, "CONFIG_ENV=prod", APP_NAME="somebody's variable") == [
        "deploy",
        "--config-env",
        "prod",
    ]


@pytest.mark.parametrize(
    ("goal", "calls"),
    [
        ("build", ["sam build --guided"]),
        ("deploy", ["sam build", 'sam deploy --config-env "default" --guided']),
        ("package", ["sam build", "sam package --resolve-s3 --output-template-file .aws-sam/packaged.yaml --guided"]),
    ],
)
def test_options_are_for_what_was_asked_for(goal, calls):
    arguments = ["make", "--dry-run", goal, "SAM=sam", "ARGS=--guided"]
    ran = subprocess.run(
        arguments, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=30, check=True
    )
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert [line for line in lines if line.startswith("sam ")] == calls


def test_stages_are_what_their_names_say():
    assert of_samconfig("default")["Stage"] == "development"
    assert of_samconfig("staging")["Stage"] == "staging"
    assert of_samconfig("prod")["Stage"] == source()["Parameters"]["Stage"]["Default"] == "production"


def test_only_who_names_production_means_it():
    """`sam sync` pushes each save, and a bare `sam deploy` what is built, to the default environment's stack."""
    for environment in set(ENVIRONMENTS) - {"prod"}:
        settings = CONFIG[environment]
        assert "prod" not in settings["global"]["parameters"]["stack_name"]
        for command in {"deploy", "sync"} & set(settings):
            [file] = INCLUDED.findall(settings[command]["parameters"]["parameter_overrides"])
            assert of_file(file)["Stage"] in {"development", "staging"}


def test_no_other_environment_may_be_synchronised():
    assert [environment for environment in ENVIRONMENTS if "sync" in CONFIG[environment]] == ["default"]


OLDEST_SAM = (1, 156, 0)
"""The first release of SAM CLI that reads `file://` among parameters."""


def test_the_oldest_sam_that_reads_the_environments_is_named():
    [pinned] = re.findall(r"^aws-sam-cli==([0-9.]+)", (ROOT / "requirements/sam.txt").read_text(), re.MULTILINE)
    assert tuple(map(int, pinned.split("."))) >= OLDEST_SAM
    for page in ("README.md", "docs/operations.md", "samconfig.toml"):
        assert ".".join(map(str, OLDEST_SAM)) in (ROOT / page).read_text()


def test_who_cannot_be_asked_is_told_how_to_deploy():
    asked = [each for each in ENVIRONMENTS if CONFIG[each]["deploy"]["parameters"]["confirm_changeset"]]
    assert "prod" in asked
    assert "ARGS=--no-confirm-changeset" in (ROOT / "docs/operations.md").read_text()


def test_stacks_are_named_apart():
    names = {CONFIG[environment]["global"]["parameters"]["stack_name"] for environment in ENVIRONMENTS}
    assert len(names) == len(ENVIRONMENTS)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({}, ""),
    ],
)
def test_sam_is_told_the_region_that_the_aws_cli_would_take(tmp_path, variables, region):
    stand_in = 'SAM=printf "%s\\n" "$$AWS_DEFAULT_REGION"; :'
    assert run_by_make(tmp_path, stand_in, **variables) == [region]


@pytest.mark.sam
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_sam_reads_them_so(tmp_path, environment):
    called = run_by_make(tmp_path, f"CONFIG_ENV={environment}", *BY_NAME)
    overrides = called[called.index("--parameter-overrides") + 1 :]
    read = (
        "import json, sys\nfrom samcli.cli.types import CfnParameterOverridesType as Type\n"
        "print(json.dumps(Type().convert(tuple(sys.argv[1:]), None, None)))"
    )
    ran = subprocess.run(
        [".venv-sam/bin/python", "-c", read, *overrides],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(ran.stdout) == of_make(called)
