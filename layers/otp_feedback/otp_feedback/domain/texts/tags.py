"""Language tags: BCP 47 syntax (RFC 5646 §2.1) and the choice of the nearest text (in the manner of RFC 4647 §3.4)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, override

MAX_TAG = 64

# Patterns here and beside are strings, compiled at their first use: most cold starts need none of them.
_TAG = (
    r"(?P<language>[a-z]{2,8})"
    r"(?:-[a-z]{3}){0,3}"
    r"(?:-(?P<script>[a-z]{4}))?"
    r"(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?"
)

# POSIX (`de_DE.UTF-8`, `sr_RS@latin`), ICU (`zh_Hans_CN@calendar=chinese`), Java (`zh_TW_#Hant`).
_LOCALE = (
    r"(?P<tag>[a-z0-9_-]+?)"
    r"(?:_#(?P<script>[a-z]{4})(?:[_-][a-z0-9_-]*)?)?"
    r"(?:\.[a-z0-9_-]+)?"
    r"(?:@(?P<modifier>[a-z0-9=;_+/-]+))?"
)
_MODIFIERS = {"cyrillic": "cyrl", "devanagari": "deva", "latin": "latn"}

# Deprecated, macrolanguage and near codes, as CLDR maps them (supplementalMetadata, languageAlias).
_ALIASES = {
    "in": "id",
    "iw": "he",
    "mo": "ro",
    "nn": "nb",
    "no": "nb",
    "prs": "fa",
    "pes": "fa",
    "tl": "fil",
    "cmn": "zh",
    "yue": "zh",
}
_TRADITIONAL = frozenset({"HK", "MO", "TW"})

_ISO_639_1 = frozenset(
    """
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo
    es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka
    kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng
    nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su
    sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    """.split()  # noqa: SIM905 - a list of 184 quoted codes would be four screens
)


class Tag(NamedTuple):
    """The subtags that choose a text.

    Parameters
    ----------
    language
        Lower case, its deprecated codes replaced.
    script
        Title case (ISO 15924), or "".
    region
        Upper case (ISO 3166-1 alpha-2 or UN M.49), or "".
    """

    language: str
    script: str
    region: str

    @override
    def __str__(self) -> str:
        return "-".join(filter(None, self))


def parse_locale(text: str) -> Tag | None:
    """Parse a language tag as devices write it; None if it is none, or longer than 64 characters.

    Beside tags of BCP 47: underscores for hyphens, a POSIX code set and modifier, ICU keywords, and the `#` before the
    script that Java's Locale.toString() gives. Parts that do not name the language are ignored.
    """
    match = re.fullmatch(_LOCALE, text.lower()) if len(text) <= MAX_TAG and text.isascii() else None
    if match is None:
        return None
    language, *others = re.split("[_-]", match["tag"])
    script = match["script"] or _MODIFIERS.get(match["modifier"])
    return parse_tag("-".join([language, *([script] if script else []), *others]))


@lru_cache(maxsize=256)
def parse_tag(text: str) -> Tag | None:
    """Parse a language tag in any case; None if it is not well-formed, or longer than 64 characters.

    If the script (Chinese, Serbian) or the variety (Portuguese) decides the text, CLDR's likely subtags fill in what is
    left out: zh-TW is Hant, pt is BR, pt-AO goes with PT.
    """
    match = re.fullmatch(_TAG, text.lower()) if len(text) <= MAX_TAG and text.isascii() else None
    if match is None:
        return None
    given = match["language"]
    language = _ALIASES.get(given, given)
    script = (match["script"] or "").title()
    region = (match["region"] or "").upper()
    if language == "zh" and not script:
        script = "Hant" if region in _TRADITIONAL or given == "yue" else "Hans"
    elif language == "sr" and not script:
        script = "Latn" if region == "ME" else "Cyrl"
    elif language == "pt":
        region = "BR" if region in ("", "BR") else "PT"
    return Tag(language, script, region)


def is_known_language(tag: Tag) -> bool:
    """Whether the language exists: an ISO 639-1 code, or Filipino, which has none."""
    return tag.language in _ISO_639_1 or tag.language == "fil"


def nearest(want: Tag, available: Iterable[str]) -> str | None:
    """The tag of `available` nearest to `want` in the same language, by script, then region; None if there is none.

    Of two equally near ones the earlier wins, so the order of `available` is an order of preference.
    """
    best, best_rank = None, (-1, -1)
    for text in available:
        tag = parse_tag(text)
        if tag is None or tag.language != want.language:
            continue
        rank = (int(tag.script == want.script), 2 if tag.region == want.region else int(not tag.region))
        if rank > best_rank:
            best, best_rank = text, rank
    return best
