"""Every fault that was put back by hand is noticed by the tests named for it."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("benchmarks", "docs", "environments", "events", "functions", "layers", "local", "operations", "tests")
TIME_LIMIT_S = 600
TESTS_FAILED = 1
"""pytest's exit code where tests ran and some failed; that they could not run at all has another."""


@dataclass(frozen=True)
class Mutant:
    """A change of the product, and the tests of which one must fail with it."""

    fault: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def mutants() -> Iterator[Mutant]:
    """Every mutant of `by_hand/`."""
    for path in sorted((ROOT / "tests/mutation/by_hand").glob("*.toml")):
        for table in tomllib.loads(path.read_text())["mutant"]:
            yield Mutant(**{**table, "tests": tuple(table["tests"])})


MUTANTS = tuple(mutants())
every_mutant = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.fault)


def test_every_mutant_changes_one_place_and_names_tests_that_there_are():
    assert len({mutant.fault for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        assert (ROOT / mutant.file).read_text().count(mutant.old) == 1, mutant.fault
        assert mutant.old != mutant.new, mutant.fault
        assert mutant.tests, mutant.fault
        for test in mutant.tests:
            path, _, name = test.partition("::")
            function = name.partition("[")[0].rpartition("::")[2]
            assert f"def {function}(" in (ROOT / path).read_text(), test


@pytest.mark.mutants
@every_mutant
def test_a_mutant_is_noticed(mutant: Mutant, tmp_path: Path):
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for each in ROOT.iterdir():
        if each.is_file():
            shutil.copy(each, tmp_path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    changed = tmp_path / mutant.file
    changed.write_text(changed.read_text().replace(mutant.old, mutant.new))
    environment = {**os.environ, "PYTHONPATH": "layers/otp_feedback", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["TEST_SEED"] = "whole"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:xdist",
            "-m",
            "",
            *mutant.tests,
        ],
        cwd=tmp_path,
        env={name: value for name, value in environment.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == TESTS_FAILED, done.stdout[-3000:] + done.stderr[-1000:]
