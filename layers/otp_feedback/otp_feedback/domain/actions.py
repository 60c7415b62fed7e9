"""The tracked actions: one row each, with all in which it differs from the others. No other module names an action."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Literal

from otp_feedback.domain.entered import as_it_stands, code_form, password_form
from otp_feedback.domain.ids import RandomBytes
from otp_feedback.domain.secret import Secret, generate_code, generate_link_secret, generate_password


class Way(Enum):
    """A way in by which an action is confirmed; each route takes one."""

    CHECK = auto()
    """`POST /verifications/{verification_id}/check`: a secret came back."""
    LINK = auto()
    """`POST /confirm`: a link was opened and its button tapped."""
    REPLY = auto()
    """Twilio's webhooks: a message or call came from the recipient's number."""
    WORD = auto()
    """`POST /verifications/{verification_id}/confirm`: the caller saw the action itself."""


@dataclass(frozen=True, slots=True)
class Traits:
    """All in which one action differs from another.

    Parameters
    ----------
    ways
        The ways in that confirm it.
    carries
        The placeholder that its text must hold, for the secret itself or a link with it; None for a text with neither.
    make_secret
        Makes a message's secret from so many digits and a cryptographic source; None where the caller brings it, or
        where there is none.
    form
        The one form under which what was entered is compared; None where nothing is entered.
    autofill
        Whether phones fill in its secret, from a line of its own at the end of the text.
    callers_own
        Whether the caller brings the secret, which may then stand in several texts, or a message it sent itself.
    awaits_reply
        Whether its sender must be one that can be answered: the recipient's slots then say that an answer is awaited.
    takes_keyword
        Whether its text may hold the stack's reply keyword.
    fixed_for_tests
        Whether a test recipient can have its secret fixed.
    change_password
        Whether the caller is told to have the user set a new password.
    """

    ways: frozenset[Way]
    carries: Literal["secret", "link"] | None
    make_secret: Callable[[int, RandomBytes], Secret] | None = None
    form: Callable[[str], str] | None = None
    autofill: bool = False
    callers_own: bool = False
    awaits_reply: bool = False
    takes_keyword: bool = False
    fixed_for_tests: bool = False
    change_password: bool = False


class Action(StrEnum):
    """What is tracked."""

    CODE = "code"
    LINK = "link"
    PASSWORD = "password"  # noqa: S105 - the name of an action
    REPLY = "reply"
    CALLER = "caller"

    @property
    def traits(self) -> Traits:
        """All in which it differs from the others."""
        return TRAITS[self]

    def is_confirmed_by(self, way: Way) -> bool:
        """Whether a way in confirms it."""
        return way in self.traits.ways


TRAITS: Mapping[Action, Traits] = MappingProxyType(
    {
        Action.CODE: Traits(
            ways=frozenset({Way.CHECK}),
            carries="secret",
            make_secret=generate_code,
            form=code_form,
            autofill=True,
            fixed_for_tests=True,
        ),
        Action.LINK: Traits(
            ways=frozenset({Way.LINK}),
            carries="link",
            make_secret=lambda _, random_bytes: generate_link_secret(random_bytes),
            form=as_it_stands,
        ),
        Action.PASSWORD: Traits(
            ways=frozenset({Way.CHECK}),
            carries="secret",
            make_secret=lambda _, random_bytes: generate_password(random_bytes),
            form=password_form,
            autofill=True,
            fixed_for_tests=True,
            change_password=True,
        ),
        Action.REPLY: Traits(
            ways=frozenset({Way.REPLY}),
            carries=None,
            awaits_reply=True,
            takes_keyword=True,
        ),
        Action.CALLER: Traits(
            ways=frozenset({Way.CHECK, Way.WORD}),
            carries="secret",
            form=str.strip,
            autofill=True,
            callers_own=True,
            fixed_for_tests=True,
        ),
    }
)


def actions_with(trait: Callable[[Traits], bool]) -> tuple[Action, ...]:
    """The actions whose traits are so, in the order of the table."""
    return tuple(action for action, traits in TRAITS.items() if trait(traits))


def confirmed_by(way: Way) -> frozenset[Action]:
    """The actions that a way in confirms."""
    return frozenset(actions_with(lambda traits: way in traits.ways))


def canonical(action: Action, entered: Secret) -> Secret | None:
    """What was entered for an action, in the one form under which it is compared; None where nothing is left of it.

    What OTP Feedback makes is its own form, so each secret still stands alone: no two of them share a form, and a guess
    has one.
    """
    form = action.traits.form
    text = form(entered.reveal()) if form is not None else ""
    return Secret(text) if text else None


def canonical_forms(entered: Secret, actions: Iterable[Action]) -> Mapping[Action, Secret]:
    """The form of what was entered for each of some actions, without those of which nothing is left."""
    forms = {action: canonical(action, entered) for action in actions}
    return {action: form for action, form in forms.items() if form is not None}
