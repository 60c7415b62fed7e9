"""The one form in which an entered secret is compared."""

import unicodedata

from otp_feedback.domain.secret import password_spelling


def code_form(text: str) -> str:
    """A code is its decimal digits, in whatever script (Unicode's Nd); a letter makes it wrong.

    Only letters and numbers (L, N) count. White space, punctuation, marks, symbols and invisible characters do not.
    """
    return "".join(str(unicodedata.decimal(each, each)) for each in text if not _counts_for_nothing(each))


def password_form(text: str) -> str:
    """A temporary password: as a code, and case and width are ignored too."""
    symbols = code_form(unicodedata.normalize("NFKC", text)).lower()
    return password_spelling(symbols) if symbols else ""


def as_it_stands(text: str) -> str:
    """What no person types."""
    return text


def _counts_for_nothing(character: str) -> bool:
    return unicodedata.category(character)[0] not in "LN" or character in _NO_LETTERS


_NO_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u30fc\uff70")
"""Letters by category alone: Hangul's fillers, which cannot be seen, and the hyphen key of a Japanese keyboard."""
