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
class Carried:
    """What a message carries.

    Parameters
    ----------
    secret
        None where it carries none, or one that the caller keeps to itself.
    sid
        The SID of a message that the caller sent itself.
    is_test
        Whether its recipient is one for tests, whose secret is fixed and who is sent nothing.
    """

    secret: Secret | None
    sid: str | None = None
    is_test: bool = False


def choose_secret(service: Service, e164: str, action: Action, given: Secret | None, sid: str | None) -> Carried:
    """What a new message carries: a secret that is made here, a test recipient's, the caller's own, or none.

    Raises
    ------
    MalformedRequest
        The recipient is one for tests, and the action has no secret that could be fixed; or the caller gave a secret or
        SID for an action that makes its own, or neither where it needs one.
    """
    fixed = _fixed_secret(service.policy, e164, action)
    if action.traits.callers_own:
        if given is None and sid is None:
            raise MalformedRequest("secret", f"is required for action {action.value}, unless sid is given")
        return Carried(given or fixed, sid, is_test=fixed is not None)
    for field, value in (("secret", given), ("sid", sid)):
        if value is not None:
            allowed = _listed(actions_with(lambda traits: traits.callers_own))
            raise MalformedRequest(field, f"is only allowed with action {allowed}")
    make_secret = action.traits.make_secret
    if fixed is None and make_secret is not None:
        return Carried(make_secret(service.policy.code_digits, service.random_bytes))
    return Carried(fixed, is_test=fixed is not None)


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


def new_message(service: Service, keys: Keys, verification_id: str, number: int, carried: Carried) -> Message:
    """A message that is about to be sent; or one that needs no sending: the caller sent it itself, or it is a test."""
    now, secret = service.clock(), carried.secret
    message = Message(
        number=number,
        expires_at=now + service.policy.lifetime_s * 1000,
        sent_at=now,
        mac=keys.mac(verification_id, number, secret) if secret is not None else None,
    )
    if carried.sid is None and not carried.is_test:
        return message
    return replace(
        message,
        sid=carried.sid,
        registered=carried.sid is not None,
        delivery=Delivery.ACCEPTED,
        delivery_at=now,
    )


def choose_locale(policy: Policy, template: str | None, action: Action, locale: str | None) -> str | None:
    """What is kept of the locale that a caller asks for: one tag, for the record must stay small.

    Raises
    ------
    MalformedRequest
        The template or the locale cannot be used.
    """
    if locale is None:
        return None
    try:
        return preferred_tag(action.value, locale, _choose_template(policy, template, action))
    except UnsupportedLocale:
        raise _unsupported_locale() from None


def compose(
    policy: Policy, verification: Verification, message: Message, secret: Secret | None, country: str, base_url: str
) -> OutgoingMessage | None:
    """The message as Twilio is asked for it; None where it needs no sending.

    Raises
    ------
    MalformedRequest
        The template or the locale cannot be used.
    """
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
