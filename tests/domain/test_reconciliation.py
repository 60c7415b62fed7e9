"""Which message of those that Twilio lists is ours, by its text alone."""

import pytest

from otp_feedback.domain.ids import decode_id, encode_id
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.links import link_id
from otp_feedback.domain.reconciliation import CREATED_WITHIN_MS, carries_secret, may_have_been_created
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.verification import Message

KEYS = Keys.derive("r" * 32)
OURS = encode_id(b"v" * 16)
OTHER = encode_id(b"w" * 16)
CODE = Secret("123456")
LINK = Secret("0f" * 16)


def carries(body: str, secret: Secret = CODE, *, number: int = 2, verification_id: str = OURS) -> bool:
    return carries_secret(body, KEYS, verification_id, number, KEYS.mac(OURS, 2, secret))


@pytest.mark.parametrize(
    "body",
    [
        "123456",
        "Acme: 123456 is your code.",
        "Ihr Code: 123456.\n\n@acme.example #123456",
        "\u2068123456\u2069",
        "G-123456",
        "Code_123456",
        "123456-Acme",
    ],
)
def test_a_text_with_the_code_is_ours(body: str):
    assert carries(body)


@pytest.mark.parametrize("body", ["", "Acme", "Acme: 654321 is your code.", "1234567", "x123456", "123 456"])
def test_a_text_without_the_code_is_not(body: str):
    assert not carries(body)


def test_a_temporary_password_is_found_with_its_hyphens():
    assert carries("Your password: abcd-efgh-jkmnp", Secret("abcd-efgh-jkmnp"))
    assert carries("Acme-abcd-efgh-jkmnp", Secret("abcd-efgh-jkmnp"))


@pytest.mark.parametrize("secret", ["vK3$w!r9<Qe", ".:a-b_c:.", "{secret}", "((((", "~" * 64, "-Ab1-", "a.b/c?d=e&f"])
@pytest.mark.parametrize(
    "text", ["{}", "Acme: {}.", "({})", "“{}”", "Your password: {}!", "G-{}", "@acme.example #{}", "密码{}。", "{}, {}"]
)
def test_a_secret_with_symbols_is_found_next_to_any_punctuation(secret: str, text: str):
    assert carries(text.replace("{}", secret), Secret(secret))


def test_a_secret_is_no_part_of_a_longer_word():
    assert not carries("Acme: ab$cd9 (xab$cd)", Secret("ab$cd"))
    assert not carries("Acme: ab$$cd", Secret("ab$cd"))


def test_the_code_of_another_message_or_verification_is_not_ours():
    assert not carries("123456", number=1)
    assert not carries("123456", verification_id=OTHER)


def test_a_link_is_found_by_the_secret_in_its_id():
    assert carries(f"Tap https://acme.example/confirm?id={link_id(OURS, 2, LINK)} to confirm", LINK)


def test_a_link_of_before_is_found_as_well():
    raw = decode_id(OURS)
    assert raw
    assert carries(
        f"Tap https://acme.example/confirm?id={encode_id(raw + bytes([2]) + bytes.fromhex(LINK.reveal()))}", LINK
    )


def test_the_link_of_another_verification_is_not_ours():
    assert not carries(f"https://acme.example/confirm?id={link_id(OTHER, 2, LINK)}", LINK)


def test_a_callers_own_secret_that_looks_like_a_links_id_is_found_as_it_stands():
    own = link_id(OURS, 1, LINK)
    assert carries(own, Secret(own))
    assert carries(link_id(OTHER, 1, LINK), Secret(link_id(OTHER, 1, LINK)))


def test_no_more_than_two_hundred_words_of_a_text_are_looked_at():
    assert carries("word " * 199 + "123456")
    assert not carries("word " * 200 + "123456")


def test_of_a_text_that_is_all_symbols_no_more_than_five_thousand_pieces_are_looked_at():
    assert carries("*" * 100 + " p@ss.word", Secret("p@ss.word"))
    assert not carries("*" * 200 + " p@ss.word", Secret("p@ss.word"))


@pytest.mark.parametrize("side", [-1, 1])
def test_a_message_is_looked_for_among_those_created_when_it_was_sent(side: int):
    sent_at = 1_800_000_000_000
    message = Message(number=1, expires_at=sent_at + 600_000, sent_at=sent_at)
    assert may_have_been_created(message, sent_at + side * CREATED_WITHIN_MS)
    assert not may_have_been_created(message, sent_at + side * (CREATED_WITHIN_MS + 1))
