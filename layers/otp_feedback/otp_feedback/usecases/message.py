"""What a message carries: its secret, its language and its text."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from otp_feedback.domain.actions import Action, actions_with, canonical
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import MalformedRequest
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.links import link_id
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.senders import is_whatsapp
from otp_feedback.domain.texts import Content, Template, UnsupportedLocale, choose_language, preferred_tag, render
from otp_feedback.domain.verification import Message, Verification
from otp_feedback.usecases.ports import OutgoingMessage, Service


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is ready to be written and sent.

    Parameters
    ----------
    verification
        The verification as it is with this message.
    outgoing
        What Twilio is asked for; None if nothing needs sending.
    """

    verification: Verification
    message: Message
    outgoing: OutgoingMessage | None


@dataclass(frozen=True, slots=True)
class Given:
    """What a caller gives of each message, since only MACs are kept; only with an action whose secret is its own.

    Parameters
    ----------
    secret
        Its own secret.
    sid
        The SID of a message that it has already sent.
    """

    secret: Secret | None = None
    sid: str | None = None


def draft(
    service: Service, keys: Keys, verification: Verification, given: Given, now: int, country: str, base_url: str
) -> Draft:
    """Make a verification's next message: its secret, its language and its text.

    Parameters
    ----------
    verification
        With the messages it has so far, and the locale that was asked for.
    now
        Epoch milliseconds.
    country
        ISO 3166-1 alpha-2 of the recipient's number.
    base_url
        The stack's public address, without a slash at its end.

    Raises
    ------
    MalformedRequest
        What the caller gave does not fit the action; the template or the locale cannot be used; or the recipient is
        one for tests, and the action has no secret that could be fixed.
    """
    fixed = _fixed_secret(service.policy, verification.to, verification.action)
    _require_fitting(verification.action, given)
    secret = given.secret or fixed or _made_here(service, keys, verification)
    message = _new_message(service.policy, keys, verification, secret, given.sid, now, is_test=fixed is not None)
    verification = replace(
        verification,
        messages={**verification.messages, message.number: message},
        locale=_kept_locale(service.policy, verification),
        is_test=fixed is not None,
    )
    outgoing = _compose(service.policy, verification, message, secret, country, base_url)
    return Draft(verification, message, outgoing)


def _require_fitting(action: Action, given: Given) -> None:
    if action.traits.callers_own:
        if given.secret is None and given.sid is None:
            raise MalformedRequest("secret", f"is required for action {action.value}, unless sid is given")
        return
    for field, value in (("secret", given.secret), ("sid", given.sid)):
        if value is not None:
            allowed = _listed(actions_with(lambda traits: traits.callers_own))
            raise MalformedRequest(field, f"is only allowed with action {allowed}")


def _made_here(service: Service, keys: Keys, verification: Verification) -> Secret | None:
    """A secret that no earlier message carries, so that a guess matches one message; None if the action makes none."""
    make_secret = verification.action.traits.make_secret
    if make_secret is None:
        return None
    macs = verification.macs
    while True:
        secret = make_secret(service.policy.code_digits, service.random_bytes)
        if not macs or not keys.matching(verification.verification_id, macs, secret):
            return secret


def _fixed_secret(policy: Policy, e164: str, action: Action) -> Secret | None:
    code = policy.test_recipients.get(e164)
    if code is None:
        return None
    if not action.traits.fixed_for_tests:
        taken = _listed(actions_with(lambda traits: traits.fixed_for_tests))
        raise MalformedRequest("to", f"is a test recipient, which takes the actions {taken} alone")
    return canonical(action, Secret(code))


def _listed(actions: Iterable[Action]) -> str:
    *others, last = (action.value for action in actions)
    return f"{', '.join(others)} and {last}" if others else last


def _new_message(
    policy: Policy,
    keys: Keys,
    verification: Verification,
    secret: Secret | None,
    sid: str | None,
    now: int,
    *,
    is_test: bool,
) -> Message:
    """A new message: about to be sent; or not to be, since the caller sent it or the recipient is for tests."""
    number = max(verification.messages, default=0) + 1
    message = Message(
        number=number,
        expires_at=now + policy.lifetime_s * 1000,
        sent_at=now,
        mac=keys.mac(verification.verification_id, number, secret) if secret is not None else None,
    )
    if sid is None and not is_test:
        return message
    return replace(message, sid=sid, registered=sid is not None, delivery=Delivery.ACCEPTED)


def _kept_locale(policy: Policy, verification: Verification) -> str | None:
    """What is kept of the caller's locale: one tag, since the record must stay small."""
    if verification.locale is None:
        return None
    template = _choose_template(policy, verification.template, verification.action)
    try:
        return preferred_tag(verification.action.value, verification.locale, template)
    except UnsupportedLocale:
        raise _unsupported_locale() from None


def _compose(
    policy: Policy, verification: Verification, message: Message, secret: Secret | None, country: str, base_url: str
) -> OutgoingMessage | None:
    """The message as Twilio is asked for it; None if it needs no sending."""
    verification_id, number, action = verification.verification_id, message.number, verification.action
    needs_sending = message.delivery is Delivery.CREATING
    template = _choose_template(policy, verification.template, action)
    is_content = template is not None and template.content_sid is not None
    if is_whatsapp(verification.sender) and needs_sending and not is_content:
        raise MalformedRequest("template", "must name one with a content_sid, since the sender is a WhatsApp address")
    try:
        language = choose_language(action.value, verification.locale or policy.language, country, template)
    except UnsupportedLocale:
        raise _unsupported_locale() from None
    if not needs_sending:
        return None
    link = ""
    if action.traits.carries == "link" and secret is not None:
        link = f"{base_url}/confirm?id={link_id(verification_id, number, secret)}"
    text = render(
        action=action.value,
        language=language,
        app=policy.app_name,
        minutes=max(1, policy.lifetime_s // 60),
        secret=secret.reveal() if secret is not None else "",
        link=link,
        keyword=policy.reply_keyword or "",
        domain=policy.domain,
        app_hash=policy.app_hash,
        template=template,
    )
    content = text if isinstance(text, Content) else None
    return OutgoingMessage(
        to=verification.to,
        sender=verification.sender,
        body=None if isinstance(text, Content) else text.text,
        status_callback=f"{base_url}/twilio/status?message={number}&verification={verification_id}#rc=5&rp=all",
        validity_s=policy.lifetime_s,
        attempt=number,
        content_sid=content.content_sid if content else None,
        content_variables=content.variables if content else None,
    )


def _choose_template(policy: Policy, name: str | None, action: Action) -> Template | None:
    if name is None:
        return None
    template = policy.templates.get(name)
    if template is None or not template.allows(action.value):
        names = sorted(each for each, known in policy.templates.items() if known.allows(action.value))
        wanted = (
            f"must be one of {', '.join(names)}" if names else "is not taken: the stack has no template for this action"
        )
        raise MalformedRequest("template", wanted)
    return template


def _unsupported_locale() -> MalformedRequest:
    return MalformedRequest("locale", 'must be a language that there are texts in, or several such as "th, en"')
