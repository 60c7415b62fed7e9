"""The doctor's checks of what the stack has at Twilio."""

from collections.abc import Callable, Iterator

from operations.findings import Finding, failed, judged, noted, passed
from operations.stack import DeployedStack
from operations.twilio import Addresses, Login, TwilioAccount
from operations.webhooks import SenderPlan, plan_senders

CLOCK_S = 30
"""How far the clocks may be apart; AWS refuses requests that are five minutes off."""


def check_twilio(
    login: Login, addresses: Addresses, stack: DeployedStack, wall_clock: Callable[[], float], *, replies: bool
) -> Iterator[Finding]:
    """That Twilio accepts the credentials, that the senders can send, and that replies reach the stack.

    Parameters
    ----------
    wall_clock
        Epoch seconds.
    replies
        Whether replies are to reach the stack.
    """
    with TwilioAccount(login, addresses, wall_clock) as account:
        yield from _check_login(account, login, stack)
        yield from _check_clock(account.clock_skew_s)
        for plan in plan_senders(account, stack):
            yield from _check_sender(plan, stack, replies=replies)


def _check_login(account: TwilioAccount, login: Login, stack: DeployedStack) -> Iterator[Finding]:
    state = account.state()
    yield judged(
        state.status == "active",
        "Twilio accepts the auth token, and the account is active",
        f"the account is {state.status or 'in an unknown state'}",
        "see Twilio's console",
    )
    if state.kind == "Trial":
        yield noted("it is a trial account", "messages go to verified numbers only, until it is upgraded")
    if login.api_key_sid is not None:
        account.try_api_key()
        yield passed("Twilio accepts the API key")
    if stack.text("Countries") == "*":
        yield noted(
            "messages may go to every country", "deploy with the Countries of your users: fraudsters use the rest"
        )


def _check_clock(skew_s: float | None) -> Iterator[Finding]:
    if skew_s is None:
        yield noted("Twilio does not tell the time")
        return
    yield judged(
        abs(skew_s) <= CLOCK_S,
        "this machine's clock agrees with Twilio's",
        f"this machine's clock is {abs(skew_s):.0f} s {'fast' if skew_s > 0 else 'slow'}",
        "set it: AWS refuses requests of another time, and new keys are named after the day",
    )


def _check_sender(plan: SenderPlan, stack: DeployedStack, *, replies: bool) -> Iterator[Finding]:
    for obstacle in plan.obstacles:
        yield failed(obstacle.text, obstacle.advice)
    if plan.obstacles:
        return
    if not replies:
        yield passed(f"{plan.sender} can send")
        return
    for change in plan.changes:
        names = ", ".join(setting.name for setting in change.settings)
        yield failed(
            f"{change.target} does not point at the stack: {names}",
            f"make connect STACK={stack.name}; or, where nobody is to reply, doctor with ARGS=--no-replies",
        )
    for note in plan.notes:
        yield noted(f"{plan.sender}: {note}")
    if not plan.changes:
        yield passed(f"{plan.sender} can send" + ("" if plan.notes else ", and points at the stack"))
