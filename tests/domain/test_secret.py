"""Secrets: how they are drawn, stored and compared, and what carries them."""

import base64
import hashlib
import hmac
import itertools
import re
import secrets
import string
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.domain.ids import decode_id, encode_id, is_verification_id, new_verification_id
from otp_feedback.domain.keys import Keys, Mac
from otp_feedback.domain.links import link_id, parse_link_id
from otp_feedback.domain.secret import READABLE, Secret, generate_code, generate_link_secret, generate_password

ROOT = "r" * 32
V = "A" * 22
OTHER_V = "B" * 21 + "A"
KEYS = Keys.derive(ROOT)
K2 = base64.urlsafe_b64encode(bytes(range(32))).decode()


def scripted(*numbers: int) -> Callable[[int], bytes]:
    """A source of random bytes that gives these numbers, eight bytes each."""
    values = iter(numbers)
    return lambda size: next(values).to_bytes(size)


@pytest.mark.parametrize("digits", [6, 7, 8, 9, 10])
def test_a_code_has_its_digits_leading_zeros_too(digits: int):
    assert generate_code(digits, scripted(0)).reveal() == "0" * digits
    assert generate_code(digits, scripted(10**digits - 1)).reveal() == "9" * digits
    assert generate_code(digits, scripted(10**digits + 42)).reveal() == f"{42:0{digits}d}"


def test_what_would_favour_low_codes_is_drawn_again():
    highest_fair = (1 << 64) - (1 << 64) % 10**6
    assert generate_code(6, scripted(highest_fair, (1 << 64) - 1, 7)).reveal() == "000007"
    assert generate_code(6, scripted(highest_fair - 1)).reveal() == "999999"


