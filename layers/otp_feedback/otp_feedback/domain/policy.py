"""What a stack's owner has chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from otp_feedback.domain.recipient import Limits
from otp_feedback.domain.texts import Template
from otp_feedback.domain.verification import MESSAGE_NUMBERS

LONGEST_LIFETIME_S = 600
"""NIST SP 800-63B-4 §3.1.3.2: a code lives ten minutes at most."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The choices that the use cases follow.

    Parameters
    ----------
    app_name
        The name that the texts give the application; empty if no text does.
    sender
        The default sender; empty if nothing is sent.
    allowed_senders
        Senders that a caller may choose beside the default one.
    code_digits
        6 to 10.
    lifetime_s
        Seconds for which a secret confirms; at most 600 (NIST SP 800-63B-4 §3.1.3.2).
    max_messages
        Messages for one verification, at most 3.
    limits
        How often a recipient may be sent a message.
    hourly_cap
        Messages that the stack sends in an hour to recipients that never confirmed anything; None for no cap.
    countries
        ISO 3166-1 alpha-2 codes of the countries that messages may go to; None for all.
    feedback_timeout_ms
        Milliseconds that a confirming request may spend on its report; 0 leaves it to the outbox.
    report_late_actions
        Whether a message acted on after its expiry is reported.
    record_days
        Days for which a record is kept.
    language
        The language of texts if the caller names none; None for the language of the number's country.
    domain
        The domain that WebOTP binds codes to; None for none.
    app_hash
        The 11 characters that Android's SMS Retriever looks for; None for none.
    templates
        Custom texts by name.
    reply_keyword
        What a reply by message must hold; None if any reply confirms.
    test_recipients
        Numbers that are sent nothing, and the fixed code of each.
    """

    app_name: str
    sender: str
    allowed_senders: frozenset[str] = frozenset()
    code_digits: int = 6
    lifetime_s: int = LONGEST_LIFETIME_S
    max_messages: int = len(MESSAGE_NUMBERS)
    limits: Limits = field(default_factory=Limits)
    hourly_cap: int | None = None
    countries: frozenset[str] | None = None
    feedback_timeout_ms: int = 1000
    report_late_actions: bool = True
    record_days: int = 7
    language: str | None = None
    domain: str | None = None
    app_hash: str | None = None
    templates: Mapping[str, Template] = field(default_factory=lambda: MappingProxyType({}))
    reply_keyword: str | None = None
    test_recipients: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def senders(self) -> frozenset[str]:
        """All senders that a message may come from."""
        return self.allowed_senders | {self.sender}

    def record_ttl(self, now: int) -> int:
        """Epoch seconds after which a record written at `now` (epoch milliseconds) may be deleted."""
        return now // 1000 + self.record_days * 86_400


DEFAULT = Policy(app_name="", sender="")
"""The defaults; those of the template are the same."""
