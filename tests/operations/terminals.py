"""Somebody at a terminal, by script."""

from collections.abc import Callable


class Scripted:
    """Answers in turn; a callable answer is called for its effect first. `text` is all that was shown."""

    def __init__(self, *answers: str | Callable[[], str]) -> None:
        self._answers = list(answers)
        self._lines: list[str] = []
        self.hidden: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    @property
    def unused(self) -> int:
        return len(self._answers)

    def say(self, line: str = "") -> None:
        self._lines.append(line)

    def ask(self, question: str, otherwise: str) -> str:
        self._lines.append(question)
        return self._next(question)

    def ask_secretly(self, question: str, otherwise: str) -> str:
        self.hidden.append(question)
        return self.ask(question, otherwise)

    def agrees(self, question: str) -> bool:
        return self.ask(question, "") == "y"

    def _next(self, question: str) -> str:
        assert self._answers, f"nobody expected the question: {question}"
        answer = self._answers.pop(0)
        return answer if isinstance(answer, str) else answer()
