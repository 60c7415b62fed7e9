"""The body of one message."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from otp_feedback.domain.actions import Action
from otp_feedback.domain.texts.choice import default_text, fallback_language
from otp_feedback.domain.texts.template import PLACEHOLDER, Template


@dataclass(frozen=True, slots=True)
class Body:
    """A message's text: Twilio's parameter Body. It holds the secret, so its repr shows nothing."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Content:
    """A Content template: Twilio's parameters ContentSid and, as a JSON object, ContentVariables."""

    content_sid: str
    variables: Mapping[str, str] = field(repr=False)


def render(
    *,
    action: str,
    language: str,
    app: str,
    minutes: int,
    secret: str | None = None,
    link: str | None = None,
    keyword: str | None = None,
    domain: str | None = None,
    app_hash: str | None = None,
    template: Template | None = None,
) -> Body | Content:
    """Fill the default text of an action, or a custom template.

    Values are put in as they are, in one pass: a placeholder inside a value stays as it is. No value raises.

    Parameters
    ----------
    action
        An action's name.
    language
        As chosen by `choose_language`; a language without a text gives English.
    app
        The application's name.
    minutes
        The life of the secret, in whole minutes.
    secret
        What the text carries, if it carries no link.
    link
        A link's whole URL.
    keyword
        What a reply must hold; None or "" if any reply will do.
    domain
        Such as "example.com": makes "@domain #secret" the last line, the origin-bound form of WICG's "Origin-bound
        one-time codes delivered via SMS". Only where there is a secret to enter.
    app_hash
        The 11 characters of Android's SMS Retriever: the last line, or the one before the domain's. Only where there
        is a secret to enter.
    template
        A custom template, which takes the default text's place. A Content template gets neither of the last lines.
    """
    values = {
        "app": app,
        "secret": secret or "",
        "link": link or "",
        "minutes": str(minutes),
        "keyword": keyword or "",
    }
    if template is not None and template.content_sid is not None:
        variables = {name: fill(text, values) for name, text in template.variables.items()}
        return Content(template.content_sid, MappingProxyType(variables))
    if template is None:
        text = default_text(action, language, with_keyword=bool(keyword))
    else:
        text = template.bodies.get(language) or template.bodies[fallback_language(template.languages)]
    lines = [fill(text, values)]
    if secret and Action(action).traits.autofill:
        if app_hash:
            lines.append(app_hash)
        if domain:
            lines.append(f"@{domain} #{secret}")
    return Body("\n".join(lines))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put `values` into the placeholders of `text` in one pass; a value is never searched for placeholders."""
    return re.sub(PLACEHOLDER, lambda match: values[match[1]], text)
