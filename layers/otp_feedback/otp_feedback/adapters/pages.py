"""The public page behind a link: one button, no script, one answer for every failure."""

import base64
import hashlib
from html import escape
from urllib.parse import urlsplit

from otp_feedback.adapters.problems import Reply
from otp_feedback.domain.texts import PageTexts

_STYLE = """
:root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:#fff;color:#1a1a1a}
main{box-sizing:border-box;width:100%;max-width:30rem;padding:1.5rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}
button{font:inherit;font-weight:600;width:100%;min-height:3rem;border:0;border-radius:.5rem;background:#0b57d0;color:#fff}
button:focus-visible{outline:3px solid #0b57d0;outline-offset:3px}
p.note{color:#4a4a4a;font-size:1rem}
@media(prefers-color-scheme:dark){body{background:#121212;color:#f1f1f1}button{background:#a8c7fa;color:#062e6f}
button:focus-visible{outline-color:#a8c7fa}p.note{color:#c4c4c4}}
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def security_headers(success_url: str | None) -> dict[str, str]:
    """What every answer of the public page carries.

    `form-action` must name where a success goes: browsers hold a redirect after a form to it.
    """
    parts = urlsplit(success_url) if success_url else None
    goes_to = f" {parts.scheme}://{parts.netloc}" if parts else ""
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'{goes_to}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
        "Vary": "Accept-Language",
    }


def asking_page(texts: PageTexts, link: str) -> str:
    """The page that asks; `link` is the id as it came, which only a tap sends on."""
    return _page(
        texts,
        f"<h1>{escape(texts.title)}</h1><p>{escape(texts.asks)}</p>"
        f'<form method="post" action="confirm"><input type="hidden" name="id" value="{escape(link, quote=True)}">'
        f'<button type="submit">{escape(texts.button)}</button></form><p class="note">{escape(texts.otherwise)}</p>',
    )


def result_page(texts: PageTexts, *, confirmed: bool) -> str:
    """The page that tells the result."""
    text = texts.success if confirmed else texts.failure
    return _page(texts, f'<h1>{escape(texts.title)}</h1><p role="status">{escape(text)}</p>')


def html_reply(status: int, html: str, success_url: str | None, headers: dict[str, str] | None = None) -> Reply:
    """A page as a response."""
    return Reply(status, html, "text/html; charset=utf-8", {**security_headers(success_url), **(headers or {})})


def twiml_reply(verbs: str = "") -> Reply:
    """TwiML (https://www.twilio.com/docs/messaging/twiml) as a response."""
    return Reply(200, f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>', "text/xml; charset=utf-8")


def redirect_verb(url: str) -> str:
    """TwiML that hands an inbound message or call on."""
    return f'<Redirect method="POST">{escape(url)}</Redirect>'


def _page(texts: PageTexts, main: str) -> str:
    return (
        f'<!doctype html><html lang="{escape(texts.language, quote=True)}" dir="{texts.dir}"><head>'
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{escape(texts.title)}</title><style>{_STYLE}</style></head>'
        f"<body><main>{main}</main></body></html>"
    )
