"""What a check finds."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How a finding counts; a note fails nothing."""

    PASSED = "ok"
    NOTE = "note"
    FAILED = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    Parameters
    ----------
    text
        What is so.
    advice
        What to do about it; empty where the text says it, or nothing need be done.
    """

    level: Level
    text: str
    advice: str = ""


def passed(text: str) -> Finding:
    """Something is as it should be."""
    return Finding(Level.PASSED, text)


def noted(text: str, advice: str = "") -> Finding:
    """Something is worth knowing."""
    return Finding(Level.NOTE, text, advice)


def failed(text: str, advice: str) -> Finding:
    """Something is wrong."""
    return Finding(Level.FAILED, text, advice)


def judged(good: bool, text: str, otherwise: str, advice: str) -> Finding:
    """`text` where it is good; `otherwise`, with advice, where it is not."""
    return passed(text) if good else failed(otherwise, advice)
