"""The stack's public address."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.adapters.invocation import TimeLeft, unlimited
from otp_feedback.adapters.settings import Settings
from otp_feedback.domain.errors import ConfigurationError, Unavailable

CACHE_S = 300


class SsmClient(Protocol):
    """The call of boto3's client that the address needs."""

    def get_parameter(self, *, Name: str) -> Any: ...  # noqa: N803


class BaseUrl:
    """Returns the public address.

    Parameters
    ----------
    settings
        Its `public_base_url` takes precedence.
    ssm
        Makes a client; called if no address is fixed.
    time_left
        Returns the seconds that are left; nothing is read that might outlast them.
    """

    def __init__(self, settings: Settings, ssm: Callable[[], SsmClient], time_left: TimeLeft = unlimited) -> None:
        self._fixed = settings.public_base_url
        self._parameter = settings.base_url_parameter
        self._ssm = ssm
        self._time_left = time_left
        self._read: tuple[float, str] | None = None

    def of_stack(self) -> str:
        """The stack's own address, for links, callbacks and signatures; no event can choose it.

        Raises
        ------
        ConfigurationError, Unavailable
        """
        if self._fixed is not None:
            return self._fixed
        if self._parameter is None:
            raise ConfigurationError("OTP_BASE_URL_PARAMETER", "is missing")
        if self._read is None or time.time() - self._read[0] > CACHE_S:
            self._read = (time.time(), self._fetch(self._parameter))
        return self._read[1]

    def _fetch(self, name: str) -> str:
        if self._time_left() < LONGEST_CALL_S:
            raise Unavailable
        try:
            return str(self._ssm().get_parameter(Name=name)["Parameter"]["Value"]).rstrip("/")
        except (BotoCoreError, ClientError) as error:
            raise Unavailable from error
