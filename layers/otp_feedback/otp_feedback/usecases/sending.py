"""What starting a verification and sending another message have in common."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.entered import canonical
from otp_feedback.domain.errors import IdempotencyConflict, MalformedRequest, TooManyMessages, Unavailable
from otp_feedback.domain.ids import encode_id
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.links import link_id
from otp_feedback.domain.policy import Policy
from otp_feedback.domain.recipient import Recipient, Windows
from otp_feedback.domain.secret import Secret, generate_code, generate_link_secret, generate_password
from otp_feedback.domain.senders import is_whatsapp
from otp_feedback.domain.texts import Content, Template, UnsupportedLocale, choose_language, preferred_tag, render
from otp_feedback.domain.twilio_errors import problem_for
from otp_feedback.domain.verification import Action, Message, Verification
from otp_feedback.usecases.ports import (
    Created,
    CreateRefused,
    Journal,
    NotSent,
    OutgoingMessage,
    Refused,
    SendUnknown,
    Service,
)

CREATE_DEADLINE_S = 8.0
"""Seconds that Twilio has to create a message."""

REQUEST_ENDS_MS = 28_000
"""The function's own time-out: a request that wrote a message so long ago has sent it, or never will."""

REPLY_MARK = "#reply"

REREADS = 5
REREAD_PAUSE_S = 0.1
"""How long a request waits for another one with the same Idempotency-Key to get on."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the caller is answered.

    Parameters
    ----------
    expires_at
        Epoch milliseconds until which the message's secret confirms.
    number
        The message's number.
    sid
        Twilio's Message SID; None where Twilio has not answered, and with a test recipient.
    accepted
        Whether Twilio took the message; False where that is not known.
    """

    verification_id: str
    expires_at: int
    number: int
    sid: str | None
    accepted: bool


Replay = Callable[[], Sent | None]
"""Looks again whether the request's Idempotency-Key was answered before."""


def choose_secret(service: Service, action: Action, given: Secret | None, sid: str | None) -> Secret | None:
    """The secret of a new message: made here, or the caller's own.

    Raises
    ------
    MalformedRequest
        The caller gave a secret or SID for an action that makes its own, or neither where it needs one.
    """
    if action is Action.CALLER:
        if given is None and sid is None:
            raise MalformedRequest("secret", "is required for action caller, unless sid is given")
        return given
    for field, value in (("secret", given), ("sid", sid)):
        if value is not None:
            raise MalformedRequest(field, "is only allowed with action caller")
    match action:
        case Action.CODE:
            return generate_code(service.policy.code_digits, service.random_bytes)
        case Action.LINK:
            return generate_link_secret(service.random_bytes)
        case Action.PASSWORD:
            return generate_password(service.random_bytes)
        case Action.REPLY:
            return None


