"""What somebody entered, in the one form under which it is compared."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping

from otp_feedback.domain.secret import Secret, password_spelling
from otp_feedback.domain.verification import Action


def canonical(action: Action, entered: Secret) -> Secret | None:
    """The form of what was entered for an action; None where nothing is left of it.

    A code is its decimal digits, in whatever script (Unicode's Nd). Only letters and numbers (L, N) count, so that
    white space, punctuation, marks, symbols and what cannot be seen go; a letter makes it wrong. A temporary password
    knows no case and no width either. Of the caller's own secret only what surrounds it goes. What OTP Feedback makes
    is its own form, so each secret still stands alone: no two of them share a form, and a guess has one.
    """
    form = _FORMS[action](entered.reveal())
    return Secret(form) if form else None


def canonical_forms(entered: Secret, actions: Iterable[Action]) -> Mapping[Action, Secret]:
    """The form of what was entered for each of some actions, without those of which nothing is left."""
    forms = {action: canonical(action, entered) for action in actions}
    return {action: form for action, form in forms.items() if form is not None}


def _code(text: str) -> str:
    return "".join(str(unicodedata.decimal(each, each)) for each in text if not _counts_for_nothing(each))


def _password(text: str) -> str:
    symbols = _code(unicodedata.normalize("NFKC", text)).lower()
    return password_spelling(symbols) if symbols else ""


def _counts_for_nothing(character: str) -> bool:
    return unicodedata.category(character)[0] not in "LN" or character in _NO_LETTERS


_NO_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u30fc\uff70")
"""Letters by category alone: Hangul's fillers, which cannot be seen, and the hyphen key of a Japanese keyboard."""

_FORMS: Mapping[Action, Callable[[str], str]] = {
    Action.CODE: _code,
    Action.PASSWORD: _password,
    Action.CALLER: str.strip,
    Action.LINK: str,
}