def test_codes_are_uniform():
    counts = Counter(int(generate_code(6, secrets.token_bytes).reveal()) // 100_000 for _ in range(20_000))
    # Ten boxes of 2,000: a fair draw leaves this range less than once in 10^10 runs.
    assert all(1700 < counts[box] < 2300 for box in range(10))


def test_a_password_is_one_token_of_64_bits_without_look_alikes():
    password = generate_password(secrets.token_bytes).reveal()
    assert re.fullmatch(rf"[{READABLE}]{{4}}-[{READABLE}]{{4}}-[{READABLE}]{{5}}", password)
    assert not set(READABLE) & set("01iloIO")
    assert len(set(READABLE)) ** 13 >= 2**64


def test_a_link_secret_has_128_bits():
    assert generate_link_secret(lambda size: bytes(range(size))).reveal() == bytes(range(16)).hex()


def test_secrets_differ():
    for generate in (generate_password, generate_link_secret):
        assert len({generate(secrets.token_bytes).reveal() for _ in range(500)}) == 500
    assert len({new_verification_id(secrets.token_bytes) for _ in range(500)}) == 500


def test_a_secret_does_not_print():
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {Keys.derive(ROOT)!r}"
    assert not hasattr(secret, "__dict__")


def test_the_mac_is_hmac_sha256_over_length_prefixed_parts():
    key = hmac.new(ROOT.encode(), b"otp-feedback/mac", hashlib.sha256).digest()
    parts = [b"secret", V.encode(), b"2", b"123456"]
    signed = b"".join(len(part).to_bytes(4) + part for part in parts)
    assert KEYS.mac(V, 2, Secret("123456")) == Mac("0", hmac.digest(key, signed, "sha256"))


@given(st.text(max_size=64), st.text(max_size=64), st.integers(1, 3), st.integers(1, 3))
def test_a_mac_is_of_one_secret_of_one_message(one: str, other: str, first: int, second: int):
    same = (one, first) == (other, second)
    assert (KEYS.mac(V, first, Secret(one)) == KEYS.mac(V, second, Secret(other))) is same
    assert KEYS.mac(V, first, Secret(one)) != KEYS.mac(OTHER_V, first, Secret(one))


@given(st.lists(st.text(max_size=10), max_size=4), st.lists(st.text(max_size=10), max_size=4))
def test_indexes_of_different_parts_differ(one: list[str], other: list[str]):
    assert (KEYS.index("x", *one) == KEYS.index("x", *other)) is (one == other)
    assert KEYS.index("x", *one) != KEYS.index("y", *one)


def test_lone_surrogates_and_any_length_can_be_compared():
    for guess in ("\ud800", "", "x" * 10_000, "\x00"):
        macs = {1: KEYS.mac(V, 1, Secret(guess))}
        assert KEYS.matching(V, macs, Secret(guess)) == {1}
        assert KEYS.matching(V, macs, Secret(guess + "y")) == frozenset()


def test_matching_names_the_messages_whose_secret_it_is():
    macs = {number: KEYS.mac(V, number, Secret(text)) for number, text in ((1, "a"), (2, "b"), (3, "a"))}
    assert KEYS.matching(V, macs, Secret("a")) == {1, 3}
    assert KEYS.matching(V, macs, Secret("b")) == {2}
    assert KEYS.matching(V, macs, Secret("c")) == frozenset()
    assert KEYS.matching(OTHER_V, macs, Secret("a")) == frozenset()
    assert KEYS.matching(V, {}, Secret("a")) == frozenset()


def test_a_rotated_key_makes_new_macs_and_the_old_ones_still_match():
    rotated = Keys.derive(ROOT, {"2": K2}, "2")
    old, new = KEYS.mac(V, 1, Secret("a")), rotated.mac(V, 2, Secret("b"))
    assert (old.key_id, new.key_id) == ("0", "2")
    assert rotated.matching(V, {1: old, 2: new}, Secret("a")) == {1}
    assert rotated.matching(V, {1: old, 2: new}, Secret("b")) == {2}
    assert rotated.index_key == KEYS.index_key


def test_a_mac_under_an_unknown_key_matches_nothing_and_is_told():
    foreign = Keys.derive(ROOT, {"9": K2}, "9").mac(V, 1, Secret("a"))
    assert KEYS.matching(V, {1: foreign}, Secret("a")) == frozenset()
    assert KEYS.unknown_key_ids([foreign, KEYS.mac(V, 2, Secret("a"))]) == {"9"}
    under_no_key = Mac("9", hmac.digest(b"", b"", "sha256"))
    assert KEYS.matching(V, {1: under_no_key}, Secret("")) == frozenset()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("short",), "root"),
        (("r" * 31,), "root"),
        ((ROOT, {"2": "x"}), "mac_keys"),
        ((ROOT, {"2": K2 + "AAAA"}), "mac_keys"),
        ((ROOT, {"2": K2[:-4]}), "mac_keys"),
        ((ROOT, {"": K2}), "mac_keys"),
        ((ROOT, {"k" * 17: K2}), "mac_keys"),
        ((ROOT, {"a b": K2}), "mac_keys"),
        ((ROOT, {"2": K2}, "3"), "mac_key_id"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_without_being_told(arguments: tuple[str, ...], field: str):
    with pytest.raises(ConfigurationError) as raised:
        Keys.derive(*arguments)  # type: ignore[arg-type]
    assert raised.value.variable == field
    assert ROOT not in str(raised.value)
    assert K2[:20] not in str(raised.value)


def test_the_keys_of_two_roots_and_of_two_purposes_differ():
    other = Keys.derive("s" * 32)
    made = [KEYS.index_key, KEYS.mac_keys["0"], other.index_key, other.mac_keys["0"]]
    assert all(a != b for a, b in itertools.combinations(made, 2))


@given(st.binary(max_size=60))
def test_an_id_is_decoded_to_what_was_encoded(raw: bytes):
    assert decode_id(encode_id(raw)) == raw


@given(st.text(max_size=60))
def test_a_text_that_decodes_is_the_one_canonical_form(text: str):
    raw = decode_id(text)
    assert raw is None or encode_id(raw) == text


@pytest.mark.parametrize("text", ["A" * 21, "A" * 23, "A" * 21 + "B", "A" * 20 + "==", "A" * 21 + "+", "é" * 22, ""])
def test_what_is_no_verification_id(text: str):
    assert not is_verification_id(text)


def test_what_is_one():
    assert is_verification_id(V)
    assert is_verification_id(new_verification_id(secrets.token_bytes))
    assert len(new_verification_id(lambda size: b"\xff" * size)) == 22


TOO_LARGE = "7N42dgm5tFLK9N8MT7fHC87N42dgm5tFLK9N8MT7fHC8"  # a verification id of 2 ** 128
SIXTEEN_BYTES = st.binary(min_size=16, max_size=16)
BASE62 = string.ascii_letters + string.digits


def before(verification: bytes, number: int, secret: bytes) -> str:
    """The id in a link of before: base64url."""
    return encode_id(verification + bytes([number]) + secret)


@given(SIXTEEN_BYTES, st.integers(1, 3), SIXTEEN_BYTES)
@example(bytes(16), 1, bytes(16))
@example(b"\xff" * 16, 3, b"\xff" * 16)
def test_a_link_id_carries_its_verification_and_its_secret(verification: bytes, number: int, secret: bytes):
    for text in (link_id(encode_id(verification), number, Secret(secret.hex())), before(verification, number, secret)):
        parsed = parse_link_id(text)
        assert parsed
        assert parsed[0] == encode_id(verification)
        assert parsed[1].reveal() == secret.hex()


@given(SIXTEEN_BYTES, st.integers(1, 3), SIXTEEN_BYTES)
def test_a_link_id_survives_texting(verification: bytes, number: int, secret: bytes):
    """No hyphen that a link finder drops before a space, no `_` that carriers mangle, and no longer than it was."""
    assert re.fullmatch("[A-Za-z0-9]{44}", link_id(encode_id(verification), number, Secret(secret.hex())))


def own_text(text: str) -> bool:
    """Whether what a text says as a link's id is said by no other text of its kind."""
    parsed = parse_link_id(text)
    if parsed is None:
        return True
    verification_id, secret = parsed
    now = {link_id(verification_id, number, secret) for number in (1, 2, 3)}
    then = {before(raw_of(verification_id), number, bytes.fromhex(secret.reveal())) for number in (1, 2, 3)}
    return len(now | then) == 6 and text in now | then


@given(
    SIXTEEN_BYTES,
    st.integers(1, 3),
    SIXTEEN_BYTES,
    st.integers(0, 43),
    st.sampled_from(f"{BASE62}-_"),
    st.booleans(),
)
def test_no_two_texts_of_a_kind_are_the_id_of_one_link(
    verification: bytes, number: int, secret: bytes, at: int, letter: str, earlier: bool
):
    made = (
        before(verification, number, secret)
        if earlier
        else link_id(encode_id(verification), number, Secret(secret.hex()))
    )
    assert own_text(made)
    assert own_text(made[:at] + letter + made[at + 1 :])


@given(SIXTEEN_BYTES, st.integers(1, 3), SIXTEEN_BYTES)
def test_a_links_id_and_one_of_before_are_told_apart_by_one_character(verification: bytes, number: int, secret: bytes):
    assert link_id(encode_id(verification), number, Secret(secret.hex()))[22] in "789" + string.ascii_lowercase
    assert before(verification, number, secret)[22] in "EFGHIJKLMNOP"


def raw_of(verification_id: str) -> bytes:
    """A verification id's bytes."""
    raw = decode_id(verification_id)
    assert raw
    return raw


@pytest.mark.parametrize(
    "text",
    ["", "A" * 43, "A" * 44, "A" * 45, "A" * 43 + "!", "A" * 88, "é" * 44, "0" * 44, "z" * 44, "٣" * 44, TOO_LARGE],
)
def test_what_is_no_link_id(text: str):
    assert parse_link_id(text) is None


@pytest.mark.parametrize(("number", "secret"), [(0, "00" * 16), (4, "00" * 16), (1, "00" * 15), (1, "00" * 17)])
def test_what_no_link_can_carry(number: int, secret: str):
    with pytest.raises(ValueError, match="a link carries"):
        link_id("A" * 22, number, Secret(secret))


def test_a_link_of_no_verification_cannot_be_made():
    with pytest.raises(ValueError, match="base64url"):
        link_id("not base64url!", 1, Secret("00"))


def test_a_subscriber_has_one_digest_and_each_spelling_its_own():
    keys = Keys.derive("r" * 32)
    assert (
        keys.recipient("+5215512345678") == keys.recipient("+525512345678") == keys.index("recipient", "+525512345678")
    )
    assert keys.recipient_as_spelt("+5215512345678") == keys.index("recipient", "+5215512345678")
