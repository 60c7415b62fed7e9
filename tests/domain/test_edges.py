"""Single values at which a rule turns, or by which it could be mistaken for another."""

import pytest

from otp_feedback.domain.backoff import SID_CAP_MS, next_search_at
from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.domain.keys import Keys
from otp_feedback.domain.phone import mask, parse_number
from otp_feedback.domain.recipient import HOUR_MS, Windows
from otp_feedback.domain.replies import holds_keyword, opts_out
from otp_feedback.domain.texts import choose_page_language
from otp_feedback.domain.texts.tags import Tag, is_known_language


def test_an_interval_longer_than_an_hour_is_kept_where_one_an_hour_is_allowed():
    assert dict(Windows(7200, 1, 10).by_slot())[0] == 2 * HOUR_MS


def test_a_lost_sid_is_looked_for_after_one_two_and_four_minutes():
    assert [next_search_at(0, failures) for failures in (1, 2, 3)] == [60_000, 120_000, 240_000]
    assert next_search_at(0, 50) == SID_CAP_MS


def test_a_number_with_seven_digits_is_masked_and_anything_shorter_hidden_whole():
    assert mask("+1234567") == "+12•••67"
    assert mask("+123456") == "…"


def test_a_number_of_no_country_is_told_as_such():
    assert parse_number("+80012345678").country == "ZZ"
    assert parse_number("+88312345678").country == "ZZ"


def test_letters_beside_an_opt_out_word_make_another_word_of_it():
    assert opts_out("stop.")
    assert not opts_out("xstopx")


def test_a_keyword_with_a_hyphen_is_found_however_it_is_typed():
    assert holds_keyword("yes please", "yes-please")
    assert holds_keyword("Yes-Please!", "yes-please")


@pytest.mark.parametrize("key", ["X" + "A" * 43, "A" * 43 + "X"])
def test_a_mac_key_is_padded_by_equals_signs_alone(key: str):
    assert Keys.derive("r" * 32, {"1": "A" * 43 + "="}).mac_keys["1"] == bytes(32)
    with pytest.raises(ConfigurationError):
        Keys.derive("r" * 32, {"1": key})


def test_half_a_weight_is_less_than_six_tenths():
    assert choose_page_language("de;q=0.5,fr;q=0.06") == "de"
    assert choose_page_language("de;q=0.06,fr;q=0.5") == "fr"
    assert choose_page_language("de;q=0.,fr;q=0.001") == "fr"
    assert choose_page_language("de;q=1.0,fr;q=1") == "de"


def test_a_header_of_a_thousand_characters_is_read_whole():
    header = "de" + " " * 998
    assert choose_page_language(header) == "de"
    assert choose_page_language(" " + header) == "en"


def test_only_the_first_thirty_two_languages_of_a_header_are_read():
    assert choose_page_language(",".join(["xx"] * 31 + ["de"])) == "de"
    assert choose_page_language(",".join(["xx"] * 32 + ["de"])) == "en"
    assert choose_page_language(",".join(["de"] + ["xx"] * 32)) == "de"
    assert choose_page_language(",".join(["de"] + ["xx"] * 40)) == "de"


def test_filipino_has_no_code_of_two_letters_and_is_known():
    assert is_known_language(Tag("fil", "", ""))
    assert not is_known_language(Tag("qaa", "", ""))
