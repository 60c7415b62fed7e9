"""Finds marked values in bytes, whatever they were turned into on the way."""

import base64
import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote, quote_plus

LEAST_CORE = 8
"""Characters of base64 that must depend on the value alone, so that chance does not find it."""

_SEPARATORS = re.compile(rb"[\s\-._/()]+")
_HASHES: Mapping[str, Callable[[bytes], "hashlib._Hash"]] = {
    "md5": hashlib.md5,
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
}


def encodings(value: str) -> Iterator[tuple[str, bytes]]:
    """Pairs of an encoding's name and how the value looks in it; hexadecimal in lower case."""
    for form, text in _forms(value):
        raw = text.encode()
        yield form, raw
        yield f"{form}, URL-encoded", quote(text, safe="").encode()
        yield f"{form}, URL-encoded in lower case", quote(text, safe="").lower().encode()
        yield f"{form}, as a form", quote_plus(text).encode()
        yield f"{form}, JSON-escaped", "".join(f"\\u{ord(letter):04x}" for letter in text).encode()
        yield f"{form}, hex", raw.hex().encode()
        for alignment, core in enumerate(_base64_cores(raw)):
            yield f"{form}, base64 from byte {alignment}", core
            yield f"{form}, base64url from byte {alignment}", core.translate(bytes.maketrans(b"+/", b"-_"))
        for name, function in _HASHES.items():
            digest = function(raw)
            yield f"{form}, {name}", digest.hexdigest().encode()
            yield f"{form}, {name} in base64", base64.b64encode(digest.digest())


def _forms(value: str) -> Iterator[tuple[str, str]]:
    yield "raw", value
    if re.fullmatch(r"\+[0-9]+", value):
        yield "without +", value[1:]
        yield "with 00", f"00{value[1:]}"
        yield "without country code", value[3:]


def _base64_cores(raw: bytes) -> Iterator[bytes]:
    """What base64 makes of the value, whatever stands before and after it, for each place it may begin at."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        begin, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        if end - begin >= LEAST_CORE:
            yield encoded[begin:end]


class Detector:
    """Looks for values by name.

    Parameters
    ----------
    canaries
        The values; each so long that chance does not make it.
    """

    def __init__(self, canaries: Mapping[str, str]) -> None:
        self._patterns: dict[bytes, tuple[str, str]] = {}
        self._spaced: dict[bytes, tuple[str, str]] = {}
        for name, value in canaries.items():
            for encoding, pattern in encodings(value):
                self._patterns.setdefault(pattern, (name, encoding))
            for form, text in _forms(value):
                self._spaced.setdefault(_SEPARATORS.sub(b"", text.encode()).lower(), (name, f"{form}, spaced"))

    def found(self, haystack: bytes) -> frozenset[tuple[str, str]]:
        """Which values stand in the bytes, and in which encoding; letters of hexadecimal in either case."""
        lower = haystack.lower()
        joined = _SEPARATORS.sub(b"", lower)
        plain = {found for pattern, found in self._patterns.items() if pattern in haystack or pattern in lower}
        return frozenset(plain | {found for pattern, found in self._spaced.items() if pattern in joined})


def spacings(value: str) -> Iterator[str]:
    """Ways in which people write numbers and codes."""
    yield " ".join(value)
    yield "-".join("".join(group) for group in itertools.batched(value, 3, strict=False))
    yield "\u0020".join("".join(group) for group in itertools.batched(value, 4, strict=False))
