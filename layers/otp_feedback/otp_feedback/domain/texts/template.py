"""Custom templates: their syntax, and every check that can be made before a message is sent."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from otp_feedback.domain.actions import Action, Traits, actions_with
from otp_feedback.domain.identifiers import CONTENT_SID
from otp_feedback.domain.replies import KEYWORD_LENGTH
from otp_feedback.domain.texts.errors import TemplateError
from otp_feedback.domain.texts.tags import Tag, is_known_language, parse_tag

# Twilio refuses a longer Body with error 21617.
MAX_BODY: Final = 1600

# BCP 47's "undetermined": the language of a body that serves every language.
ANY_LANGUAGE: Final = "und"

PLACEHOLDER: Final = r"\{(app|secret|link|minutes|keyword)\}"

# The most characters that a placeholder can become: a body that Twilio would refuse once filled is refused now.
_WIDEST = {"app": 64, "secret": 64, "link": 256, "minutes": 2, "keyword": KEYWORD_LENGTH}

_ANY_PLACEHOLDER = r"\{([^{}]*)\}"
# If letters touched a secret, it could not be found in the texts of Twilio's list.
_TOUCHED = r"[A-Za-z0-9}]\{secret\}|\{secret\}[A-Za-z0-9{]"
_UNSENDABLE = r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_VARIABLE = r"[A-Za-z0-9_]{1,64}"
_MEMBERS = frozenset({"action", "body", "content_sid", "variables"})


@dataclass(frozen=True, slots=True)
class Template:
    """A custom template that passed every check.

    Parameters
    ----------
    name
        By which a caller asks for it.
    actions
        Those it can be sent for.
    bodies
        A body for each language tag; under "und", one for every language. Empty where there is a Content SID.
    content_sid
        A Twilio Content template (HX and 32 hexadecimal digits), or None.
    variables
        The Content template's variables by name, with placeholders.
    """

    name: str
    actions: frozenset[str]
    bodies: Mapping[str, str]
    content_sid: str | None = None
    variables: Mapping[str, str] = MappingProxyType({})

    @property
    def languages(self) -> tuple[str, ...]:
        """The tags of `bodies` in the order given; ("und",) where one text serves every language."""
        return tuple(self.bodies) or (ANY_LANGUAGE,)

    def allows(self, action: str) -> bool:
        """Whether the template can be sent for `action`."""
        return action in self.actions


def parse_templates(text: str, *, keyword: str = "") -> Mapping[str, Template]:
    """Parse the setting OTP_TEMPLATES: "" or a JSON object from a template's name to its definition.

    A definition is {"body": "…"}, {"body": {"en": "…", "de": "…"}} or {"content_sid": "HX…", "variables": {"1": "…"}},
    each with an optional "action". Placeholders are {app}, {secret}, {link}, {minutes} and {keyword}; a brace that is
    no part of one is refused. Without "action" a template with {secret} serves code, password and caller, one with
    {link} serves link.

    Parameters
    ----------
    text
        The setting.
    keyword
        The stack's reply keyword; without one a template that uses {keyword} is refused.

    Raises
    ------
    TemplateError
        Names the template and what is wrong with it.
    """
    if not text:
        return MappingProxyType({})
    try:
        parsed = json.loads(text, object_pairs_hook=_without_duplicates)
    except _DuplicateMemberError as error:
        raise TemplateError("", f"the name {str(error)[:64]!r} stands twice in one object") from None
    except (ValueError, RecursionError):
        raise TemplateError("", "not valid JSON") from None
    if not isinstance(parsed, dict):
        raise TemplateError("", "not a JSON object")
    return MappingProxyType({name: _template(name, definition, keyword) for name, definition in parsed.items()})


class _DuplicateMemberError(Exception):
    """A JSON object names the same member twice; its text is the name."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise _DuplicateMemberError(name)
        members[name] = value
    return members


def _template(name: str, definition: object, keyword: str) -> Template:
    if not re.fullmatch(_NAME, name):
        raise TemplateError(name[:64], "the name is not 1 to 64 of A-Z a-z 0-9 _ . - with a letter or digit first")
    if not isinstance(definition, dict):
        raise TemplateError(name, "not a JSON object")
    for member in definition:
        if member not in _MEMBERS:
            raise TemplateError(name, f"unknown member {member[:64]!r}")
    action = definition.get("action")
    if action is not None and action not in list(Action):
        raise TemplateError(name, f"the action is not one of {', '.join(Action)}")
    if ("body" in definition) == ("content_sid" in definition):
        raise TemplateError(name, "needs either a body or a content_sid")
    if "body" in definition:
        if "variables" in definition:
            raise TemplateError(name, "variables go with a content_sid, not with a body")
        bodies = _bodies(name, definition["body"])
        texts = [
            ([body], f"body {language}" if language != ANY_LANGUAGE else "body") for language, body in bodies.items()
        ]
        return Template(name, _actions(name, action, texts, keyword), MappingProxyType(bodies))
    sid = definition["content_sid"]
    if not (isinstance(sid, str) and re.fullmatch(CONTENT_SID, sid)):
        raise TemplateError(name, "the content_sid is not HX and 32 hexadecimal digits")
    variables = _variables(name, definition.get("variables", {}))
    actions = _actions(name, action, [(list(variables.values()), "variables")], keyword)
    return Template(name, actions, MappingProxyType({}), sid, MappingProxyType(variables))


