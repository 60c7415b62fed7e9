"""Where a command asks and answers."""

import sys
from getpass import getpass
from typing import Protocol

from operations.errors import OperationError


class Terminal(Protocol):
    """Whoever runs the command."""

    def say(self, line: str = "") -> None:
        """Print a line."""

    def ask(self, question: str, otherwise: str) -> str:
        """The answer to a question, without spaces around it; `otherwise` says how to answer where nobody can."""

    def ask_secretly(self, question: str, otherwise: str) -> str:
        """As `ask`, without showing what is typed."""

    def agrees(self, question: str) -> bool:
        """Whether the answer is yes; Enter is no."""


class Console:
    """`Terminal` on standard input and output.

    Parameters
    ----------
    assume_yes
        Whether to go on without asking.
    """

    def __init__(self, *, assume_yes: bool = False) -> None:
        self._assume_yes = assume_yes

    def say(self, line: str = "") -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def ask(self, question: str, otherwise: str) -> str:
        self._require_somebody(question, otherwise)
        return input(f"{question}: ").strip()

    def ask_secretly(self, question: str, otherwise: str) -> str:
        self._require_somebody(question, otherwise)
        return getpass(f"{question}: ").strip()

    def agrees(self, question: str) -> bool:
        if self._assume_yes:
            self.say(f"{question} yes")
            return True
        self._require_somebody(question, "add --yes")
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}

    def _require_somebody(self, question: str, otherwise: str) -> None:
        # getpass would fall back to showing what is typed.
        if not sys.stdin.isatty():
            raise OperationError(f"{question}: there is no terminal to ask at; {otherwise}.")
