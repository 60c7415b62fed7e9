"""Which webhooks lead to a stack, and where they lead without it."""

from collections.abc import Iterator
from dataclasses import replace

from operations.stack import DeployedStack
from operations.twilio import TwilioAccount
from operations.webhooks import Change, Setting, plan_senders


def plan_release(account: TwilioAccount, stack: DeployedStack) -> Iterator[Change]:
    """What must change for the stack's senders to call it no more; changes nothing.

    What the stack handed on to another address goes there, as before it was connected; the rest goes nowhere.

    Raises
    ------
    OperationError
        Twilio does not answer.
    """
    ours = f"{stack.base_url}/"
    # Compared with a stack that has no address, every setting that leads to this one differs.
    without_address = replace(stack, outputs={**stack.outputs, "ApiUrl": ""})
    for plan in plan_senders(account, without_address):
        for change in plan.changes:
            settings = tuple(
                Setting(setting.name, setting.now, _instead(stack, setting.name))
                for setting in change.settings
                if setting.now.startswith(ours)
            )
            if settings:
                yield replace(change, settings=settings)


def _instead(stack: DeployedStack, name: str) -> str:
    return stack.text("FallbackCallUrl") if name == "VoiceUrl" else stack.text("FallbackMessageUrl")
