"""Check a deployed stack: everything that it needs, from the outside, without changing anything."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from operations.aws import explained
from operations.errors import OperationError
from operations.findings import Finding, Level, failed
from operations.terminal import Terminal

Check = Callable[[], Iterator[Finding]]

WIDTH = 5


@dataclass(frozen=True, slots=True)
class Checks:
    """Checks that belong together.

    Parameters
    ----------
    title
        What they look at.
    """

    title: str
    check: Check


def diagnose(checks: list[Checks], terminal: Terminal) -> int:
    """Run all checks, however many fail; the command's exit status: 1 where one failed."""
    failures = 0
    for each in checks:
        terminal.say(each.title)
        for finding in _run(each.check):
            failures += finding.level is Level.FAILED
            _tell(finding, terminal)
    terminal.say()
    plural = "check" if failures == 1 else "checks"
    terminal.say(f"{failures} {plural} failed." if failures else "Everything is as it should be.")
    return 1 if failures else 0


def _run(check: Check) -> Iterator[Finding]:
    try:
        with explained():
            yield from check()
    except OperationError as error:
        yield failed(str(error), "")


def _tell(finding: Finding, terminal: Terminal) -> None:
    terminal.say(f"  {finding.level.value:<{WIDTH}} {finding.text}")
    if finding.advice:
        terminal.say(f"  {'':<{WIDTH}} -> {finding.advice}")
