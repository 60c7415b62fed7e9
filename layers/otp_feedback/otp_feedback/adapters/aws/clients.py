"""boto3's clients, each made once for a function, and how long their calls may take."""

from typing import Any

import boto3
from botocore.config import Config

CLIENT_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=20,
)
"""One retry layer, in botocore: DynamoDB answers in milliseconds, so after a second it is better to ask again."""

LONGEST_CALL_S = 7.0
"""Seconds that a call with these settings may take: two tries of 3 s, and at most 1 s between them."""

ONE_TRY_CONFIG = CLIENT_CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
"""For callers that try the whole request again."""

LONGEST_TRY_S = 3.0
"""Seconds that a call with those settings may take."""


def client(service: str, config: Config = CLIENT_CONFIG) -> Any:
    """A low-level client with explicit timeouts and one retry layer."""
    return boto3.client(service, config=config)  # type: ignore[call-overload]
