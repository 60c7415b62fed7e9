"""The default texts: one module for each action, one for the page; a mapping from language tag to text.

Written in the register that large services use in that language. No plural is needed: minutes are abbreviated
where the word would change with the number. Where a language can say it in the GSM-7 alphabet, it does.
A link is always surrounded by white space, so that no phone takes punctuation for a part of it; so is a password.
In right-to-left languages both have a line of their own, where letters and digits cannot be reordered.
"""

from collections.abc import Mapping

from otp_feedback.domain.texts.data import caller, code, link, password, reply

TEXTS: Mapping[str, Mapping[str, str]] = {
    "code": code.TEXTS,
    "link": link.TEXTS,
    "password": password.TEXTS,
    "reply": reply.TEXTS,
    "caller": caller.TEXTS,
}
"""By action, and language."""

TEXTS_WITH_KEYWORD: Mapping[str, Mapping[str, str]] = {"reply": reply.TEXTS_WITH_KEYWORD}
"""Those that ask for the stack's reply keyword."""
