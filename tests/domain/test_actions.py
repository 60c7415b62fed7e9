"""What the table of the actions says of them."""

import pytest

from otp_feedback.domain.actions import Action, Way, canonical, confirmed_by
from otp_feedback.domain.secret import Secret

WAYS = {
    Way.CHECK: {"code", "password", "caller"},
    Way.LINK: {"link"},
    Way.REPLY: {"reply"},
    Way.WORD: {"caller"},
}


@pytest.mark.parametrize("way", Way)
def test_a_way_in_confirms_its_own_actions_alone(way: Way):
    assert confirmed_by(way) == WAYS[way]
    assert {action for action in Action if action.is_confirmed_by(way)} == WAYS[way]


def test_of_what_is_entered_for_an_action_of_no_secret_nothing_is_left():
    assert canonical(Action.REPLY, Secret("YES")) is None
