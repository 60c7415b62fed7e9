"""The public page behind a link: one button, no script, one answer for every failure."""

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape
from urllib.parse import urlsplit

from otp_feedback.adapters.web.response import Response
from otp_feedback.domain.texts import PageTexts

_STYLE = """
:root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif;--back:#f3f4f6;--card:#fff;--front:#1a1a1a;
--quiet:#55565a;--accent:#0b57d0;--pressed:#0842a0;--on-accent:#fff;--good:#146c2e;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--back:#121314;--card:#1e1f20;--front:#e8e8e8;--quiet:#b6b8bc;
--accent:#a8c7fa;--pressed:#d3e3fd;--on-accent:#062e6f;--good:#6dd58c;--bad:#f2b8b5}}
body{margin:0;min-height:100vh;min-height:100svh;display:grid;place-items:center;background:var(--card);color:var(--front)}
main{box-sizing:border-box;width:100%;max-width:28rem;padding:1.5rem;overflow-wrap:anywhere}
svg{display:block;width:2.75rem;height:2.75rem;margin:0 0 1rem;fill:none;stroke:currentColor;stroke-width:2.5;
stroke-linecap:round;stroke-linejoin:round}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem;text-wrap:balance}
p{margin:0}
form{margin:1.5rem 0}
button{font:inherit;font-weight:600;width:100%;min-height:3.25rem;padding:.5rem 1rem;border:2px solid transparent;
border-radius:.75rem;background:var(--accent);color:var(--on-accent);cursor:pointer}
button:hover,button:active{background:var(--pressed)}
button:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
.note{color:var(--quiet);font-size:1rem}
.good{color:var(--good)}
.bad{color:var(--bad)}
@media(min-width:36rem){body{background:var(--back)}
main{padding:2.5rem;margin:1.5rem;border-radius:1.25rem;background:var(--card)}}
"""

_MARK = '<svg class="{}" viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="14"/><path d="{}"/></svg>'
_DONE = _MARK.format("good", "m10 16.5 4 4 8-9")
_FAILED = _MARK.format("bad", "M16 9v9m0 4.5v.01")

# A sentence of any of the page's languages ends with one of these.
_FIRST_SENTENCE = re.compile(r"([^.。]+)[.。]\s*(.*)", re.DOTALL)

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def security_headers(success_url: str | None) -> dict[str, str]:
    """What every answer of the public page carries.

    `form-action` must name where a success goes, since browsers apply it to a redirect after a form.
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
    """The page that asks; `link` is the id as it came, and only a tap sends it."""
    return _page(
        texts,
        texts.title,
        f"<h1>{escape(texts.title)}</h1><p>{escape(texts.asks)}</p>"
        f'<form method="post" action="confirm"><input type="hidden" name="id" value="{escape(link, quote=True)}">'
        f'<button type="submit">{escape(texts.button)}</button></form><p class="note">{escape(texts.otherwise)}</p>',
    )


def result_page(texts: PageTexts, *, confirmed: bool) -> str:
    """The page that tells the result.

    Its title says what happened, since screen readers speak the title when a page has loaded; they do not speak a live
    region that is already in the page.
    """
    what, then = _headline(texts.success if confirmed else texts.failure)
    mark = _DONE if confirmed else _FAILED
    return _page(texts, what, f"{mark}<h1>{escape(what)}</h1><p>{escape(then)}</p>")


def html_response(
    status: int, html: str, success_url: str | None, headers: Mapping[str, str] | None = None
) -> Response:
    """A page as a response."""
    return Response(status, html, "text/html; charset=utf-8", {**security_headers(success_url), **(headers or {})})


def _headline(text: str) -> tuple[str, str]:
    """A text's first sentence without its full stop, and the rest."""
    parts = _FIRST_SENTENCE.fullmatch(text)
    return (parts[1], parts[2]) if parts else (text, "")


def _page(texts: PageTexts, title: str, main: str) -> str:
    return (
        f'<!doctype html><html lang="{escape(texts.language, quote=True)}" dir="{texts.dir}"><head>'
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{main}</main></body></html>"
    )