def _bodies(name: str, body: object) -> dict[str, str]:
    if isinstance(body, str):
        return {ANY_LANGUAGE: _checked_body(name, "body", body)}
    if not isinstance(body, dict) or not body:
        raise TemplateError(name, "the body is neither a text nor an object from language to text")
    seen: set[Tag] = set()
    for language, text in body.items():
        tag = parse_tag(language)
        if tag is None or not is_known_language(tag):
            raise TemplateError(name, f"unknown language {language[:64]!r}")
        if tag in seen:
            raise TemplateError(name, f"the language {language!r} stands twice")
        seen.add(tag)
        if not isinstance(text, str):
            raise TemplateError(name, f"body {language} is not a text")
        _checked_body(name, f"body {language}", text)
    return dict(body)


def _checked_body(name: str, where: str, text: str) -> str:
    if not text.strip():
        raise TemplateError(name, f"{where} is empty")
    if re.search(_UNSENDABLE, text):
        raise TemplateError(name, f"{where} holds a control character or half a surrogate pair")
    if re.search(_TOUCHED, text):
        raise TemplateError(name, f"{where} lets letters, digits or another placeholder touch {{secret}}")
    if len(re.sub(PLACEHOLDER, lambda match: "x" * _WIDEST[match[1]], text)) > MAX_BODY:
        raise TemplateError(name, f"{where} may exceed {MAX_BODY} characters when its placeholders are filled")
    return text


def _variables(name: str, variables: object) -> dict[str, str]:
    if not isinstance(variables, dict):
        raise TemplateError(name, "the variables are not an object from name to text")
    for variable, text in variables.items():
        if not re.fullmatch(_VARIABLE, variable):
            raise TemplateError(name, f"the variable {variable[:64]!r} is not named by letters, digits or _")
        if not isinstance(text, str):
            raise TemplateError(name, f"variable {variable} is not a text")
        _checked_body(name, f"variable {variable}", text)
    return dict(variables)


def _actions(name: str, action: str | None, texts: list[tuple[list[str], str]], keyword: str) -> frozenset[str]:
    """The actions that every one of `texts` (a group of strings, and what to call it) can serve."""
    found = [(_placeholders(name, where, strings), where) for strings, where in texts]
    served = (Action(action),) if action else _implied_actions(name, *found[0])
    traits = served[0].traits
    whose = f"the action {action}" if action else f"a template with {{{traits.carries}}}"
    for used, where in found:
        if traits.carries and traits.carries not in used:
            raise TemplateError(name, f"{where} lacks {{{traits.carries}}}, which {whose} needs")
        for placeholder in sorted(used - _allowed(traits)):
            raise TemplateError(name, f"{where} holds {{{placeholder}}}, which {whose} does not have")
        if "keyword" in used and not keyword:
            raise TemplateError(name, f"{where} holds {{keyword}}, but the stack has no reply keyword")
    return frozenset(each.value for each in served)


def _allowed(traits: Traits) -> frozenset[str]:
    allowed = {"app", "minutes"} | ({traits.carries} if traits.carries else set())
    return frozenset(allowed | {"keyword"} if traits.takes_keyword else allowed)


def _implied_actions(name: str, used: frozenset[str], where: str) -> tuple[Action, ...]:
    """All actions whose text carries what this one does."""
    carried = next((each for each in ("secret", "link") if each in used), None)
    if carried is not None:
        return actions_with(lambda traits: traits.carries == carried)
    others = " or ".join(f'"action": "{each}"' for each in actions_with(lambda traits: traits.carries is None))
    raise TemplateError(name, f"{where} holds neither {{secret}} nor {{link}}; one for replies says {others}")


def _placeholders(name: str, where: str, strings: list[str]) -> frozenset[str]:
    used: set[str] = set()
    for string in strings:
        for placeholder in re.findall(_ANY_PLACEHOLDER, string):
            if placeholder not in _WIDEST:
                shown = "{" + placeholder[:32] + "}"
                raise TemplateError(name, f"{where} holds the unknown placeholder {shown!r}")
            used.add(placeholder)
        if set(re.sub(_ANY_PLACEHOLDER, "", string)) & {"{", "}"}:
            raise TemplateError(name, f"{where} holds a brace that belongs to no placeholder")
    return frozenset(used)
