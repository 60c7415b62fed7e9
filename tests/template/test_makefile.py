"""Options reach the command that they are for."""

import shlex
import subprocess

import pytest

from tests.template.expanded import ROOT


@pytest.mark.parametrize(
    ("target", "commands"),
    [("build", ["sam build --guided"]), ("deploy", ["sam build", "sam deploy --config-env default --guided"])],
)
def test_the_options_of_make_deploy_are_not_for_the_build(target, commands):
    said = subprocess.run(
        ["make", "--dry-run", target, "ARGS=--guided"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    ran = [
        " ".join(shlex.split(line.partition(".venv-sam/bin/")[2]))
        for line in said.splitlines()
        if ".venv-sam/bin/sam" in line
    ]
    assert ran == commands
