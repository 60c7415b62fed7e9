"""How many SMS segments a text takes, by 3GPP TS 23.038 (alphabets) and TS 23.040 §9.2.3.24.1 (concatenation)."""

from dataclasses import dataclass
from typing import Literal

type Encoding = Literal["GSM-7", "UCS-2"]

# 3GPP TS 23.038 §6.2.1, in code order without the escape 0x1B; the national tables of its annex A are not used.
GSM_7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# §6.2.1.1: each is sent as the escape and one more septet.
GSM_7_EXTENSION = frozenset("\f^{}\\[~]|€")

GSM_7_SINGLE, GSM_7_PART = 160, 153
UCS_2_SINGLE, UCS_2_PART = 70, 67


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text costs.

    Parameters
    ----------
    encoding
        The alphabet the whole text is sent in.
    units
        Septets in GSM-7, 16-bit code units in UCS-2; without the headers of a concatenated message.
    count
        Segments: what the carrier bills.
    """

    encoding: Encoding
    units: int
    count: int


def segments(text: str) -> Segments:
    """Count the units and segments of a text; an empty one takes one segment.

    A single segment holds 160 septets or 70 code units, a part of a concatenated message 153 or 67, and less where an
    escape sequence or a surrogate pair would be cut in two: that starts the next part.
    """
    encoding: Encoding
    if all(character in GSM_7_BASIC or character in GSM_7_EXTENSION for character in text):
        encoding, single, part = "GSM-7", GSM_7_SINGLE, GSM_7_PART
        widths = [2 if character in GSM_7_EXTENSION else 1 for character in text]
    else:
        encoding, single, part = "UCS-2", UCS_2_SINGLE, UCS_2_PART
        widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    units = sum(widths)
    if units <= single:
        return Segments(encoding, units, 1)
    count, used = 1, 0
    for width in widths:
        if used + width > part:
            count, used = count + 1, 0
        used += width
    return Segments(encoding, units, count)
