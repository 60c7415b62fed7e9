"""`make mutants`: does a test of the domain fail for each small change of the domain?

mutmut changes one operator, constant, argument or condition at a time and runs the tests in tests/domain that reach it.
It wants the package and the tests in one folder of a certain shape, so they are copied to .cache/mutants.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache/mutants"
LEAST_KILLED = 0.9
TIME_LIMIT_S = 1800

CONFIGURATION = """
[tool.pytest]
minversion = "9.0"
pythonpath = ["src", "."]
addopts = ["--import-mode=importlib", "-p", "no:cacheprovider", "-m", "not slow and not heavy"]
strict = true
markers = ["slow", "heavy"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/otp_feedback/domain/*"]
do_not_mutate = ["src/otp_feedback/domain/texts/data/*"]
pytest_add_cli_args_test_selection = ["tests/domain"]
use_git_change_detection = false
"""


def prepare() -> None:
    """Copy what mutmut needs."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "layers/otp_feedback/otp_feedback", FOLDER / "src/otp_feedback", ignore=ignored)
    shutil.copytree(ROOT / "tests/domain", FOLDER / "tests/domain", ignore=ignored)
    (FOLDER / "src/local").mkdir()
    for path, folder in (
        ("tests/conftest.py", "tests"),
        ("tests/tables.py", "tests"),
        ("local/__init__.py", "src/local"),
        ("local/segments.py", "src/local"),
    ):
        shutil.copy(ROOT / path, FOLDER / folder)
    (FOLDER / "pyproject.toml").write_text(CONFIGURATION)


def mutmut(*arguments: str, capture: bool = True) -> str:
    """Run mutmut; what it wrote to stdout. Raises subprocess.CalledProcessError and TimeoutExpired."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(ROOT / ".venv-mutants/bin/mutmut"), *arguments],
        cwd=FOLDER,
        env=environment,
        text=True,
        stdout=subprocess.PIPE if capture else None,
        timeout=TIME_LIMIT_S,
        check=True,
    )
    return done.stdout or ""


def main() -> int:
    """Run it, show the figures by module and each mutant that lived; the exit status."""
    prepare()
    with (FOLDER / "log").open("w") as log:
        subprocess.run(
            [str(ROOT / ".venv-mutants/bin/mutmut"), "run", "--max-children", str(os.cpu_count() or 2)],
            cwd=FOLDER,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=TIME_LIMIT_S,
            check=True,
        )
    modules: defaultdict[str, Counter[str]] = defaultdict(Counter)
    lived = []
    for name, outcome in re.findall(r"^\s*(\S+): (.+)$", mutmut("results", "--all", "true"), re.MULTILINE):
        # A change that makes the tests run for ever is seen as well as one that makes them fail.
        killed = outcome in {"killed", "timeout"}
        modules[name.removeprefix("otp_feedback.domain.").rpartition(".")[0]]["killed" if killed else "lived"] += 1
        if not killed:
            lived.append((name, outcome))
    for name, outcome in lived:
        print(f"{name} ({outcome})")
        print("\n".join(line for line in mutmut("show", name).splitlines() if re.match(r"[-+] ", line)))
    print("\n| module | changes | killed | lived |\n| --- | ---: | ---: | ---: |")
    for module, counted in sorted(modules.items()):
        print(f"| {module} | {counted.total()} | {counted['killed']} | {counted['lived']} |")
    total = sum(modules.values(), Counter[str]())
    share = total["killed"] / total.total() if total else 0
    print(f"| all | {total.total()} | {total['killed']} | {total['lived']} |\n\n{share:.1%} killed")
    return 0 if share >= LEAST_KILLED else 1


if __name__ == "__main__":
    sys.exit(main())