def new_message(service: Service, keys: Keys, verification_id: str, number: int, secret: Secret | None) -> Message:
    """A message that is about to be sent."""
    now = service.clock()
    return Message(
        number=number,
        expires_at=now + service.policy.lifetime_s * 1000,
        sent_at=now,
        mac=keys.mac(verification_id, number, secret) if secret is not None else None,
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is ready to be written and sent.

    Parameters
    ----------
    verification
        The verification as it is with this message.
    outgoing
        What Twilio is asked for; None where nothing needs sending.
    recipient
        The keyed digest of its number.
    limited
        Whether it takes a slot of the recipient's budget.
    write, undo
        Put the message into the records, and take it out again; given the id of the request's writes.
        `write` returns what stood in its way.
    replay
        Finds the answer to the same Idempotency-Key; None without a key.
    """

    verification: Verification
    message: Message
    outgoing: OutgoingMessage | None
    recipient: bytes
    limited: bool
    write: Callable[[str], Refused[Verification] | None]
    undo: Callable[[str], None]
    replay: Replay | None


def dispatch(service: Service, draft: Draft, journal: Journal) -> Sent | Refused[Verification]:
    """Budget, record, message, SID, in this order; or what stood in the record's way.

    Raises
    ------
    Problem
        Nothing was sent; which one says why.
    """
    request_token = encode_id(service.random_bytes(8))
    replayed = _reserve_budgets(service, draft, request_token)
    if replayed is not None:
        journal.note(replayed="yes")
        return replayed
    try:
        refused = draft.write(request_token)
    except Unavailable:
        # It may have been written: whoever sends the same Idempotency-Key again would be answered, and sent nothing.
        _take_back(service, draft, request_token)
        raise
    if refused is not None:
        _release_budgets(service, draft, request_token)
        return refused
    if draft.outgoing is None:
        if draft.message.sid is not None:
            journal.count("Sent")
        journal.note(sid=draft.message.sid)
        return answer_again(draft.message, draft.verification.verification_id, draft.message.sent_at)
    sent = _send(service, draft.verification.verification_id, draft.message, draft.outgoing, journal)
    if sent is None:
        _take_back(service, draft, request_token)
        raise Unavailable
    return sent


def _take_back(service: Service, draft: Draft, request_token: str) -> None:
    """Where nothing was sent, leave nothing behind; what does not work out hinders nothing else."""
    try:
        draft.undo(request_token)
    finally:
        _release_budgets(service, draft, request_token)


def _reserve_budgets(service: Service, draft: Draft, request_token: str) -> Sent | None:
    """Take a slot of the limit key's budget, one of the recipient's, and a place under the stack's hourly cap.

    Returns None; or, where the request with the same Idempotency-Key holds the recipient's slot, that one's answer.

    Raises
    ------
    TooManyMessages
        With the exact seconds to wait; without, where only a success or an operator's unlock helps.
    Unavailable
        The request that holds the slot does not get on.
    """
    if not draft.limited:
        return None
    limits = service.policy.limits
    now = service.clock()
    holder = _send_holder(draft.verification, draft.message.number)
    try:
        wait_s = _reserve_limit_key(service, draft, request_token)
        reserved = None if wait_s else service.budgets.reserve_send(draft.recipient, holder, now, limits, request_token)
    except Unavailable:
        # What was asked for may have been taken.
        _release_budgets(service, draft, request_token)
        raise
    if isinstance(reserved, Recipient):
        _require_within_cap(service, draft, reserved, request_token)
        return None
    if reserved is not None:
        _release_limit_key(service, draft, request_token)
        current = reserved.current or Recipient()
    else:
        current = service.budgets.read_recipient(draft.recipient) or Recipient()
    if draft.replay is not None and current.holders[:1] == (holder,):
        return _await_other(service, draft.replay)
    if current.failures >= limits.max_failures:
        raise TooManyMessages
    raise TooManyMessages(retry_after_s=max(wait_s, _wait_s(limits.recipient, current, now)))


def _require_within_cap(service: Service, draft: Draft, recipient: Recipient, request_token: str) -> None:
    """Who has confirmed something before is no stranger that a pump made up, and neither counted nor refused."""
    if service.hourly_cap is None or draft.outgoing is None or recipient.last_confirmed_at is not None:
        return
    try:
        wait_s = service.hourly_cap.take(service.clock(), request_token)
    except Unavailable:
        _release_budgets(service, draft, request_token)
        raise
    if wait_s:
        _release_budgets(service, draft, request_token)
        raise TooManyMessages(retry_after_s=wait_s)


def _reserve_limit_key(service: Service, draft: Draft, request_token: str) -> int:
    """Take a slot of the limit key's budget; returns 0, or the whole seconds until there is one."""
    limit_key, windows, now = draft.verification.limit_key, service.policy.limits.limit_key, service.clock()
    if limit_key is None:
        return 0
    reserved = service.budgets.reserve_limit_key(limit_key, now, windows, request_token)
    return _wait_s(windows, reserved.current or Recipient(), now) if isinstance(reserved, Refused) else 0


def _wait_s(windows: Windows, current: Recipient, now: int) -> int:
    """At least a second, for a window may have opened since the refusal."""
    return max(1, -(-windows.wait_ms(current.sends, now) // 1000))


def _release_budgets(service: Service, draft: Draft, request_token: str) -> None:
    if service.hourly_cap is not None:
        service.hourly_cap.give_back(request_token)
    if draft.limited:
        try:
            service.budgets.release_send(draft.recipient, request_token)
        finally:
            _release_limit_key(service, draft, request_token)


def _release_limit_key(service: Service, draft: Draft, request_token: str) -> None:
    if draft.verification.limit_key is not None:
        service.budgets.release_limit_key(draft.verification.limit_key, service.policy.limits.limit_key, request_token)


def already_sent(message: Message, sid: str | None) -> Message:
    """A message that needs no sending: the caller sent it itself, or its recipient is one for tests."""
    return replace(
        message,
        sid=sid,
        registered=sid is not None,
        delivery=Delivery.ACCEPTED,
        delivery_at=message.sent_at,
    )


def fixed_secret(policy: Policy, e164: str, action: Action, given: Secret | None) -> Secret | None:
    """The secret of a test recipient, in the form under which what is entered is compared; None where it is none.

    Raises
    ------
    MalformedRequest
        The action has no secret that could be fixed.
    """
    code = policy.test_recipients.get(e164)
    if code is None:
        return None
    if action in {Action.LINK, Action.REPLY}:
        raise MalformedRequest("to", "is a test recipient, which takes the actions code, password and caller alone")
    return given or canonical(action, Secret(code))


def _send_holder(verification: Verification, number: int) -> str:
    """What a slot of the recipient's budget is held for; `reply` marks what an inbound message may answer."""
    mark = REPLY_MARK if verification.action is Action.REPLY else ""
    return f"{verification.verification_id}#{number}{mark}"


def replied_to(holder: str) -> str | None:
    """The verification that a slot's holder names, where it awaits a reply."""
    return holder.partition("#")[0] if holder.endswith(REPLY_MARK) else None


def _await_other(service: Service, replay: Replay) -> Sent:
    for attempt in range(REREADS):
        if attempt:
            service.sleep(REREAD_PAUSE_S)
        answer = replay()
        if answer is not None:
            return answer
    raise Unavailable


def choose_template(policy: Policy, name: str | None, action: Action) -> Template | None:
    """The custom template of a name.

    Raises
    ------
    MalformedRequest
        There is none, or it is not for this action.
    """
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
        return preferred_tag(action.value, locale, choose_template(policy, template, action))
    except UnsupportedLocale:
        raise _unsupported_locale() from None


def _unsupported_locale() -> MalformedRequest:
    return MalformedRequest("locale", 'must be a language that there are texts in, or several such as "th, en"')


def compose(
    policy: Policy, verification: Verification, message: Message, secret: Secret | None, country: str, base_url: str
) -> OutgoingMessage:
    """The message as Twilio is asked for it.

    Raises
    ------
    MalformedRequest
        The template or the locale cannot be used.
    """
    verification_id, number, action = verification.verification_id, message.number, verification.action
    template = choose_template(policy, verification.template, action)
    is_content = template is not None and template.content_sid is not None
    if is_whatsapp(verification.sender) and message.delivery is Delivery.CREATING and not is_content:
        raise MalformedRequest("template", "must name one with a content_sid, since the sender is a WhatsApp address")
    try:
        language = choose_language(action.value, verification.locale or policy.language, country, template)
    except UnsupportedLocale:
        raise _unsupported_locale() from None
    link = ""
    if action is Action.LINK and secret is not None:
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


def _send(
    service: Service, verification_id: str, message: Message, outgoing: OutgoingMessage, journal: Journal
) -> Sent | None:
    """Ask Twilio for the message and store what became of it.

    Returns None where provably no message was created, so that all can be taken back.

    Raises
    ------
    Problem
        Twilio refused the message.
    """
    outcome = service.twilio.create_message(outgoing, CREATE_DEADLINE_S)
    match outcome:
        case Created(sid):
            journal.count("Sent")
            journal.note(sid=sid)
            _store(service, verification_id, message.number, Delivery.ACCEPTED, journal, sid=sid)
            return Sent(verification_id, message.expires_at, message.number, sid, accepted=True)
        case SendUnknown():
            journal.count("SendFailed")
            journal.note(send="unknown")
            _store(service, verification_id, message.number, Delivery.UNKNOWN, journal)
            return Sent(verification_id, message.expires_at, message.number, None, accepted=False)
        case CreateRefused(code):
            journal.count("SendFailed")
            journal.note(send="rejected", twilio_code=code)
            _store(service, verification_id, message.number, Delivery.REJECTED, journal, error_code=code)
            raise problem_for(code)
        case NotSent(code):
            journal.count("SendFailed")
            journal.note(send="not-sent", twilio_code=code)
            return None


def _store(
    service: Service,
    verification_id: str,
    number: int,
    delivery: Delivery,
    journal: Journal,
    sid: str | None = None,
    error_code: int | None = None,
) -> None:
    """A write that fails here loses nothing: the status callback brings the SID again."""
    try:
        service.verifications.advance_message(verification_id, number, delivery, service.clock(), sid, error_code)
    except Unavailable:
        journal.note(attach="unavailable")


def answer_again(message: Message, verification_id: str, now: int) -> Sent:
    """The answer that was given for a stored message.

    Raises
    ------
    IdempotencyConflict
        Twilio was never asked, or its answer got lost and no callback came since: only another key sends.
    Problem
        Twilio had refused it.
    """
    if message.delivery < Delivery.REJECTED and now >= message.sent_at + REQUEST_ENDS_MS:
        raise IdempotencyConflict
    if message.delivery is Delivery.REJECTED:
        raise problem_for(message.error_code)
    accepted = message.delivery >= Delivery.ACCEPTED
    return Sent(verification_id, message.expires_at, message.number, message.sid, accepted)
