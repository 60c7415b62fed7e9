"""Segments against an oracle that really cuts the text into parts, unit by unit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.segments import Segments, segments

ESCAPE = 0x1B

# 3GPP TS 23.038 §6.2.1 and §6.2.1.1, column by column; None stands where the escape does.
BASIC = [
    *("@", "£", "$", "¥", "è", "é", "ù", "ì", "ò", "Ç", "\n", "Ø", "ø", "\r", "Å", "å"),
    *("Δ", "_", "Φ", "Γ", "Λ", "Ω", "Π", "Ψ", "Σ", "Θ", "Ξ", None, "Æ", "æ", "ß", "É"),
    *(" ", "!", '"', "#", "¤", "%", "&", "'", "(", ")", "*", "+", ",", "-", ".", "/"),
    *("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ":", ";", "<", "=", ">", "?"),
    *("¡", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O"),
    *("P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "Ä", "Ö", "Ñ", "Ü", "§"),
    *("¿", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"),
    *("p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z", "ä", "ö", "ñ", "ü", "à"),
]
EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
SEPTETS = {character: [code] for code, character in enumerate(BASIC) if character} | {
    character: [ESCAPE, code] for character, code in EXTENSION.items()
}
GSM_7_TEXT = st.text(st.sampled_from(sorted(SEPTETS)), max_size=700)


def oracle(text: str) -> Segments:
    if all(character in SEPTETS for character in text):
        units = [septet for character in text for septet in SEPTETS[character]]
        return Segments("GSM-7", len(units), len(parts(units, 160, 153, lambda unit: unit == ESCAPE)))
    raw = text.encode("utf-16-be")
    units = [int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)]
    return Segments("UCS-2", len(units), len(parts(units, 70, 67, lambda unit: 0xD800 <= unit < 0xDC00)))


def parts(units, single, part, opens_a_pair):
    if len(units) <= single:
        return [units]
    cut = []
    rest = units
    while rest:
        end = min(part, len(rest))
        if opens_a_pair(rest[end - 1]):
            end -= 1
        cut.append(rest[:end])
        rest = rest[end:]
    assert [unit for units_of_part in cut for unit in units_of_part] == units
    return cut


@settings(deadline=None)
@given(st.one_of(GSM_7_TEXT, st.text(max_size=300), st.text(st.sampled_from("aЖ😀€["), max_size=300)))
def test_segments_agree_with_really_cutting_the_text(text):
    assert segments(text) == oracle(text)


def test_every_character_of_both_tables_and_none_beside_them():
    for code in range(0x10000):
        character = chr(code)
        septets = SEPTETS.get(character)
        assert segments(character) == (Segments("GSM-7", len(septets), 1) if septets else Segments("UCS-2", 1, 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("GSM-7", 0, 1)),
        ("a" * 160, Segments("GSM-7", 160, 1)),
        ("a" * 161, Segments("GSM-7", 161, 2)),
        ("a" * 306, Segments("GSM-7", 306, 2)),
        ("a" * 307, Segments("GSM-7", 307, 3)),
        ("€" * 80, Segments("GSM-7", 160, 1)),
        ("€" * 152, Segments("GSM-7", 304, 2)),
        ("€" * 153, Segments("GSM-7", 306, 3)),
        ("ж" * 70, Segments("UCS-2", 70, 1)),
        ("ж" * 71, Segments("UCS-2", 71, 2)),
        ("ж" * 134, Segments("UCS-2", 134, 2)),
        ("😀" * 35, Segments("UCS-2", 70, 1)),
        ("\U00010000" * 35, Segments("UCS-2", 70, 1)),
        ("😀" * 66, Segments("UCS-2", 132, 2)),
        ("😀" * 67, Segments("UCS-2", 134, 3)),
        ("ç", Segments("UCS-2", 1, 1)),
        ("Ç", Segments("GSM-7", 1, 1)),
        ("\x1b", Segments("UCS-2", 1, 1)),
        ("`", Segments("UCS-2", 1, 1)),
        ("\ud800", Segments("UCS-2", 1, 1)),
    ],
)
def test_segments_at_the_edges(text, expected):
    assert segments(text) == expected
